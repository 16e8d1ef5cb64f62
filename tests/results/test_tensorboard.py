"""Event files, read back with TensorBoard's own reader."""

from __future__ import annotations

import io
import os
import threading
from pathlib import Path

import numpy as np
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from raymtl.results.tracking.tensorboard import RunWriter, confusion_image
from raymtl.training.outcome import EpochReport, Point
from tests.results.synthetic import TASKS, outcome


def report(epoch: int, value: float) -> EpochReport:
    return EpochReport(
        epoch,
        9,
        {"digit": 2 / epoch},
        {("fsdd.digit", "digit"): Point(1.5, value), ("dcase.events", "events"): Point(None, None)},
        1e-3,
        {"fsdd.digit": 1.0},
        0.1,
        1,
    )


def read(folder: Path) -> EventAccumulator:
    return EventAccumulator(str(folder), size_guidance={"images": 0, "tensors": 0}).Reload()


def test_scalars_come_back_as_they_were(tmp_path: Path) -> None:
    with RunWriter(tmp_path, tasks=TASKS.values()) as writer:
        for epoch in (1, 2, 3):
            writer.epoch(report(epoch, epoch / 4))
        found = read(tmp_path)  # while it is open: every epoch can be seen at once
    assert sorted(found.Tags()["scalars"]) == [
        "train/digit/loss",
        "train/rate",
        "validation/fsdd.digit/digit/loss",
        "validation/fsdd.digit/digit/uar",
    ]
    uar = found.Scalars("validation/fsdd.digit/digit/uar")
    assert [(e.step, e.value) for e in uar] == [(1, 0.25), (2, 0.5), (3, 0.75)]


def test_a_resumed_run_shows_each_epoch_once(tmp_path: Path) -> None:
    with RunWriter(tmp_path, tasks=TASKS.values()) as writer:
        for epoch in (1, 2, 3, 4):
            writer.epoch(report(epoch, 0.0))
    with RunWriter(tmp_path, 3, TASKS.values()) as writer:
        for epoch in (3, 4, 5):
            writer.epoch(report(epoch, 0.5))
    uar = read(tmp_path).Scalars("validation/fsdd.digit/digit/uar")
    assert [(e.step, e.value) for e in uar] == [(1, 0.0), (2, 0.0), (3, 0.5), (4, 0.5), (5, 0.5)]


def test_test_scores_confusions_and_settings_come_back(tmp_path: Path) -> None:
    found = outcome(TASKS)
    with RunWriter(tmp_path) as writer:
        writer.outcome(found, {"model": "Dnn(width=64)", "stages": ["a|b"]})
    events = read(tmp_path)
    for (source, task, part), scores in found.scores.items():
        for name, value in scores.scalars.items() if part == "test" else ():
            event = events.Scalars(f"test/{source}/{task}/{name}")[0]
            assert (event.step, event.value) == (found.best_epoch, np.float32(value))
    assert sorted(events.Tags()["images"]) == [
        "confusion/fsdd.digit/digit",
        "confusion/ravdess.emotion/emotion",
        "confusion/ravdess.stress/stress",
    ]
    image = events.Images("confusion/fsdd.digit/digit")[0]
    picture = Image.open(io.BytesIO(image.encoded_image_string))
    assert picture.size == (image.width, image.height) == (240, 240)
    text = events.Tensors("settings")[0].tensor_proto.string_val[0].decode()
    assert "| model | Dnn(width=64) |" in text
    assert '| stages | ["a\\|b"] |' in text


def test_a_confusion_matrix_is_darkest_where_all_of_a_row_is() -> None:
    pixels = np.asarray(confusion_image(np.array([[10, 0], [2, 2]])))[::24, ::24].sum(axis=-1)
    assert pixels[0, 1] == 3 * 255
    assert pixels[0, 0] < pixels[1, 0] == pixels[1, 1] < pixels[0, 1]
    assert confusion_image(np.zeros((600, 600), np.int64)).size == (600, 600)


def test_many_runs_leave_no_thread_no_file_and_no_memory(tmp_path: Path) -> None:
    found = outcome(TASKS)

    def run(number: int) -> None:
        with RunWriter(tmp_path / str(number), tasks=TASKS.values()) as writer:
            for epoch in range(1, 6):
                writer.epoch(report(epoch, 0.5))
            writer.outcome(found, {})

    for number in range(20):
        run(number)
    threads, files, memory = threading.active_count(), open_files(), resident()
    for number in range(20, 220):
        run(number)
    assert (threading.active_count(), open_files()) == (threads, files)
    assert resident() - memory < 4 << 20  # a leak of one image a run would be 10 MB


def open_files() -> int:
    return len(os.listdir("/proc/self/fd"))  # noqa: PTH208


def resident() -> int:
    pages = Path("/proc/self/statm").read_text().split()[1]
    return int(pages) * os.sysconf("SC_PAGE_SIZE")

"""A record is complete or absent, and holds what the run gave."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from safetensors.numpy import load_file

from raymtl.durable import open_sealed, seal
from raymtl.errors import StoreError
from raymtl.results.predictions import named_labels
from raymtl.results.records import (
    METRICS,
    PREDICTIONS,
    RECORD,
    WEIGHTS,
    each_record,
    finish,
    read_record,
    verify,
    write_record,
)
from raymtl.tasks import AnyOf, OneOf, YesNo
from tests.results.synthetic import TASKS, cells, outcome, record

CELL = cells(["logmel"], ["shareddnn"])[-1]


def unfinished(root: Path, run: str = "all-f0") -> Path:
    folder = root / "unfinished" / run
    write_record(folder, record(run, CELL, 0, 3), outcome(TASKS), list(TASKS.values()))
    return folder


def test_what_was_written_is_read_back(tmp_path: Path) -> None:
    found = outcome(TASKS)
    folder = finish(unfinished(tmp_path), tmp_path / "runs")
    content = read_record(folder).content
    assert verify(folder) == []
    assert (content["run"], content["fold"], content["seed"]) == ("all-f0", 0, 3)
    assert content["status"] == "done"
    assert content["best_epoch"] == found.best_epoch
    assert content["sources"]["fsdd.digit"]["passes"] == found.passes["fsdd.digit"]
    assert content["tasks"]["emotion"]["labels"] == list(TASKS["ravdess.emotion"].labels_)
    read = {(s["source"], s["task"], s["part"]): s for s in read_record(folder).scores}
    assert set(read) == set(found.scores)
    for key, scores in found.scores.items():
        assert read[key]["scalars"] == scores.scalars
        assert read[key]["per_label"] == scores.per_label
        if scores.confusion is not None:
            np.testing.assert_array_equal(read[key]["confusion"], scores.confusion)
    np.testing.assert_array_equal(load_file(folder / WEIGHTS)["trunk.weight"], 0)
    history = pq.read_table(folder / METRICS).to_pylist()
    assert history == [vars(row) for row in found.history]


def test_predictions_name_labels_and_keep_missing_truths_missing(tmp_path: Path) -> None:
    found = outcome(TASKS)
    table = pd.read_parquet(unfinished(tmp_path) / PREDICTIONS)
    assert len(table) == sum(len(p.ids) for p in found.predictions.values())
    for (source, name), predicted in found.predictions.items():
        task = TASKS[source]
        rows = table[(table.source == source) & (table.task == name)].set_index("id")
        for i, clip in enumerate(predicted.ids):
            row, values, scores = rows.loc[clip], predicted.targets.values[i], predicted.scores[i]
            np.testing.assert_array_equal(row.scores, scores)
            if isinstance(task, OneOf):
                truth, decision = [task.labels[values]], [task.labels[int(np.argmax(scores))]]
            elif isinstance(task, YesNo):
                truth = ["yes" if values[0] else "no"]
                decision = ["yes" if scores[0] >= 0.5 else "no"]
            else:
                truth = [name for name, flag in zip(task.labels_, values, strict=True) if flag]
                decision = [n for n, s in zip(task.labels_, scores, strict=True) if s >= 0.5]
            missing = not np.any(predicted.targets.valid[i])
            assert row.truth is None if missing else list(row.truth) == truth
            assert list(row.decision) == decision


def test_label_names_of_flags_that_are_partly_known() -> None:
    labels = AnyOf("events", ("a", "b")).labels
    values, valid = np.array([[1, 1], [1, 0], [0, 1]]), np.array([[1, 0], [0, 0], [1, 1]], bool)
    assert named_labels(labels, values, valid).to_pylist() == [["a"], None, ["b"]]


def test_states_to_resume_from_are_not_part_of_a_record(tmp_path: Path) -> None:
    folder = tmp_path / "unfinished" / "all-f0"
    (folder / "checkpoint").mkdir(parents=True)
    (folder / "checkpoint" / "epoch-3.safetensors").write_bytes(b"state")
    (folder / "events.out.tfevents.0").write_bytes(b"events")
    done = finish(unfinished(tmp_path), tmp_path / "runs")
    assert sorted(p.name for p in done.rglob("*") if p.is_file()) == sorted(
        [RECORD, METRICS, PREDICTIONS, "weights.safetensors", "events.out.tfevents.0"]
    )


@pytest.mark.parametrize("name", [RECORD, METRICS, PREDICTIONS, WEIGHTS])
@pytest.mark.parametrize("harm", ["flip", "cut", "empty", "remove"])
def test_any_harm_to_any_file_is_found(tmp_path: Path, name: str, harm: str) -> None:
    folder = finish(unfinished(tmp_path), tmp_path / "runs")
    path = folder / name
    content = bytearray(path.read_bytes())
    if harm == "remove":
        path.unlink()
    else:
        content[len(content) // 2] ^= 1
        path.write_bytes({"flip": content, "cut": content[:-1], "empty": b""}[harm])
    assert len(verify(folder)) == 1


def test_a_record_is_known_by_its_folder(tmp_path: Path) -> None:
    folder = finish(unfinished(tmp_path), tmp_path / "runs")
    other = folder.rename(folder.with_name("all-f1"))
    assert "the record of run 'all-f0'" in verify(other)[0]


def test_an_incomplete_run_cannot_be_finished(tmp_path: Path) -> None:
    folder = unfinished(tmp_path)
    (folder / RECORD).unlink()
    with pytest.raises(StoreError, match=r"record\.json: cannot be read"):
        finish(folder, tmp_path / "runs")


def test_a_whole_record_stays_and_a_damaged_one_gives_way(tmp_path: Path) -> None:
    done = finish(unfinished(tmp_path), tmp_path / "runs")
    mark = done.stat().st_ino
    assert finish(unfinished(tmp_path), tmp_path / "runs").stat().st_ino == mark
    (done / METRICS).write_bytes(b"")
    assert finish(unfinished(tmp_path), tmp_path / "runs").stat().st_ino != mark
    assert verify(done) == []
    assert list((tmp_path / "unfinished").iterdir()) == []


def test_reading_many_says_which_are_damaged_and_skips_absent_ones(tmp_path: Path) -> None:
    for run in ("a", "b"):
        finish(unfinished(tmp_path, run), tmp_path / "runs")
    (tmp_path / "runs" / "b" / RECORD).write_text("{}")
    found = dict(each_record(tmp_path, ["c", "b", "a"]))
    assert list(found) == ["a", "b"]
    assert found["a"] == read_record(tmp_path / "runs" / "a")
    assert "does not match its seal" in str(found["b"])


def test_scores_that_are_not_finite_are_left_out(tmp_path: Path) -> None:
    found = outcome(TASKS)
    found.scores["fsdd.digit", "digit", "test"].scalars["loss"] = float("nan")
    write_record(tmp_path / "r", record("r", CELL, 0, 0), found, list(TASKS.values()))
    read = {(s["source"], s["part"]): s for s in read_record(tmp_path / "r").scores}
    assert "loss" not in read["fsdd.digit", "test"]["scalars"]
    assert "uar" in read["fsdd.digit", "test"]["scalars"]


def test_a_seal_is_plain_json_and_breaks_at_every_byte(tmp_path: Path) -> None:
    content = {"b": [1, 2.5, None], "a": {"x": 'ä\n"}'}}
    path = tmp_path / "sealed.json"
    whole = seal(content)
    path.write_bytes(whole)
    assert open_sealed(path) == content
    assert {k: v for k, v in json.loads(whole).items() if k != "seal"} == content
    for at in range(len(whole)):
        path.write_bytes(whole[:at] + bytes([whole[at] ^ 4]) + whole[at + 1 :])
        with pytest.raises(StoreError, match="does not match its seal"):
            open_sealed(path)


KILLED = """
import sys
from pathlib import Path
from raymtl.results.records import finish
from tests.results.test_records import unfinished
root = Path(sys.argv[1])
finish(unfinished(root), root / "runs")
"""


@pytest.mark.faults
@pytest.mark.parametrize(
    "point", ["record:before-record", "record:before-rename", "record:after-rename"]
)
def test_killed_at_any_moment_a_record_is_whole_or_absent(tmp_path: Path, point: str) -> None:
    repository = Path(__file__).parents[2]
    process = subprocess.run(
        [sys.executable, "-c", KILLED, str(tmp_path)],
        cwd=repository,
        check=False,
        env={**os.environ, "RAYMTL_FAULT": point, "PYTHONPATH": str(repository)},
    )
    assert process.returncode == -signal.SIGKILL
    runs = tmp_path / "runs"
    finished = {folder.name: verify(folder) for folder in runs.glob("*")}
    assert finished == ({"all-f0": []} if point == "record:after-rename" else {})
    if point == "record:before-rename":  # what is complete can be finished by the next process
        assert verify(finish(tmp_path / "unfinished" / "all-f0", runs)) == []

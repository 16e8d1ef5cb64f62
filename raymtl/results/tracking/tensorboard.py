"""Event files for TensorBoard: scalars after every epoch, confusion matrices at the end.

Events are written by TensorBoard's own record writer straight to the file: no thread, no queue,
nothing to leak in a process that trains hundreds of runs. Tags are short and grouped:
``train/<task>/loss``, ``validation/<source>/<task>/uar``, ``test/<source>/<task>/uar``,
``labels/<source>/<task>/f1/<label>``, ``curves/<source>/<task>/<label>``.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import numpy.typing as npt
from PIL import Image
from tensorboard.compat.proto.event_pb2 import Event, SessionLog
from tensorboard.compat.proto.summary_pb2 import Summary, SummaryMetadata
from tensorboard.compat.proto.tensor_pb2 import TensorProto
from tensorboard.compat.proto.types_pb2 import DT_STRING
from tensorboard.summary.writer.record_writer import RecordWriter

from raymtl.results.pictures import png
from raymtl.results.tracking.labels import hparam_summaries, label_values
from raymtl.tasks import Task

if TYPE_CHECKING:
    from raymtl.training.outcome import EpochReport, Outcome

_DARK = np.array([26, 71, 120], np.float64)  # of a confusion matrix's full cell, RGB
_LONGEST = 512  # pixels, the side of an image


class RunWriter:
    """Writes one run's events; use it as a context manager.

    Args:
        folder: of the run.
        purge_step: on resume, the first epoch that is done again: TensorBoard forgets what an
            earlier file of the folder says of it and of later ones.
        tasks: heads of the run; they name the metric of an epoch (``metric`` without them).
    """

    def __init__(
        self, folder: Path, purge_step: int | None = None, tasks: Iterable[Task] = ()
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        number = len(list(folder.glob("events.out.tfevents.*")))  # files are read in name order
        self.path = folder / f"events.out.tfevents.{number:010d}.raymtl"
        self._primary = {task.name: task.primary for task in tasks}
        self._file = self.path.open("wb")
        self._records = RecordWriter(self._file)
        self._write(Event(file_version="brain.Event:2"))
        if purge_step is not None:
            self._write(Event(session_log=SessionLog(status=SessionLog.START)), purge_step)
        self._file.flush()

    def epoch(self, report: EpochReport) -> None:
        """Adds what a run says after an epoch; it can be seen at once."""
        values = {f"train/{task}/loss": value for task, value in report.losses.items()}
        values["train/rate"] = report.rate
        for (source, task), point in report.validation.items():
            tag = f"validation/{source}/{task}"
            values |= {f"{tag}/loss": point.loss} if point.loss is not None else {}
            if point.metric is not None:
                values[f"{tag}/{self._primary.get(task, 'metric')}"] = point.metric
        self._write(
            Event(
                summary=Summary(
                    value=[
                        Summary.Value(tag=tag, simple_value=value)
                        for tag, value in values.items()
                        if math.isfinite(value)
                    ]
                )
            ),
            report.epoch,
        )
        self._file.flush()

    def outcome(
        self,
        outcome: Outcome,
        settings: Mapping[str, Any],
        hparams: Mapping[str, str | float] | None = None,
    ) -> None:
        """Adds test scores, confusion matrices, curves of labels and `settings` (as text), at the
        best epoch, and what TensorBoard's table of hyper-parameters shows of the run.
        """
        values = [
            Summary.Value(tag=f"test/{source}/{task}/{name}", simple_value=value)
            for (source, task, part), scores in sorted(
                outcome.scores.items(), key=lambda item: item[0]
            )
            if part == "test"
            for name, value in scores.scalars.items()
        ]
        values += [
            _image(f"confusion/{source}/{task}", scores.confusion)
            for (source, task, part), scores in outcome.scores.items()
            if part == "test" and scores.confusion is not None
        ]
        values.append(_text("settings", settings))
        values += label_values(outcome)
        self._write(Event(summary=Summary(value=values)), outcome.best_epoch)
        if hparams:
            for summary in hparam_summaries(hparams):
                self._write(Event(summary=summary))

    def close(self) -> None:
        """Closes the file; the writer takes no more."""
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: object) -> None:
        self.close()

    def _write(self, event: Event, step: int = 0) -> None:
        event.wall_time = time.time()
        event.step = step
        self._records.write(event.SerializeToString())


def confusion_image(confusion: npt.NDArray[np.int64]) -> Image.Image:
    """A (K, K) count matrix as a square picture, row = truth, rows normalised: white 0, dark 1."""
    totals = np.maximum(confusion.sum(axis=1, keepdims=True), 1)
    share = (confusion / totals)[..., None]
    pixels = np.round(255 + share * (_DARK - 255)).astype(np.uint8)
    side = max(1, min(24, _LONGEST // len(confusion)))
    return Image.fromarray(pixels.repeat(side, axis=0).repeat(side, axis=1))


def _image(tag: str, confusion: npt.NDArray[np.int64]) -> Summary.Value:
    image = confusion_image(confusion)
    return Summary.Value(
        tag=tag,
        image=Summary.Image(
            height=image.height, width=image.width, colorspace=3, encoded_image_string=png(image)
        ),
    )


def _text(tag: str, settings: Mapping[str, Any]) -> Summary.Value:
    """A Markdown table, as TensorBoard's text tab shows it."""
    rows = [f"| {name} | {_cell(value)} |" for name, value in settings.items()]
    text = "\n".join(["| setting | value |", "|---|---|", *rows])
    plugin = SummaryMetadata.PluginData(plugin_name="text", content=b"")
    return Summary.Value(
        tag=tag,
        metadata=SummaryMetadata(plugin_data=plugin),
        tensor=TensorProto(dtype=DT_STRING, string_val=[text.encode()]),
    )


def _cell(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, sort_keys=True, default=str)
    return text.replace("|", "\\|").replace("\n", " ")

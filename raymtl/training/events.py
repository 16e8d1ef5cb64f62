"""TensorBoard events of a run that may be resumed."""

from __future__ import annotations

from pathlib import Path
from typing import Self

from raymtl.results.tracking.tensorboard import RunWriter
from raymtl.spec import describe
from raymtl.training.job import RunJob
from raymtl.training.outcome import EpochReport, Outcome


class Events:
    """The run's event file, opened at the first thing to say.

    A resumed run begins a new file; TensorBoard then forgets the epochs that are done again.
    """

    def __init__(self, folder: Path, job: RunJob) -> None:
        self._folder = folder
        self._job = job
        self._writer: RunWriter | None = None

    def epoch(self, epoch: EpochReport) -> None:
        self._open(epoch.epoch).epoch(epoch)

    def outcome(self, outcome: Outcome) -> None:
        job = self._job
        settings = {
            "run": job.run,
            "cell": job.cell.name,
            "fold": job.fold,
            "seed": job.repeat,
            "model": repr(job.cell.model),
            "training": repr(job.training),
        }
        self._open(outcome.epochs_run + 1).outcome(outcome, settings, _hparams(job))

    def _open(self, epoch: int) -> RunWriter:
        if self._writer is None:
            again = any(self._folder.glob("events.out.tfevents.*"))
            self._writer = RunWriter(self._folder, epoch if again else None, self._job.tasks)
        return self._writer

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        if self._writer is not None:
            self._writer.close()


def _hparams(job: RunJob) -> dict[str, str | float]:
    """What tells the runs of a study apart, short enough for a column."""
    cell = job.cell
    return {
        "sources": " + ".join(cell.like or cell.sources),
        "extraction": describe(cell.extraction),
        "model": describe(cell.model),
        "control": cell.control or "none",
        "fold": float(job.fold),
        "seed": float(job.repeat),
    }

"""One run: from data in memory to the scores of its best epoch. Plain torch, no global state."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from raymtl.errors import Interrupted, StudyError
from raymtl.kept import BEST_ALONE, Keep
from raymtl.models.heads import distinct
from raymtl.models.model import Model, isolated
from raymtl.tasks import Task
from raymtl.training.keeping import Keeper
from raymtl.training.outcome import EpochReport, Outcome, RunData
from raymtl.training.ranks import Ranks
from raymtl.training.running import Run
from raymtl.training.training import Training

Report = Callable[[EpochReport], None]


def _silent(report: EpochReport) -> None: ...


def _never() -> bool:
    return False


def train(
    model: Model,
    training: Training,
    data: RunData,
    tasks: Sequence[Task],
    seed: int,
    folder: Path,
    report: Report = _silent,
    stop: Callable[[], bool] = _never,
    device: str = "cpu",
    checkpoint_seconds: float = 10.0,
    group: Any = None,
    keep: Keep = BEST_ALONE,
) -> Outcome:
    """Trains one network, or goes on from the newest checkpoint in `folder`.

    The numbers are a function of the first five arguments; on the CPU they are the same bit for
    bit whether or not the run was interrupted. The test part is scored once, at the best epoch.

    Args:
        tasks: every head of the run; sources name theirs in `PartData.targets`.
        report: called after every epoch, on every process.
        stop: asked after every step (every epoch with a `group`); True saves and ends the run.
        checkpoint_seconds: at most one checkpoint in this time; none is written at the end.
        group: a torch.distributed group; each process computes its share of every step, so that
            gradients equal those of one process (batch norm sees its share alone).
        keep: epochs whose weights are written to ``folder/epochs`` besides; a state to resume from
            without those that it should have is passed over.

    Raises:
        StudyError: when data, tasks and model do not fit together.
        Diverged: when a loss is not finite.
        Interrupted: after `stop`, once the state is saved.
    """
    _check(training, data)
    ranks, keeper = Ranks(group), Keeper(folder, keep)
    with isolated(seed, device):
        run = Run(model, training, data, distinct(tasks), seed, device, ranks, keeper)
        return _to_its_end(run, folder, report, stop, checkpoint_seconds)


def _to_its_end(
    run: Run, folder: Path, report: Report, stop: Callable[[], bool], checkpoint_seconds: float
) -> Outcome:
    """Goes on from what was saved, saves it on the way, and scores it once it is over.

    Raises:
        Interrupted: after `stop`, once the state is saved.
    """
    run.resume()
    saved = time.monotonic()
    while not run.over:
        for ended in run.steps():
            if ended:
                run.finish_epoch(report)
            if ended or run.ranks.alone:  # several processes agree once an epoch
                saved = _pause(run, folder, stop, saved, checkpoint_seconds)
    run.keep()  # the last epoch, where a state was saved after it by a run that kept it not
    return run.outcome()


def _pause(
    run: Run, folder: Path, stop: Callable[[], bool], saved: float, checkpoint_seconds: float
) -> float:
    """Saves when it is time, or when the run is to stop; when it was saved last (monotonic).

    Raises:
        Interrupted: after `stop`, once the state is saved.
    """
    asked = run.ranks.any(stop())
    late = run.ranks.any(time.monotonic() - saved > checkpoint_seconds)
    if asked or late:
        run.save(folder)
        saved = time.monotonic()
    if asked:
        raise Interrupted(
            f"{folder}: stopped after {run.epoch} epochs; run the same command again to go on."
        )
    return saved


def _check(training: Training, data: RunData) -> None:
    for name, part in data.train.items():
        if not len(part.inputs):
            raise StudyError(
                f"source {name} has no training clips left. Give it more clips, or "
                "leave it out of the combination."
            )
        held = data.validation.get(name)
        if training.validates and (held is None or not len(held)):
            raise StudyError(
                f"source {name} has no validation clips, and the best epoch is chosen on them "
                f"(select={training.select!r}, patience={training.patience}). Set "
                "validation=Validation(...), or Training(select='last', patience=None)."
            )

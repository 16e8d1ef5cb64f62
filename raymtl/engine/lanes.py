"""Lanes: Tune trials in long-lived actors, each training one cell after another.

A trial is a cell and a step is a run. A cell of one worker trains in the lane's own process under
Ray Train's local mode; a cell of several workers in a Train worker group (see `group.py`).
"""

from __future__ import annotations

import os
import traceback
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from ray import tune
from ray.train import ScalingConfig
from ray.train.torch import TorchTrainer

from raymtl.engine.attempts import MOST_STARTS, Attempt, Said, StopFlag, hold
from raymtl.engine.fresh import release, settle
from raymtl.engine.resources import Share
from raymtl.errors import Interrupted
from raymtl.faults import fault_point
from raymtl.kept import Keep
from raymtl.reading.clips import ClipTable
from raymtl.results.ledger import Entry, Ledger, reconcile
from raymtl.training.job import RunJob
from raymtl.training.outcome import EpochReport
from raymtl.training.run import Workbench, run_job

Train = Callable[..., Entry]  # with the signature of `run_job`


@dataclass(frozen=True, eq=False)
class Cargo:
    """All that lanes need; sent once, held by every lane.

    cells: the runs to do of each cell; a trial's configuration is an index into it.
    keep: epochs whose weights are kept besides the best one's.
    """

    store: Path
    sweep: Path
    attempt: Attempt
    share: Share
    cells: tuple[tuple[RunJob, ...], ...]
    tables: Mapping[str, ClipTable]
    train: Train = field(default=run_job)
    bench: Callable[..., Any] = field(default=Workbench)
    keep: Keep = field(default=Keep())

    @property
    def device(self) -> str:
        return "cuda" if self.share.gpus else "cpu"


class Lane(tune.Trainable):  # type: ignore[misc]  # ray is untyped
    """An actor that outlives its trials. No exception leaves it: Tune would end the actor."""

    def setup(self, config: dict[str, Any], cargo: Cargo | None = None) -> None:
        assert cargo is not None
        self._cargo = cargo
        self._share_of_lock = hold(cargo.sweep / "scratch")
        self._renew = settle()
        self._bench: Any = None
        self._stop = StopFlag(cargo.attempt)
        self._said = Said(cargo.attempt, os.getpid())
        self._take(config)

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        self._take(new_config)
        return True

    def _take(self, config: Mapping[str, Any]) -> None:
        self._cell = int(config["cell"])
        self._left = deque(self._cargo.cells[self._cell])
        release()

    def step(self) -> dict[str, Any]:
        """Trains the next run of the cell, or, in a worker group, all that are left."""
        entries: list[Entry] = []
        interrupted = self._stop()
        if not interrupted and self._left:
            try:
                entries = self._next()
            except Interrupted:
                interrupted = True
        self._cargo.attempt.say(os.getpid(), "")
        ended = interrupted or not self._left
        return {
            "cell_index": self._cell,
            "interrupted": interrupted,
            "done": ended,
            "ended": [(e.run, e.status, e.reason) for e in entries],
            "lane": os.getpid(),
        }

    def _next(self) -> list[Entry]:
        if self._cargo.share.workers > 1:
            jobs = list(self._left)
            self._left.clear()
            return self._together(jobs)
        job = self._left.popleft()
        return [once(self._cargo, job, partial(self._here, job))]

    def _together(self, jobs: Sequence[RunJob]) -> list[Entry]:
        """Runs in a worker group; one that cannot be started fails them all."""
        from raymtl.engine.group import train_in_group

        try:
            return train_in_group(self._cargo, jobs, self._stop)
        except Interrupted:
            raise
        except Exception as error:
            return [_explained(self._cargo, job, error) for job in jobs]

    def _here(self, job: RunJob) -> Entry:
        """One run in this process, with Train's local mode around it."""
        self._renew()
        if self._bench is None:
            self._bench = self._cargo.bench(self._cargo.store, self._cargo.tables)
        answer: list[Entry | BaseException] = []

        def work() -> None:
            try:
                answer.append(
                    self._cargo.train(
                        job,
                        self._bench,
                        self._cargo.sweep,
                        report=partial(self._report, job),
                        stop=self._stop,
                        device=self._cargo.device,
                        keep=self._cargo.keep,
                    )
                )
            except BaseException as error:
                answer.append(error)  # raised outside: here it would end the actor's re-use

        TorchTrainer(work, scaling_config=ScalingConfig(num_workers=0)).fit()
        found = answer[0]
        if isinstance(found, BaseException):
            raise found
        return found

    def _report(self, job: RunJob, epoch: EpochReport) -> None:
        fault_point("lane:epoch")
        self._said(f"{job.run}: epoch {epoch.epoch} of {epoch.epochs}")


def once(cargo: Cargo, job: RunJob, train: Callable[[], Entry]) -> Entry:
    """The entry of `job`: trains it unless this attempt already has; exceptions become entries.

    A lane that has died is replaced and meets its runs again: those that have ended stay ended,
    and one that takes its process down each time is given up.
    """
    starts = cargo.attempt.starts(job.run)
    if starts:
        found, _ = reconcile(cargo.sweep, {job.run: job.digest})
        if job.run in found:
            return found[job.run]
    if starts >= MOST_STARTS:
        return _failed(
            cargo,
            job,
            f"its process died {starts} times (killed, out of memory or "
            "crashed); the logs of Ray's workers say more",
        )
    cargo.attempt.started(job.run)
    fault_point("lane:run")
    try:
        return train()
    except Interrupted:
        raise
    except BaseException as error:
        return _explained(cargo, job, error)


def _explained(cargo: Cargo, job: RunJob, error: BaseException) -> Entry:
    reason = f"{type(error).__name__}: {error}".split("\n")[0]
    return _failed(cargo, job, reason, "".join(traceback.format_exception(error)))


def _failed(cargo: Cargo, job: RunJob, reason: str, trace: str = "") -> Entry:
    return Ledger(cargo.sweep / "ledger").write(
        job.run, "failed", reason, digest=job.digest, trace=trace
    )


class _Watch(tune.Callback):  # type: ignore[misc]
    """Passes what lanes return on to the sweep."""

    def __init__(
        self, ended: Callable[[Sequence[tuple[str, str, str]]], None], says: Callable[[str], None]
    ) -> None:
        self._ended, self._says = ended, says

    def __getstate__(self) -> dict[str, Any]:
        return {}  # Tune writes its callbacks to scratch; nobody restores them

    def on_trial_result(
        self, iteration: int, trials: list[Any], trial: Any, result: dict[str, Any], **info: Any
    ) -> None:
        self._ended(result.get("ended", ()))

    def on_trial_recover(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        self._says("a lane has died; another takes over its cell")


def run_lanes(
    cargo: Cargo,
    ended: Callable[[Sequence[tuple[str, str, str]]], None],
    says: Callable[[str], None] = print,
) -> None:
    """Trains every cell of the cargo, in its order; returns when all are done or told to stop.

    Args:
        ended: called in this process with (run, status, reason) of runs as they end.
        says: called with what a person should know at once.
    """
    if not cargo.cells:
        return
    lane = tune.with_resources(tune.with_parameters(Lane, cargo=cargo), cargo.share.trial)
    most = sum(len(cell) for cell in cargo.cells) * MOST_STARTS
    tune.Tuner(
        lane,
        param_space={"cell": tune.grid_search(list(range(len(cargo.cells))))},
        tune_config=tune.TuneConfig(reuse_actors=True, max_concurrent_trials=cargo.share.lanes),
        run_config=tune.RunConfig(
            name=cargo.attempt.folder.name,
            storage_path=str(cargo.sweep / "scratch" / "tune"),
            verbose=0,
            callbacks=[_Watch(ended, says)],
            failure_config=tune.FailureConfig(max_failures=most),
            checkpoint_config=tune.CheckpointConfig(checkpoint_at_end=False),
        ),
    ).fit()

"""A cell whose runs are trained by several Train workers at once."""

from __future__ import annotations

import os
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import ray
import ray.train
from ray.train import FailureConfig, RunConfig, ScalingConfig, TrainingFailedError
from ray.train.torch import TorchConfig, TorchTrainer

from raymtl.engine.attempts import MOST_STARTS, Said, StopFlag, hold
from raymtl.errors import Interrupted
from raymtl.results.ledger import Entry, Ledger, reconcile

if TYPE_CHECKING:
    from raymtl.engine.lanes import Cargo
    from raymtl.training.job import RunJob
    from raymtl.training.outcome import EpochReport

_COLLECTIVE_SECONDS = 600  # a worker that waits longer than this for the others gives up
# In messages of gloo and NCCL when another process of the group is gone.
_LOST_ANOTHER = ("gloo", "NCCL", "Connection closed by peer", "Connection reset by peer", "DistN")


def train_in_group(cargo: Cargo, jobs: Sequence[RunJob], stop: Callable[[], bool]) -> list[Entry]:
    """Entries of all `jobs`, trained in order by one worker group.

    A group that a run takes down is started anew for what is left.

    Raises:
        Interrupted: when `stop` said so.
    """
    left = list(jobs)
    while left and not stop():
        _train(cargo, left)
        found, _ = reconcile(cargo.sweep, {job.run: job.digest for job in left})
        for job in left:
            if job.run in found and not _lost_another(found[job.run].reason):
                continue
            found.pop(job.run, None)
            reason, trace = _why(cargo, job)
            if reason:
                found[job.run] = Ledger(cargo.sweep / "ledger").write(
                    job.run, "failed", reason, digest=job.digest, trace=trace
                )
        left = [job for job in left if job.run not in found]
    if left:
        raise Interrupted(f"{left[0].run}: asked to stop.")
    entries, _ = reconcile(cargo.sweep, {job.run: job.digest for job in jobs})
    return [entries[job.run] for job in jobs]


def _why(cargo: Cargo, job: RunJob) -> tuple[str, str]:
    """Reason and trace of a run that has failed; empty when it should be tried again."""
    note = _note(cargo, job)
    if note.exists():
        reason, _, trace = note.read_text().partition("\n")
        return reason, trace
    starts = cargo.attempt.starts(job.run)
    return (f"its workers died {starts} times" if starts >= MOST_STARTS else ""), ""


def _lost_another(reason: str) -> bool:
    """Whether a worker failed only because another was gone."""
    return any(sign in reason for sign in _LOST_ANOTHER)


def _note(cargo: Cargo, job: RunJob) -> Path:
    """Where a worker leaves why a run failed on it: rank 0 may wait for it and enter nothing."""
    return cargo.attempt.folder / f"failed-{job.run}"


def _train(cargo: Cargo, jobs: Sequence[RunJob]) -> None:
    names = {source.name for job in jobs for source in job.sources}
    part = replace(cargo, cells=(tuple(jobs),), tables={name: cargo.tables[name] for name in names})
    trainer = TorchTrainer(
        worker,
        train_loop_config={"cargo": [ray.put(part)], "lane": os.getpid()},
        torch_config=TorchConfig(
            backend="nccl" if cargo.share.gpus else "gloo", timeout_s=_COLLECTIVE_SECONDS
        ),
        scaling_config=ScalingConfig(
            num_workers=cargo.share.workers,
            use_gpu=cargo.share.gpus > 0,
            resources_per_worker=cargo.share.worker,
        ),
        run_config=RunConfig(
            name=f"group-{os.getpid()}-{os.urandom(4).hex()}",
            storage_path=str(cargo.sweep / "scratch" / "train"),
            failure_config=FailureConfig(max_failures=0, controller_failure_limit=3),
        ),
    )
    before = [cargo.attempt.starts(job.run) for job in jobs]
    try:
        trainer.fit()
    except (TrainingFailedError, ray.exceptions.RayError) as error:
        if before == [cargo.attempt.starts(job.run) for job in jobs]:
            _explain(cargo, jobs, error)


def _explain(cargo: Cargo, jobs: Sequence[RunJob], error: Exception) -> None:
    """Counts a failure before any run was begun against the first: it is not tried for ever."""
    cargo.attempt.started(jobs[0].run)
    note = cargo.sweep / "scratch" / "group-failures.log"
    with note.open("a") as handle:
        handle.write(f"{type(error).__name__}: {error}\n")


class RunFailed(Exception):  # noqa: N818  ends a worker group, whose other workers wait
    """A run ended in an error on one worker; the group has to be started anew."""


@dataclass
class _Together:
    """`stop` for all workers alike: what rank 0 sees holds for everybody."""

    here: Callable[[], bool]

    def __call__(self) -> bool:
        import torch
        import torch.distributed as dist

        device = "cuda" if dist.get_backend() == "nccl" else "cpu"
        asked = torch.tensor([float(dist.get_rank() == 0 and self.here())], device=device)
        dist.broadcast(asked, 0)
        return bool(asked.item())


def worker(config: dict[str, Any]) -> None:
    """What each worker of a group does: all runs in order; rank 0 writes."""
    import torch.distributed as dist

    from raymtl.engine.fresh import settle

    cargo: Cargo = ray.get(config["cargo"][0])
    renew, stop = settle(), _Together(StopFlag(cargo.attempt))
    bench, said = cargo.bench(cargo.store, cargo.tables), Said(cargo.attempt, config["lane"])
    with hold(cargo.sweep / "scratch"):
        for job in cargo.cells[0]:
            if stop():
                return
            renew()
            if dist.get_rank() == 0:
                cargo.attempt.started(job.run)
            if not _run(cargo, job, bench, stop, said):
                return


def _run(cargo: Cargo, job: RunJob, bench: Any, stop: _Together, said: Said) -> bool:
    """Trains one run on all workers; False when asked to stop."""
    import torch.distributed as dist

    try:
        entry = cargo.train(
            job,
            bench,
            cargo.sweep,
            report=partial(_report, said, job) if dist.get_rank() == 0 else _silent,
            stop=stop.here,
            device=_device(),
            group=dist.group.WORLD,
            keep=cargo.keep,
        )
    except Interrupted:
        return False
    except BaseException as error:
        trace = "".join(traceback.format_exception(error))
        reason = f"{type(error).__name__}: {error}".split("\n")[0]
        entry = Entry(job.run, "failed", reason, trace=trace)
    if entry.status == "failed":
        if not _lost_another(entry.reason):
            _note(cargo, job).write_text(f"{entry.reason}\n{entry.trace}")
        raise RunFailed(f"{job.run}: {entry.reason}")
    return True


def _device() -> str:
    from ray.train.torch import get_device

    return str(get_device())


def _report(said: Said, job: RunJob, epoch: EpochReport) -> None:
    said(f"{job.run}: epoch {epoch.epoch} of {epoch.epochs}")


def _silent(epoch: object) -> None:
    """Rank 0 tells for all."""

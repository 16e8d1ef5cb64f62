"""One run from its job to its record: open features, load fits, train, score, write.

Plain Python: lanes call it inside Ray, `rerun` and tests without.
"""

from __future__ import annotations

import math
import shutil
import time
import traceback
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import torch
import torch.distributed

from raymtl.deploy.recipe import Front, Recipe
from raymtl.durable import file_digest
from raymtl.errors import Diverged, Interrupted
from raymtl.faults import fault_point
from raymtl.kept import BEST_ALONE, Keep
from raymtl.loading.fitted import load_fit
from raymtl.machine import machine
from raymtl.models.heads import distinct
from raymtl.models.matched import Matched
from raymtl.models.model import InputShape
from raymtl.results.ledger import Entry, Ledger
from raymtl.results.records import RECORD, finish, write_record
from raymtl.training.bench import Workbench
from raymtl.training.events import Events
from raymtl.training.job import RunJob
from raymtl.training.loop import train
from raymtl.training.outcome import EpochReport, Outcome
from raymtl.training.steps import common_shape
from raymtl.versions import versions

__all__ = ["Workbench", "run_job", "train_and_record"]

Report = Callable[[EpochReport], None]


def train_and_record(
    job: RunJob,
    bench: Workbench,
    sweep: Path,
    report: Report,
    device: str = "cpu",
    keep: Keep = BEST_ALONE,
) -> Path:
    """As `run_job`, but what goes wrong is raised where it does, and no ledger is kept.

    Returns:
        The folder of the record.
    """
    folder = sweep / "unfinished" / job.run
    outcome = _train(job, bench, folder, report, lambda: False, device, None, math.inf, keep)
    write_record(folder, _facts(job, bench, device, None), outcome, job.tasks)
    return finish(folder, sweep / "runs")


def run_job(
    job: RunJob,
    bench: Workbench,
    sweep: Path,
    *,
    report: Report,
    stop: Callable[[], bool],
    device: str = "cpu",
    group: Any = None,
    checkpoint_seconds: float = 10.0,
    keep: Keep = BEST_ALONE,
) -> Entry:
    """Trains one run to its record; a failure is an entry of the ledger, not an exception.

    Rank 0 of `group` writes; the other ranks return an entry that nobody reads. At most one
    checkpoint is written in `checkpoint_seconds`.

    Raises:
        Interrupted: when `stop` said so; the next call goes on from the checkpoint.
    """
    began = time.perf_counter()
    folder = sweep / "unfinished" / job.run
    try:
        outcome = _train(job, bench, folder, report, stop, device, group, checkpoint_seconds, keep)
        if not _writes(group):
            return Entry(job.run, "done")
        seconds = time.perf_counter() - began
        write_record(folder, _facts(job, bench, device, group), outcome, job.tasks)
        done = finish(folder, sweep / "runs")
        return Ledger(sweep / "ledger").write(
            job.run, "done", seconds=seconds, digest=job.digest, record=file_digest(done / RECORD)
        )
    except Interrupted:
        raise
    except Diverged as error:
        return _failed(job, sweep, "diverged", error, began, group)
    except Exception as error:
        return _failed(job, sweep, "failed", error, began, group)


def _train(
    job: RunJob,
    bench: Workbench,
    folder: Path,
    report: Report,
    stop: Callable[[], bool],
    device: str,
    group: Any,
    checkpoint_seconds: float,
    keep: Keep,
) -> Outcome:
    data = bench.data(job, device)
    folder.mkdir(parents=True, exist_ok=True)
    fault_point("run:before-training")
    learn = partial(
        train,
        *(job.cell.model, job.training, data, job.tasks, job.seed, folder),
        stop=stop,
        device=device,
        checkpoint_seconds=checkpoint_seconds,
        group=group,
        keep=keep,
    )
    if not _writes(group):
        return learn()
    with Events(folder, job) as events:

        def after_epoch(epoch: EpochReport) -> None:
            events.epoch(epoch)
            report(epoch)
            fault_point("run:after-epoch")

        outcome = learn(report=after_epoch)
        events.outcome(outcome)
    recipe(job, bench, common_shape(data.train)).write(folder)
    return outcome


def recipe(job: RunJob, bench: Workbench, shape: InputShape) -> Recipe:
    """What the run's network is, but for its weights."""
    fronts = {
        source.name: Front(
            origin.signal,
            origin.rate,
            origin.longest,
            load_fit(bench.store / "fits", source.fit),
            tuple(task.name for task in source.tasks),
            dict(origin.corpus),
        )
        for source in job.sources
        if (origin := source.origin) is not None
    }
    heads = tuple(task.head for task in distinct(job.tasks).values())
    return Recipe(
        job.run,
        job.digest,
        job.cell.extraction,
        job.cell.model,
        shape,
        heads,
        fronts,
        job.training.precision,
        job.training,
    )


def _facts(job: RunJob, bench: Workbench, device: str, group: Any) -> dict[str, Any]:
    """What the record says beside the outcome."""
    return {
        "device": device,
        "workers": _workers(group),
        "threads": torch.get_num_threads(),
        "machine": machine(),
        "run": job.run,
        "digest": job.digest,
        "fold": job.fold,
        "seed": job.repeat,
        "derived_seed": job.seed,
        "cell": {
            "name": job.cell.name,
            "combination": list(job.cell.sources),
            "extraction": repr(job.cell.extraction),
            "model": repr(job.cell.model),
            **_control(job),
        },
        "training": repr(job.training),
        "sources": {
            s.name: {
                "features": s.features,
                "fit": s.fit,
                "train": len(s.train),
                "validation": len(s.validation),
                "test": len(s.test),
                "skipped": bench.skipped(s),
                "content": s.content,
            }
            for s in job.sources
        },
        "conflicts": [
            {"group": c.group, "trained": c.trained, "tested": c.tested, "clips": c.clips}
            for c in job.conflicts
        ],
        "leaks": job.leaks.facts(),
        "versions": versions(),
    }


def _control(job: RunJob) -> dict[str, Any]:
    """What a control is a control of; nothing for other cells."""
    cell = job.cell
    if not cell.control:
        return {}
    facts = {"control": cell.control, "main": cell.main, "like": list(cell.like)}
    if isinstance(cell.model, Matched):  # shown under the model that it is as large as
        facts |= {"model": repr(cell.model.model), "network": repr(cell.model)}
    return facts


def _failed(
    job: RunJob, sweep: Path, status: Any, error: BaseException, began: float, group: Any
) -> Entry:
    reason = f"{type(error).__name__}: {error}".split("\n")[0]
    entry = Entry(job.run, status, reason)
    if not _writes(group):
        return entry
    if status == "diverged":  # it would diverge again; a failure may be the disk's, and pass
        shutil.rmtree(sweep / "unfinished" / job.run, ignore_errors=True)
    return Ledger(sweep / "ledger").write(
        job.run,
        status,
        reason,
        time.perf_counter() - began,
        digest=job.digest,
        trace="".join(traceback.format_exception(error)),
    )


def _workers(group: Any) -> int:
    return 1 if group is None else torch.distributed.get_world_size(group)


def _writes(group: Any) -> bool:
    """Whether this process is the one that writes."""
    if group is None:
        return True
    return torch.distributed.get_rank(group) == 0

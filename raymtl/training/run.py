"""One run from its job to its record: open features, load fits, train, score, write.

Plain Python: lanes call it inside Ray, `rerun` and tests without.
"""

from __future__ import annotations

import shutil
import time
import traceback
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np

from raymtl.durable import file_digest
from raymtl.errors import Diverged, Interrupted, StoreError
from raymtl.extraction.store import FeatureSet, FeatureStore
from raymtl.faults import fault_point
from raymtl.loading.fitted import load_fit
from raymtl.loading.inputs import Inputs, PartData
from raymtl.reading.clips import ClipTable
from raymtl.results.ledger import Entry, Ledger
from raymtl.results.records import RECORD, finish, write_record
from raymtl.results.tensorboard import RunWriter
from raymtl.tasks import Targets
from raymtl.training.job import RunJob, SourceInRun
from raymtl.training.loop import train
from raymtl.training.outcome import EpochReport, Outcome, RunData
from raymtl.versions import versions

Report = Callable[[EpochReport], None]
_KEPT_BYTES = 256 << 20


class Workbench:
    """What a process keeps between runs, within a bound: open feature sets, prepared parts."""

    def __init__(
        self, store: Path, tables: Mapping[str, ClipTable], kept_bytes: int = _KEPT_BYTES
    ) -> None:
        self.store = store
        self._tables = tables
        self._features: dict[str, FeatureSet] = {}
        self._rows: dict[str, dict[str, int]] = {}
        self._targets: dict[tuple[str, str], Targets] = {}
        self._parts: OrderedDict[tuple[str, str, str, tuple[str, ...]], PartData] = OrderedDict()
        self._kept_bytes = kept_bytes

    def data(self, job: RunJob, device: str) -> RunData:
        """Every part of every source of `job`, ready for batches.

        Raises:
            StoreError: when a feature set or fit is missing or damaged.
        """
        return RunData(
            *(
                {
                    source.name: self._part(source, getattr(source, part), device)
                    for source in job.sources
                }
                for part in ("train", "validation", "test")
            )
        )

    def skipped(self, source: SourceInRun) -> int:
        """Clips of a run's source that could not be extracted."""
        known = self.features(source.features).known
        return sum(
            i not in known for part in (source.train, source.validation, source.test) for i in part
        )

    def features(self, address: str) -> FeatureSet:
        """The feature set, opened and verified once."""
        if address not in self._features:
            self._features[address] = FeatureStore(self.store / "features").open(address)
        return self._features[address]

    def _part(self, source: SourceInRun, ids: tuple[str, ...], device: str) -> PartData:
        key = (source.name, source.fit, device, ids)
        if key not in self._parts:
            self._parts[key] = self._prepare(source, ids, device)
            self._forget()
        self._parts.move_to_end(key)
        return self._parts[key]

    def _prepare(self, source: SourceInRun, ids: tuple[str, ...], device: str) -> PartData:
        features = self.features(source.features)
        present = _present(ids, features, source)
        fitted = load_fit(self.store / "fits", source.fit)
        inputs = Inputs(features, present, fitted, device=device)
        rows = np.array([self._row(source.name)[i] for i in present], np.int64)
        targets = {
            task.name: self._target(source.name, column, task).take(rows)
            for task, column in zip(source.tasks, source.columns, strict=True)
        }
        return PartData(source.name, present, inputs, targets)

    def _row(self, source: str) -> dict[str, int]:
        if source not in self._rows:
            self._rows[source] = {i: row for row, i in enumerate(self._tables[source].ids)}
        return self._rows[source]

    def _target(self, source: str, column: str, task: Any) -> Targets:
        key = (source, column)
        if key not in self._targets:
            self._targets[key] = task.encode(self._tables[source].target(column))
        return self._targets[key]

    def _forget(self) -> None:
        """Drops the parts used longest ago until the rest is within the bound."""
        kept = sum(part.inputs.nbytes for part in self._parts.values())
        while kept > self._kept_bytes and len(self._parts) > 1:
            _, part = self._parts.popitem(last=False)
            kept -= part.inputs.nbytes


def _present(ids: Sequence[str], features: FeatureSet, source: SourceInRun) -> list[str]:
    """Ids that have features; those that extraction skipped, with a reason, are left out."""
    missing = [i for i in ids if i not in features.known]
    unexplained = [i for i in missing if i not in features.skipped]
    if unexplained:
        raise StoreError(
            f"source {source.name}: feature set {source.features[:12]} has neither "
            f"features of {unexplained[0]!r} nor a reason why not "
            f"({len(unexplained)} such clips). Delete the set and run again."
        )
    return [i for i in ids if i in features.known] if missing else list(ids)


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
        outcome = _train(job, bench, folder, report, stop, device, group, checkpoint_seconds)
        if not _writes(group):
            return Entry(job.run, "done")
        seconds = time.perf_counter() - began
        write_record(folder, _facts(job, bench), outcome, job.tasks)
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
) -> Outcome:
    data = bench.data(job, device)
    folder.mkdir(parents=True, exist_ok=True)
    fault_point("run:before-training")
    if not _writes(group):
        return train(
            job.cell.model,
            job.training,
            data,
            job.tasks,
            job.seed,
            folder,
            stop=stop,
            device=device,
            checkpoint_seconds=checkpoint_seconds,
            group=group,
        )
    with _Events(folder, job) as events:

        def after_epoch(epoch: EpochReport) -> None:
            events.epoch(epoch)
            report(epoch)
            fault_point("run:after-epoch")

        outcome = train(
            job.cell.model,
            job.training,
            data,
            job.tasks,
            job.seed,
            folder,
            report=after_epoch,
            stop=stop,
            device=device,
            checkpoint_seconds=checkpoint_seconds,
            group=group,
        )
        events.outcome(outcome)
    return outcome


class _Events:
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
        self._open(outcome.epochs_run + 1).outcome(outcome, settings)

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


def _facts(job: RunJob, bench: Workbench) -> dict[str, Any]:
    """What the record says beside the outcome."""
    return {
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
            }
            for s in job.sources
        },
        "conflicts": [
            {"group": c.group, "trained": c.trained, "tested": c.tested, "clips": c.clips}
            for c in job.conflicts
        ],
        "versions": versions(),
    }


def _failed(
    job: RunJob, sweep: Path, status: Any, error: BaseException, began: float, group: Any
) -> Entry:
    reason = f"{type(error).__name__}: {error}".split("\n")[0]
    entry = Entry(job.run, status, reason)
    if not _writes(group):
        return entry
    shutil.rmtree(sweep / "unfinished" / job.run, ignore_errors=True)
    return Ledger(sweep / "ledger").write(
        job.run,
        status,
        reason,
        time.perf_counter() - began,
        digest=job.digest,
        trace="".join(traceback.format_exception(error)),
    )


def _writes(group: Any) -> bool:
    """Whether this process is the one that writes."""
    if group is None:
        return True
    import torch.distributed

    return torch.distributed.get_rank(group) == 0

"""Carrying a plan out: features, fits, runs; interruptible, and the ledger says what came of it."""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import ray.cloudpickle
from rich.console import Console

from raymtl.engine.attempts import Attempt, none_left
from raymtl.engine.cluster import connected, preflight
from raymtl.engine.extract import (
    Told,
    extract_all,
    refuse_bad,
    refuse_changed,
    set_aside_damaged,
    skipped_clips,
)
from raymtl.engine.fit import fit_and_save
from raymtl.engine.interrupt import Interrupt
from raymtl.engine.lanes import Cargo, run_lanes
from raymtl.engine.options import SweepOptions
from raymtl.engine.progress import Progress
from raymtl.engine.resources import Share
from raymtl.engine.shared import check_data, check_store
from raymtl.errors import Interrupted
from raymtl.extraction.audio import Skipped
from raymtl.faults import fault_point
from raymtl.plan import Plan
from raymtl.plan.written import write_plan
from raymtl.results.ledger import Entry, Ledger, reconcile
from raymtl.results.records import read_record
from raymtl.results.runs.epochs import at_rest
from raymtl.training.job import RunJob

_SHOWN = 4  # test scores told of a run

__all__ = ["SweepOptions", "SweepResult", "carry_out", "preflight"]


@dataclass(frozen=True)
class SweepResult:
    """What a sweep has come to, as its ledger says.

    done: planned runs with a record. failed: entries of those that failed or diverged.
    skipped: clips that were left out, with the reason.
    """

    done: int
    failed: tuple[Entry, ...]
    interrupted: bool
    skipped: tuple[Skipped, ...]


def carry_out(
    plan: Plan,
    store: Path,
    options: SweepOptions,
    *,
    console: Console | None = None,
    cargo: Callable[..., Cargo] = Cargo,
) -> SweepResult:
    """Does everything the plan lacks, and may be stopped at any moment.

    Nothing in the sweep's folder is touched before its lock is held.

    Args:
        cargo: makes what lanes are given; tests put other training in it.

    Raises:
        PreflightError: for resources that are not there, or the same sweep at work elsewhere.
        RaymtlError: for data that cannot be used; whatever was finished is kept.
    """
    console = console or Console(highlight=False)
    preflight(options)
    with locked(plan.sweep), Interrupt() as interrupt:
        if plan.mends:
            reconcile(plan.sweep, {job.run: job.digest for job in plan.whole})
        write_plan(plan, plan.corpora.skipped)
        missing = _still_missing(plan)
        if missing:
            _clear(plan.sweep / "scratch")  # tells lanes of a killed driver to stop
            with none_left(plan.sweep / "scratch"):
                pass
            attempt = Attempt.new(plan.sweep / "scratch", uuid.uuid4().hex[:12])
            interrupt.on_first(attempt.stop)
            _Sweep(plan, store, options, console, attempt, interrupt, cargo).run(missing)
        result = _result(plan, store, interrupt.asked and bool(_still_missing(plan)))
        write_plan(plan, result.skipped)
        return result


@contextmanager
def locked(sweep: Path) -> Iterator[None]:
    """As `at_rest`, of a sweep that may be new.

    Raises:
        PreflightError: when another process has it.
    """
    sweep.mkdir(parents=True, exist_ok=True)
    with at_rest(sweep, "Wait for it, stop it, or give the study another name."):
        yield


class _Sweep:
    """One attempt at a plan."""

    def __init__(
        self,
        plan: Plan,
        store: Path,
        options: SweepOptions,
        console: Console,
        attempt: Attempt,
        interrupt: Interrupt,
        cargo: Callable[..., Cargo],
    ) -> None:
        self._plan, self._store, self._options = plan, store, options
        self._console, self._attempt, self._interrupt = console, attempt, interrupt
        self._cargo = cargo
        self._jobs = {job.run: job for job in plan.runs}

    def run(self, missing: Sequence[RunJob]) -> None:
        _by_value(self._plan.study.modules)
        self._progress = Progress(self._console, self._options.plain, self._attempt.said)
        with connected(self._options) as share, self._progress:
            self._interrupt.renew()
            if self._options.address is not None:
                check_store(self._store)
                check_data(self._plan.needed_features(), self._plan.corpora.facts)
            try:
                self._prepare(share)
                self._train(missing, share)
            except Interrupted:
                pass  # the flag says so; what is finished is on disk

    def _prepare(self, share: Share) -> None:
        """Features, then fits."""
        root = self._store / "features"
        progress = self._progress
        told = Told(
            progress.extraction, progress.extracted, progress.say, lambda: self._interrupt.asked
        )
        used = self._plan.used_features()
        set_aside_damaged(used, root, progress.say)
        facts = self._plan.corpora.facts
        extract_all(
            used,
            root,
            told,
            check=lambda job: refuse_changed(job, facts, self._store),
            bad_files=self._options.bad_files,
        )
        if self._options.bad_files == "fail":
            refuse_bad(skipped_clips(self._plan.features, root))
        self._stop_if_asked()
        fit_and_save(self._plan.needed_fits(), self._store, share.lanes * share.workers)
        self._stop_if_asked()

    def _train(self, missing: Sequence[RunJob], share: Share) -> None:
        ledger = Ledger(self._plan.sweep / "ledger")
        for job in missing:
            if job.run in self._plan.entries:
                ledger.drop(job.run)  # it failed in an earlier attempt; this one tries again
        self._progress.training(len(missing))
        cargo = self._cargo(
            store=self._store,
            sweep=self._plan.sweep,
            attempt=self._attempt,
            share=share,
            cells=_by_cell(missing),
            tables=self._plan.tables,
            keep=self._options.keep,
        )
        run_lanes(cargo, self._ended, self._progress.say)

    def _ended(self, ended: Sequence[tuple[str, str, str]]) -> None:
        for run, status, reason in ended:
            fault_point("engine:ended")
            words = reason if status != "done" else _scores(self._plan.sweep / "runs" / run)
            self._progress.ended(run, status, words)
            if status != "done" and self._options.fail_fast:
                self._attempt.stop()

    def _stop_if_asked(self) -> None:
        if self._interrupt.asked:
            raise Interrupted("asked to stop.")


def _by_cell(missing: Sequence[RunJob]) -> tuple[tuple[RunJob, ...], ...]:
    """Runs cell by cell, the longest cells first, so that none straggles at the end."""
    cells: dict[str, list[RunJob]] = {}
    for job in missing:
        cells.setdefault(job.cell.name, []).append(job)
    return tuple(tuple(jobs) for jobs in sorted(cells.values(), key=_clips, reverse=True))


def _clips(jobs: Sequence[RunJob]) -> int:
    """Clips through the network in all epochs of some runs."""
    return sum(job.training.epochs * len(source.train) for job in jobs for source in job.sources)


def _by_value(modules: Sequence[ModuleType]) -> None:
    """Lets what a study's own modules define travel to workers that cannot import them."""
    for module in modules:
        ray.cloudpickle.register_pickle_by_value(module)


def _clear(scratch: Path) -> None:
    """Removes what an earlier attempt, Tune and Train left there."""
    for name in ("attempts", "tune", "train"):
        shutil.rmtree(scratch / name, ignore_errors=True)


def _still_missing(plan: Plan) -> list[RunJob]:
    """Runs without an entry of success by now: another process may have done some since."""
    entries = Ledger(plan.sweep / "ledger").read()
    return [job for job in plan.runs if job.run not in entries or not entries[job.run].done]


def _scores(folder: Path) -> str:
    """The test scores of a record in a few words."""
    record = read_record(folder)
    primary = {name: facts["primary"] for name, facts in record.content["tasks"].items()}
    found = [
        (s["source"], s["scalars"].get(primary[s["task"]]))
        for s in record.scores
        if s["part"] == "test"
    ]
    parts = [f"{source} {value:.3f}" for source, value in found if value is not None]
    return ", ".join(parts[:_SHOWN]) + (", ..." if len(parts) > _SHOWN else "")


def _result(plan: Plan, store: Path, interrupted: bool) -> SweepResult:
    entries = Ledger(plan.sweep / "ledger").read()
    found = [entries[job.run] for job in plan.runs if job.run in entries]
    skipped = [entry for prepared in plan.corpora.sources.values() for entry in prepared.skipped]
    skipped += [entry for _, entry in skipped_clips(plan.features, store / "features")]
    return SweepResult(
        sum(entry.done for entry in found),
        tuple(entry for entry in found if not entry.done),
        interrupted,
        tuple(dict.fromkeys(skipped)),
    )

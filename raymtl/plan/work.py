"""The plan of a study: feature sets, fits, cells and runs, and which of them are done."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from raymtl.errors import StoreError, StudyError
from raymtl.experiment import Cell, Experiment
from raymtl.extraction.addresses import by_path, content_digest
from raymtl.extraction.features import Extraction
from raymtl.extraction.signals import ClipRow, Decoding
from raymtl.extraction.store import Chunk, FeatureStore, chunks, feature_address
from raymtl.loading.fits import FitRequest
from raymtl.loading.fitted import load_fit
from raymtl.loading.splits import Split
from raymtl.plan.jobs import Jobs
from raymtl.plan.leaks import Firewall
from raymtl.plan.parts import refuse_unvalidated, shared_groups, splits_of
from raymtl.plan.sources import Corpora, Prepared, prepare
from raymtl.reading.clips import ClipTable
from raymtl.results.ledger import Entry, reconcile
from raymtl.study import Study
from raymtl.training.job import RunJob


@dataclass(frozen=True, eq=False)
class FeatureJob:
    """One feature set; several sources share it when they need the same clips."""

    address: str
    signal: Decoding
    extraction: Extraction
    sources: tuple[str, ...]
    rows: tuple[ClipRow, ...]
    chunks: tuple[Chunk, ...]
    cached: bool


@dataclass(frozen=True, eq=False)
class Plan:
    """All of a study's work. `entries` says what is done; nothing else does.

    cells, runs, features: those asked for; whole: the runs of every cell of the study.
    mends: whether ledger and records disagree on disk; a sweep mends that before anything else.
    leaks: what training and test share in every combination and fold, as `Firewall.facts` says.
    contents: source -> digest over the ids of its clips and what is in their recordings.
    """

    study: Study
    experiment: Experiment
    store: Path
    corpora: Corpora
    splits: Sequence[Split]
    features: Sequence[FeatureJob]
    fits: Mapping[str, FitRequest]
    cells: Sequence[Cell]
    runs: Sequence[RunJob]
    whole: Sequence[RunJob]
    entries: Mapping[str, Entry]
    notes: Sequence[str] = field(default=())
    leaks: Mapping[str, Any] = field(default_factory=dict)
    mends: bool = False
    data: Path = Path()
    contents: Mapping[str, str] = field(default_factory=dict)

    @property
    def sweep(self) -> Path:
        """Folder of everything this study leaves behind."""
        return self.store / "sweeps" / self.experiment.name

    @property
    def tables(self) -> dict[str, ClipTable]:
        return {name: prepared.table for name, prepared in self.corpora.sources.items()}

    @property
    def missing(self) -> list[RunJob]:
        """Runs without a record."""
        return [job for job in self.runs if not self.is_done(job.run)]

    def is_done(self, run: str) -> bool:
        return run in self.entries and self.entries[run].status == "done"

    def used_features(self) -> list[FeatureJob]:
        """Feature sets that a missing run needs."""
        used = {source.features for job in self.missing for source in job.sources}
        return [job for job in self.features if job.address in used]

    def needed_features(self) -> list[FeatureJob]:
        """Feature sets that a missing run needs and the store lacks."""
        return [job for job in self.used_features() if not job.cached]

    def needed_fits(self) -> list[FitRequest]:
        """Fits that a missing run needs and the store lacks."""
        needed = {source.fit for job in self.missing for source in job.sources}
        return [
            request
            for address, request in self.fits.items()
            if address in needed and not _is_fitted(self.store / "fits", address)
        ]


def make_plan(
    study: Study,
    experiment: Experiment,
    data: Path,
    store: Path,
    *,
    only: str | None = None,
    bad_files: str = "fail",
) -> Plan:
    """Reads and inspects the data, splits it, and addresses every result the study asks for.

    Changes nothing in the store but what it remembers of inspected recordings.

    Args:
        only: plan the cells whose name matches this shell pattern or, without ``*?[``, holds it.

    Raises:
        RaymtlError: for anything wrong with study or data.
    """
    cells = chosen(experiment.cells(), only)  # first: a pattern without a match costs no reading
    corpora = prepare(experiment, data, store / "inspected.parquet", bad_files)
    splits = splits_of(experiment, corpora)
    refuse_unvalidated(experiment, splits, cells)
    firewall = Firewall(experiment, corpora, splits)
    firewall.refuse(cells)
    return _only(cells, _all_work(study, experiment, data, store, corpora, splits, firewall))


def _all_work(
    study: Study,
    experiment: Experiment,
    data: Path,
    store: Path,
    corpora: Corpora,
    splits: Sequence[Split],
    firewall: Firewall,
) -> Plan:
    """The plan of every cell of the study."""
    cells = experiment.cells()
    features = _features(experiment, corpora, cells, store)
    contents = _contents(corpora)
    jobs = Jobs(experiment, corpora.sources, splits, _addresses(features), firewall, contents)
    runs, fits = jobs.all(cells)
    entries, mended = reconcile(
        store / "sweeps" / experiment.name, {job.run: job.digest for job in runs}, mend=False
    )
    return Plan(
        study=study,
        experiment=experiment,
        store=store,
        corpora=corpora,
        splits=splits,
        features=features,
        fits=fits,
        cells=cells,
        runs=runs,
        whole=runs,
        entries=entries,
        notes=(*_notes(mended, corpora, splits), *firewall.notes()),
        leaks=firewall.facts(),
        mends=bool(mended),
        data=data,
        contents=contents,
    )


def _addresses(features: Sequence[FeatureJob]) -> dict[tuple[str, Extraction], str]:
    return {(name, job.extraction): job.address for job in features for name in job.sources}


def _contents(corpora: Corpora) -> dict[str, str]:
    """Digest of what each source's clips hold."""
    facts = by_path(corpora.facts)
    return {name: content_digest(p.rows, facts) for name, p in corpora.sources.items()}


def _only(cells: Sequence[Cell], plan: Plan) -> Plan:
    """The plan of these cells: their runs, and the feature sets and fits that they need."""
    names = {cell.name for cell in cells}
    runs = [job for job in plan.whole if any(cell.name in names for cell in (job.cell, *job.also))]
    used = {address for job in runs for s in job.sources for address in (s.features, s.fit)}
    return replace(
        plan,
        cells=cells,
        runs=runs,
        features=[job for job in plan.features if job.address in used],
        fits={address: request for address, request in plan.fits.items() if address in used},
    )


def _notes(mended: Sequence[str], corpora: Corpora, splits: Sequence[Split]) -> tuple[str, ...]:
    """What the user should know before anything runs, each once."""
    said = [note for prepared in corpora.sources.values() for note in prepared.notes]
    return tuple(dict.fromkeys([*mended, *said, *shared_groups(splits)]))


def _is_fitted(folder: Path, address: str) -> bool:
    """Whether a fit is there and whole; a damaged one is made anew."""
    try:
        load_fit(folder, address)
    except StoreError:
        return False
    return True


def chosen(cells: Sequence[Cell], only: str | None) -> list[Cell]:
    """The cells that a shell pattern asks for, by whole name or by a part of it.

    Raises:
        StudyError: when there are none.
    """
    if only is None:
        return list(cells)
    pattern = only if any(sign in only for sign in "*?[") else f"*{only}*"
    found = [cell for cell in cells if fnmatch(cell.name, pattern)]
    if not found:
        names = "\n  ".join(cell.name for cell in cells[:10])
        raise StudyError(f"--only {only!r} matches no cell. The first cells are:\n  {names}")
    return found


def _features(
    experiment: Experiment, corpora: Corpora, cells: Sequence[Cell], store: Path
) -> list[FeatureJob]:
    needed = {(name, cell.extraction) for cell in cells for name in cell.sources}
    owners: dict[str, list[str]] = {}
    parts: dict[str, tuple[Prepared, Extraction]] = {}
    for name, prepared in corpora.sources.items():
        for extraction in experiment.extractions:
            if (name, extraction) in needed:
                address = feature_address(prepared.signal, extraction, prepared.rows, corpora.facts)
                owners.setdefault(address, []).append(name)
                parts[address] = (prepared, extraction)
    features = FeatureStore(store / "features")
    return [
        FeatureJob(
            address,
            prepared.signal,
            extraction,
            tuple(owners[address]),
            prepared.rows,
            tuple(chunks(prepared.rows, corpora.facts)),
            features.complete(address),
        )
        for address, (prepared, extraction) in parts.items()
    ]

"""Fitting the stages of every (source, combination, fold) from few measurements.

Summaries add up, so what one source contributes to all its combinations is measured once.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from typing import Any

import numpy as np

from raymtl.loading.fitted import FORMAT, Affine, Fitted, FittedStages, load_fit, save_fit
from raymtl.loading.stages import Features, Stage, check_stages
from raymtl.spec import digest

__all__ = [
    "FitMember",
    "FitRequest",
    "Measurement",
    "fit_all",
    "load_fit",
    "measure_with",
    "save_fit",
]


@dataclass(frozen=True)
class FitMember:
    """What one source brings to a fit: its feature-set address and its training clip ids."""

    features: str
    train: tuple[str, ...]

    @cached_property
    def key(self) -> tuple[str, str]:
        return self.features, ids_digest(self.train)


@dataclass(frozen=True)
class FitRequest:
    """The stages of one source in one combination and fold.

    own: the source itself; others: the rest of the combination, in any order.
    """

    stages: tuple[Stage, ...]
    own: FitMember
    others: tuple[FitMember, ...] = ()

    @cached_property
    def address(self) -> str:
        """Digest; equal requests for numbers have equal ones, whoever else is trained along."""
        scopes = {stage.scope for stage in self.stages if stage.measured}
        parts = [str(FORMAT), _stages_digest(self.stages)]
        parts += ["own", *self.own.key] if "source" in scopes else []
        if "combination" in scopes:
            parts += ["members", *(part for key in self.member_keys for part in key)]
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()

    @cached_property
    def members(self) -> tuple[FitMember, ...]:
        """All sources of the combination, each once, in an order of their own."""
        found = {member.key: member for member in (self.own, *self.others)}
        return tuple(found[key] for key in self.member_keys)

    @cached_property
    def member_keys(self) -> tuple[tuple[str, str], ...]:
        return tuple(sorted({self.own.key, *(member.key for member in self.others)}))


@dataclass(frozen=True)
class Measurement:
    """One stage to be measured on one source's training clips.

    before: the value stages in front of it, fitted, as one; None when there are none. Equal
    measurements (by their digests) give equal summaries.
    """

    features: str
    train_digest: str
    stage: Stage
    train: tuple[str, ...] = field(compare=False, repr=False)
    before: Affine | None = field(default=None, compare=False, repr=False)
    before_digest: str = ""

    def measure(self, features: Features) -> Any:
        """The mergeable summary, over the training clips alone.

        Raises:
            StoreError: when a training clip is not in the feature set.
        """
        rows = np.asarray(features.row(self.train), np.int64)
        return self.stage.measure(features, rows, self.before)


_Key = tuple[Any, ...]
Measure = Callable[[Sequence[Measurement]], Sequence[Any]]


def measure_with(features: Callable[[str], Features]) -> Measure:
    """A `measure` for `fit_all` that opens feature sets by address and works in this process."""
    return lambda wanted: [m.measure(features(m.features)) for m in wanted]


def fit_all(requests: Sequence[FitRequest], measure: Measure) -> dict[str, FittedStages]:
    """Fits every request: address -> fitted stages.

    Goes stage by stage; each round collects what must be measured, asks `measure` once for all
    of it, and sums the answers for every combination.

    Raises:
        StudyError: for stages that make no sense together, or sources that do not fit together.
    """
    wanted = {request.address: request for request in requests}
    for stages in {request.stages for request in wanted.values()}:
        check_stages(stages)
    known = _Known()
    for index in range(max((len(r.stages) for r in wanted.values()), default=0)):
        requested = [r for r in wanted.values() if index < len(r.stages)]
        jobs = {job.key: job for r in requested for job in known.jobs(r, index)}
        asked = dict.fromkeys(m for job in jobs.values() for m in job.sums)
        needed = [m for m in asked if m not in known.summaries]
        if needed:
            known.summaries.update(zip(needed, measure(needed), strict=True))
        known.fit(jobs.values())
    return {address: known.stages(request) for address, request in wanted.items()}


@dataclass(frozen=True, eq=False)
class _Job:
    """One stage to be fitted to the sum of some measurements; to nothing when it learns nothing."""

    key: _Key
    stage: Stage
    sums: tuple[Measurement, ...]


class _Known:
    """What has been measured and fitted so far, each once."""

    def __init__(self) -> None:
        self.summaries: dict[Measurement, Any] = {}
        self._fitted: dict[_Key, Fitted] = {}
        self._made: dict[_Key, Measurement] = {}

    def jobs(self, request: FitRequest, index: int) -> Iterator[_Job]:
        """Fits of the stage at `index`, for every member whose fit a later stage builds on."""
        stage, chain = request.stages[index], _chain(request.stages, index)
        for member in _asked(request, index):
            key = _key(request, chain, member)
            if key not in self._fitted:
                members = request.members if stage.scope == "combination" else (member,)
                sums = tuple(self._measurement(request, chain, m) for m in members)
                yield _Job(key, stage, sums if stage.measured else ())

    def fit(self, jobs: Iterable[_Job]) -> None:
        """Sums member by member; combinations share the sums of their first members."""
        totals: dict[tuple[int, ...], Any] = {}

        def total(sums: tuple[Measurement, ...]) -> Any:
            if len(sums) == 1:
                return self.summaries[sums[0]]
            names = tuple(map(id, sums))
            if names not in totals:
                totals[names] = total(sums[:-1]) + self.summaries[sums[-1]]
            return totals[names]

        for job in jobs:
            self._fitted[job.key] = job.stage.fit(total(job.sums) if job.sums else None)

    def stages(self, request: FitRequest) -> FittedStages:
        chains = (_chain(request.stages, index) for index in range(len(request.stages)))
        keys = (_key(request, chain, request.own) for chain in chains)
        return FittedStages(tuple(self._fitted[key] for key in keys))

    def _measurement(
        self, request: FitRequest, chain: tuple[Stage, ...], member: FitMember
    ) -> Measurement:
        shared = any(stage.scope == "combination" for stage in chain[:-1])
        key = chain, member.key, request.member_keys if shared else None
        if key not in self._made:
            before = [_key(request, chain[: i + 1], member) for i in range(len(chain) - 1)]
            affine = FittedStages(tuple(self._fitted[k] for k in before)).affine
            name = affine.digest if affine is not None else ""
            self._made[key] = Measurement(*member.key, chain[-1], member.train, affine, name)
        return self._made[key]


def _chain(stages: tuple[Stage, ...], index: int) -> tuple[Stage, ...]:
    """The stage at `index` behind those that change what is measured for it."""
    before = stages[:index] if stages[index].values else ()
    return (*(stage for stage in before if stage.values), stages[index])


def _asked(request: FitRequest, index: int) -> tuple[FitMember, ...]:
    """The members for which the stage at `index` is fitted."""
    builds = request.stages[index].values and any(
        stage.values and stage.scope == "combination" for stage in request.stages[index + 1 :]
    )
    return request.members if builds else (request.own,)


def _key(request: FitRequest, chain: tuple[Stage, ...], member: FitMember) -> _Key:
    """Equal for equal fits of the last stage of `chain`."""
    scopes = {stage.scope for stage in chain if stage.measured}
    own = member.key if "source" in scopes else None
    return chain, own, request.member_keys if "combination" in scopes else None


@lru_cache(maxsize=256)
def _stages_digest(stages: tuple[Stage, ...]) -> str:
    return digest(stages)


@lru_cache(maxsize=4096)
def ids_digest(ids: tuple[str, ...]) -> str:
    """Digest of a set of clip ids, whatever their order."""
    return hashlib.sha256("\n".join(sorted(ids)).encode()).hexdigest()

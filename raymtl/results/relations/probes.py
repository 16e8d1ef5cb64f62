"""Measures of features and networks that are made once and kept beside a sweep's records.

What is to be measured follows from the records alone, and each measure is found by what it was
made of: runs and feature sets. So the page shows what `raymtl relate` has measured, and measures
nothing itself.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from itertools import combinations, permutations
from pathlib import Path
from typing import Any, NamedTuple

from raymtl.durable import open_sealed, seal, write_durably
from raymtl.errors import StoreError
from raymtl.kept import kept_epochs
from raymtl.results.records import Record
from raymtl.results.relations.predictors.affinity import Affinity
from raymtl.results.relations.tasks import Facts, alone
from raymtl.results.state import SweepState

FILE = "probes.json"
FORMAT = 1  # raise it when a measure starts to give other numbers
CLIPS = 150  # of a source, at most
SOUND, DISTANCE, NETWORKS, GRADIENTS = "sound", "distance", "networks", "gradients"
Result = Mapping[str, Any]  # what -> number, or None where there is none


class Method(NamedTuple):
    extraction: str
    model: str


class Probe(NamedTuple):
    """One measure. sources: one, or two, main first where it matters. runs: one a network that is
    looked at; features: addresses of what it is shown; epochs: those kept beside the best, with
    it, over which gradients are averaged."""

    kind: str
    method: Method
    sources: tuple[str, ...]
    runs: tuple[str, ...]
    features: tuple[str, ...]
    epochs: tuple[int, ...] = ()

    @property
    def key(self) -> str:
        """Of the content it is made of; a distance is the same behind every network."""
        runs = self.runs if self.kind in (NETWORKS, GRADIENTS) else ()
        parts = [FORMAT, CLIPS, self.kind, self.sources, runs, self.features]
        parts += [self.epochs] if self.epochs else []
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]


@dataclass(frozen=True)
class Probed:
    """What features and networks of one method say: facts on sources, measures between two,
    affinities as plain rows, and what could not be had. left: measures not made yet."""

    facts: Facts = field(default_factory=dict)
    between: Mapping[str, Mapping[tuple[str, str], float]] = field(default_factory=dict)
    affinities: Sequence[Mapping[str, Any]] = ()
    missing: Sequence[str] = ()
    method: tuple[str, str] = ("", "")
    left: int = 0


def probes(state: SweepState, wanted: Callable[[str], bool] = lambda cell: True) -> list[Probe]:
    """Every measure that the records allow, method by method.

    Networks are those of the first fold and seed of each source alone and of each pair.

    Args:
        wanted: whether a cell of this name is looked at.
    """
    found: list[Probe] = []
    for method, runs in sorted(_alone(state, wanted).items()):
        features = {n: str(r.content["sources"][n]["features"]) for n, r in runs.items()}
        names = {name: record.run for name, record in runs.items()}
        found += [Probe(SOUND, method, (n,), (names[n],), (features[n],)) for n in runs]
        for kind, pairs in ((DISTANCE, combinations(runs, 2)), (NETWORKS, permutations(runs, 2))):
            for pair in pairs:
                of, shown = tuple(names[n] for n in pair), tuple(features[n] for n in pair)
                found.append(Probe(kind, method, pair, of, shown))
        for pair, record in sorted(_pairs(state, method, wanted).items()):
            shown = tuple(str(record.content["sources"][n]["features"]) for n in pair)
            epochs = tuple(kept_epochs(record.content))
            several = epochs if len(epochs) > 1 else ()
            found.append(Probe(GRADIENTS, method, pair, (record.run,), shown, several))
    return found


def kept(sweep: Path) -> dict[str, Result]:
    """Measures made before, by key; none where the file is not there or not as it was written."""
    try:
        return dict(open_sealed(sweep / FILE)["measures"])
    except (StoreError, LookupError, TypeError, ValueError):
        return {}


def keep(sweep: Path, measures: Mapping[str, Result]) -> None:
    """Raises:
    StoreError: when the sweep's folder cannot be written.
    """
    write_durably(sweep / FILE, seal({"measures": dict(measures)}))


def probed(
    wanted: Iterable[Probe], measures: Mapping[str, Result], failed: Mapping[str, str] | None = None
) -> list[Probed]:
    """What the measures come to, one a method.

    Args:
        failed: key -> why it could not be made.
    """
    by_method: dict[Method, list[Probe]] = {}
    for probe in wanted:
        by_method.setdefault(probe.method, []).append(probe)
    return [_of_method(m, of, measures, failed or {}) for m, of in by_method.items()]


def _of_method(
    method: Method,
    of: Sequence[Probe],
    measures: Mapping[str, Result],
    failed: Mapping[str, str],
) -> Probed:
    facts: dict[str, dict[str, float]] = {}
    between: dict[str, dict[tuple[str, str], float]] = {}
    affinities: list[dict[str, Any]] = []
    for probe in of:
        result = measures.get(probe.key, {})
        if probe.kind == SOUND and result:
            facts[probe.sources[0]] = {k: v for k, v in result.items() if v is not None}
        elif probe.kind == GRADIENTS:
            affinities += [_affinity(row) for row in result.get("rows", ())]
        elif probe.kind in (DISTANCE, NETWORKS):
            main, partner = probe.sources
            for what, value in result.items():
                if value is not None:
                    of_pairs = between.setdefault(what, {})
                    of_pairs[main, partner] = value
                    if probe.kind == DISTANCE:
                        of_pairs[partner, main] = value
    for name in ("cosine", "lookahead"):
        usable = {(r["main"], r["partner"]): r[name] for r in affinities
                  if r["overlap"] > 0 and r[name] is not None}  # fmt: skip
        if usable:
            between[f"gradient {name}"] = usable
    lost = dict.fromkeys(failed[probe.key] for probe in of if probe.key in failed)
    left = sum(probe.key not in measures and probe.key not in failed for probe in of)
    return Probed(facts, between, affinities, list(lost), method, left)


def _affinity(row: Mapping[str, Any]) -> dict[str, Any]:
    found = Affinity(**row)
    return {**asdict(found), "note": found.note}


def _alone(state: SweepState, wanted: Callable[[str], bool]) -> dict[Method, dict[str, Record]]:
    """Method -> source -> the first of its runs alone."""
    found: dict[Method, dict[str, Record]] = {}
    for name, records in sorted(alone(state).items()):
        for record in records:
            cell = record.content["cell"]
            if wanted(str(cell["name"])):
                method = Method(cell["extraction"], cell["model"])
                found.setdefault(method, {}).setdefault(name, record)
    return found


def _pairs(
    state: SweepState, method: Method, wanted: Callable[[str], bool]
) -> dict[tuple[str, str], Record]:
    """Two sources -> the first run that learnt both under the method."""
    found: dict[tuple[str, str], Record] = {}
    for _, record in sorted(state.records.items()):
        cell = record.content.get("cell", {})
        names = tuple(cell.get("combination", ()))
        same = (cell.get("extraction"), cell.get("model")) == method
        if len(names) == 2 and same and not cell.get("control") and wanted(str(cell["name"])):
            found.setdefault((names[0], names[1]), record)
    return found

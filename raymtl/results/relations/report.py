"""All that a sweep says of relations between its tasks, as plain data for pages and terminals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np

from raymtl.results.relations.choices import choices, measured
from raymtl.results.relations.consistency import agreements, mantel, spearman
from raymtl.results.relations.evaluation import FEATURES, Pairs, evaluate, leave_task_out, tell
from raymtl.results.relations.pairing import Between, pair_gains, pairs_of
from raymtl.results.relations.tasks import Facts, source_facts
from raymtl.results.relations.variance import task_shares
from raymtl.results.state import SweepState
from raymtl.results.transfer.gains import gains
from raymtl.results.transfer.inference import benjamini_hochberg

DRAWS = 99
FAMILIES = {
    "learning curves": ("slope", "curve"),
    "labels": ("classes", "label", "imbalance"),
    "sizes": ("training clips", "frames"),
    "score alone": ("score alone",),
    "sounds": ("level", "centroid", "distance"),
    "networks": ("representations", "probe"),
    "gradients": ("gradient",),
}


@dataclass(frozen=True)
class Probed:
    """What features and networks say, where someone looked: facts on sources, measures between two,
    affinities as plain rows, and what could not be had."""

    facts: Facts = field(default_factory=dict)
    between: Between = field(default_factory=dict)
    affinities: Sequence[Mapping[str, Any]] = ()
    missing: Sequence[str] = ()


def relations_report(
    state: SweepState,
    probed: Probed | None = None,
    budgets: Sequence[int] | None = None,
    draws: int = DRAWS,
) -> dict[str, Any]:
    """Of a sweep, finished or not; nothing is raised for what is missing.

    Returns:
        missing: sentences. sources: names. facts: source -> fact -> number. gains: rows {main,
        partner, gain}. grouping: as `choices`. predictors: {answer, families, columns}, answer as
        of `evaluation.Answer`. consistency: rows of `consistency.Agreement`. variance: rows of
        `variance.Share` with source and task. affinities: rows of `gradients.Affinity` with note.
    """
    probed = probed or Probed()
    metrics = {task: state.primary(task) for task in state.tasks}
    found = gains(state.results, metrics)
    facts = _joined(source_facts(state), probed.facts)
    known = pair_gains(found)
    pairs, values = pairs_of(known, facts, probed.between)
    shares = task_shares(state.results, metrics)
    names = sorted({name for pair in known for name in pair} | set(facts) | _planned(state))
    agreed = agreements(found, draws)
    return {
        "missing": [*_missing(state, facts, known, agreed), *probed.missing],
        "sources": names,
        "facts": facts,
        "gains": [{"main": m, "partner": p, "gain": gain} for (m, p), gain in known.items()],
        "grouping": choices(measured(found), budgets, names) if found else {},
        "predictors": _predictors(pairs, values, draws),
        "consistency": [_agreement(one) for one in agreed],
        "variance": [
            {"source": source, "task": task, **asdict(share)}
            for (source, task), of in shares.items()
            for share in of
        ],
        "affinities": [dict(row) for row in probed.affinities],
    }


def _planned(state: SweepState) -> set[str]:
    found = state.plan.get("sources")
    return set(map(str, found)) if isinstance(found, dict) else set()


def _predictors(pairs: Pairs, values: np.ndarray[Any, Any], draws: int) -> dict[str, Any]:
    answer = evaluate(pairs, draws)
    families = []
    folds = list(leave_task_out(pairs)) if answer.told else []
    for family, words in FAMILIES.items():
        at = [n for n, column in enumerate(pairs.columns) if _is_of(column, words)]
        if at and folds:
            part = replace(pairs, values=pairs.values[:, at])
            families.append({"family": family, **_plain(tell(part, FEATURES, folds))})
    return {
        "answer": asdict(answer),
        "families": families,
        "columns": columns(pairs, values, draws),
    }


def columns(pairs: Pairs, values: np.ndarray[Any, Any], draws: int = DRAWS) -> list[dict[str, Any]]:
    """Each feature alone: its rank correlation with the gain, two-sided p by node permutation, and
    q over all of them; strongest first."""
    size = len(pairs.names)
    gain = _matrix(size, pairs, values)
    rows: list[dict[str, Any]] = []
    for at, column in enumerate(pairs.columns):
        of = _matrix(size, pairs, pairs.values[:, at])
        rho = spearman(of, gain)
        p = None if rho is None else mantel(of if rho > 0 else -of, gain, draws)
        if rho is not None and p is not None:
            rows.append({"column": column, "rho": rho, "p": min(1.0, 2 * p)})
    for row, q in zip(rows, benjamini_hochberg([row["p"] for row in rows]), strict=True):
        row["q"] = q
    return sorted(rows, key=lambda row: (row["p"], -abs(row["rho"]), row["column"]))


def _matrix(size: int, pairs: Pairs, values: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    matrix = np.full((size, size), np.nan)
    matrix[pairs.main, pairs.partner] = values
    return matrix


def _missing(
    state: SweepState,
    facts: Facts,
    known: Mapping[tuple[str, str], float],
    agreed: Sequence[Any],
) -> list[str]:
    said = []
    left = len(state.planned) - len(state.records)
    if left > 0:
        said.append(f"{left} of {len(state.planned)} runs have no record yet.")
    if not known:
        said.append(
            "No run with partners has its runs alone beside it: there are no gains of pairs."
        )
        return said
    sources = {*facts, *(name for pair in known for name in pair)}
    lacking = len(sources) * (len(sources) - 1) - len(known)
    if lacking > 0:
        said.append(f"{lacking} ordered pairs of sources have no gain: not planned, or not run.")
    if not agreed:
        said.append(
            "One setting only: consistency needs two extractions or models, or a third task."
        )
    elif any(one.ceiling is None for one in agreed):
        said.append("No ceiling for some settings: it needs two seeds, or two folds.")
    return said


def _joined(one: Facts, other: Facts) -> dict[str, dict[str, float]]:
    return {name: {**one.get(name, {}), **other.get(name, {})} for name in sorted({*one, *other})}


def _agreement(one: Any) -> dict[str, Any]:
    return {**asdict(one), "one": one.one._asdict(), "other": one.other._asdict()}


def _plain(told: Any) -> dict[str, Any]:
    return {name: value for name, value in asdict(told).items() if name != "method"}


def _is_of(column: str, words: Sequence[str]) -> bool:
    name = column.removeprefix("main ").removeprefix("partner ").removeprefix("ratio ")
    return name.startswith(tuple(words))

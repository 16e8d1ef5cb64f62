"""All that a sweep says of relations between its tasks, as plain data for pages and terminals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from raymtl.results.relations.choices import choices, measured
from raymtl.results.relations.consistency import agreements
from raymtl.results.relations.pairing import pair_gains
from raymtl.results.relations.probes import Probed, kept, probed, probes
from raymtl.results.relations.telling import DRAWS, told
from raymtl.results.relations.variance import task_shares
from raymtl.results.state import SweepState
from raymtl.results.transfer.gains import gains


def relations_report(
    state: SweepState,
    measures: Sequence[Probed] | None = None,
    budgets: Sequence[int] | None = None,
    draws: int = DRAWS,
) -> dict[str, Any]:
    """Of a sweep, finished or not; nothing is raised for what is missing.

    Args:
        measures: of features and networks; without them, those kept beside the sweep.
        budgets: as of `choices`. draws: node permutations of each test.

    Returns:
        missing: sentences. sources: names. facts: source -> fact -> number. gains: rows {main,
        partner, gain}. grouping: as `choices`. predictors: as `telling.told`. consistency: rows of
        `consistency.Agreement`. variance: rows of `variance.Share` with source and task.
        affinities: rows of `affinity.Affinity` with note, extraction and model. reasons: part ->
        why there is nothing in it.
    """
    if measures is None:
        measures = probed(probes(state), kept(state.sweep))
    metrics = {task: state.primary(task) for task in state.tasks}
    found = gains(state.results, metrics)
    known = pair_gains(found)
    said = told(state, found, measures, draws)
    facts = said.pop("facts")
    names = sorted({name for pair in known for name in pair} | set(facts) | _planned(state))
    report = {
        "missing": [*_missing(state, names, known), *_unmeasured(measures)],
        "sources": names,
        "facts": facts,
        "gains": [{"main": m, "partner": p, "gain": gain} for (m, p), gain in known.items()],
        "grouping": choices(measured(found), budgets, names) if found else {},
        "predictors": said,
        "consistency": [_agreement(one) for one in agreements(found, draws)],
        "variance": _variance(state, metrics),
        "affinities": _affinities(measures),
    }
    return report | {"reasons": _reasons(report, measures)}


def _variance(state: SweepState, metrics: Mapping[str, str]) -> list[dict[str, Any]]:
    return [
        {"source": source, "task": task, **asdict(share)}
        for (source, task), of in task_shares(state.results, metrics).items()
        for share in of
    ]


def _affinities(measures: Sequence[Probed]) -> list[dict[str, Any]]:
    return [
        {"extraction": one.method[0], "model": one.method[1], **row}
        for one in measures
        for row in one.affinities
    ]


def _planned(state: SweepState) -> set[str]:
    found = state.plan.get("sources")
    return set(map(str, found)) if isinstance(found, dict) else set()


def _missing(
    state: SweepState, names: Sequence[str], known: Mapping[tuple[str, str], float]
) -> list[str]:
    said = []
    left = len(state.planned) - len(state.records)
    if left > 0:
        said.append(f"{left} of {len(state.planned)} runs have no record yet.")
    lacking = len(names) * (len(names) - 1) - len(known)
    if known and lacking > 0:
        said.append(f"{lacking} ordered pairs of sources have no gain: not planned, or not run.")
    return said


def _unmeasured(measures: Sequence[Probed], most: int = 5) -> list[str]:
    lost = list(dict.fromkeys(sentence for one in measures for sentence in one.missing))
    said = lost[:most]
    if len(lost) > most:
        said.append(f"{len(lost) - most} more things could not be measured.")
    left = sum(one.left for one in measures)
    if left:
        said.append(
            f"{left} measures of features and networks are not made yet: raymtl relate makes them."
        )
    return said


def _reasons(report: Mapping[str, Any], measures: Sequence[Probed]) -> dict[str, str]:
    """Why a part is empty, or lacks a number."""
    found = {}
    if not report["gains"]:
        found["gains"] = (
            "No pair of sources was trained beside both alone, on the same folds and seeds: "
            "combinations(1, 2) of a study asks for that."
        )
    if not report["grouping"]:
        found["grouping"] = "No group of sources was trained beside its sources alone."
    agreed = report["consistency"]
    if not agreed:
        found["consistency"] = (
            "One setting only: it takes gains of the same pairs under two extractions or models, "
            "or beside a third task."
        )
    elif all(row["rho"] is None for row in agreed):
        found["consistency"] = (
            "Too few pairs: a correlation takes gains of four ordered pairs under both settings."
        )
    elif any(row["ceiling"] is None for row in agreed):
        found["consistency"] = "No ceiling for some settings: it takes two seeds, or two folds."
    if not report["variance"]:
        found["variance"] = (
            "Too few runs: it takes more runs of a task than sets, extractions, models, folds and "
            "seeds that differ among them, and scores that are not all equal."
        )
    if not report["affinities"]:
        found["affinities"] = _no_affinities(measures)
    if not report["facts"]:
        found["facts"] = "No source has a run alone."
    return found


def _no_affinities(measures: Sequence[Probed]) -> str:
    if not measures:
        return "No source has a run alone."
    if any(one.left for one in measures):
        return "Not measured yet: raymtl relate does that."
    return "No two sources were trained as a pair, or none of those networks could be looked at."


def _agreement(one: Any) -> dict[str, Any]:
    return {**asdict(one), "one": one.one._asdict(), "other": one.other._asdict()}

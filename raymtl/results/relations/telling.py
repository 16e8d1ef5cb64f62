"""What tells gains beforehand: all features, families of them and each alone; over all methods, and
under each extraction and network by itself."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import Any

import numpy as np

from raymtl.results.relations.consistency import mantel, spearman
from raymtl.results.relations.evaluation import (
    FEATURES,
    Pairs,
    beats_all,
    evaluate,
    leave_task_out,
    tell,
)
from raymtl.results.relations.pairing import Between, pair_gains, pairs_of
from raymtl.results.relations.probes import Probed
from raymtl.results.relations.tasks import Facts, SourceFacts
from raymtl.results.state import SweepState
from raymtl.results.transfer.gains import Gain
from raymtl.results.transfer.inference import benjamini_hochberg

DRAWS = 99
SETTING_DRAWS = 39  # node permutations of each method by itself
FAMILIES = {
    "learning curves": ("slope", "curve"),
    "labels": ("classes", "label", "imbalance"),
    "sizes and durations": ("training clips", "frames", "duration"),
    "score alone": ("score alone",),
    "sounds": ("level", "centroid", "distance"),
    "networks": ("representations", "probe"),
    "gradients": ("gradient",),
}


def told(
    state: SweepState, gains: Sequence[Gain], probed: Sequence[Probed], draws: int = DRAWS
) -> dict[str, Any]:
    """What is known of tasks beside what they gain.

    Returns:
        facts: source -> fact -> number, means over methods.
        answer: as of `evaluation.Answer`. families: rows of `evaluation.Told` with family.
        columns: rows of `columns`. settings: a row for each extraction and model where there are
        several, its answer beside the best baseline. measures: rows of `columns` for what was
        measured between two sources under each, q over all of them. notes: sentences on what could
        not be used.
    """
    known = SourceFacts(state)
    facts = joined(known.of(), mean_facts(probed))
    between = mean_between(probed)
    pairs, values = pairs_of(pair_gains(gains), facts, between)
    answer = evaluate(pairs, draws)
    settings, measures = [], []
    methods = sorted({(gain.how.extraction, gain.how.model) for gain in gains})
    for method in methods if len(methods) > 1 else ():
        found = _setting(known, gains, [p for p in probed if p.method == method], method, draws)
        settings.append(found[0])
        measures += found[1]
    _screen(measures)
    return {
        "facts": facts,
        "answer": asdict(answer),
        "families": _families(pairs, answer.told),
        "columns": columns(pairs, values, between, draws),
        "settings": settings,
        "measures": measures,
        "notes": _notes(pairs, between),
    }


def _setting(
    known: SourceFacts,
    gains: Sequence[Gain],
    probed: Sequence[Probed],
    method: tuple[str, str],
    draws: int,
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """One method by itself: gains, runs alone and measures under it; its row and its measures."""
    facts = joined(known.of(method), mean_facts(probed))
    between = mean_between(probed)
    pairs, values = pairs_of(pair_gains(gains, method), facts, between)
    answer = evaluate(pairs, 0, repeats=1)
    if beats_all(answer.told):  # else chance need not be asked
        answer = evaluate(pairs, min(draws, SETTING_DRAWS), repeats=1)
    name = dict(zip(("extraction", "model"), method, strict=True))
    row: dict[str, Any] = {**name, "verdict": answer.verdict, "pairs": answer.pairs,
                           "gains": answer.gains, "p": answer.p}  # fmt: skip
    for one in answer.told[:1]:
        row |= _plain(one)
        best = max(answer.told[1:], key=lambda other: other.accuracy)
        row |= {"baseline": best.method, "of baseline": best.accuracy}
    of = columns(replace(pairs, values=pairs.values[:, :0], columns=()), values, between, draws)
    return row, [{**name, **one} for one in of]


def _families(pairs: Pairs, answered: Sequence[Any]) -> list[dict[str, Any]]:
    families = []
    folds = list(leave_task_out(pairs)) if answered else []
    for family, words in FAMILIES.items():
        at = [n for n, column in enumerate(pairs.columns) if _is_of(column, words)]
        if at and folds:
            part = replace(pairs, values=pairs.values[:, at])
            families.append({"family": family, **_plain(tell(part, FEATURES, folds))})
    return families


def _notes(pairs: Pairs, between: Between) -> list[str]:
    """Measures that some pairs lack, which therefore are not among the features."""
    rows = [
        (pairs.names[i], pairs.names[j]) for i, j in zip(pairs.main, pairs.partner, strict=True)
    ]
    said = []
    for what, values in sorted(between.items()):
        known = sum(pair in values for pair in rows)
        if 0 < known < len(rows):
            why = ": the others share no recordings" if what.startswith("gradient") else ""
            said.append(
                f"The {what} is known of {known} of {len(rows)} pairs{why}. "
                "It is not among the features."
            )
    return said


def columns(
    pairs: Pairs,
    values: np.ndarray[Any, Any],
    between: Between | None = None,
    draws: int = DRAWS,
) -> list[dict[str, Any]]:
    """Each feature alone: its rank correlation with the gain over so many pairs, two-sided p by
    node permutation, and q over all of them; strongest first.

    Args:
        between: measures of which some pairs may have none.
    """
    size, names = len(pairs.names), {name: at for at, name in enumerate(pairs.names)}
    gain = _matrix(size, pairs, values)
    matrices = {c: _matrix(size, pairs, pairs.values[:, n]) for n, c in enumerate(pairs.columns)}
    for what, of in sorted((between or {}).items()):
        matrices[what] = np.full((size, size), np.nan)
        for (main, partner), value in of.items():
            if main in names and partner in names:
                matrices[what][names[main], names[partner]] = value
    rows: list[dict[str, Any]] = []
    for column, found in matrices.items():
        rho = spearman(found, gain)
        p = None if rho is None else mantel(found if rho > 0 else -found, gain, draws)
        if rho is not None and p is not None:
            known = int((np.isfinite(found) & np.isfinite(gain)).sum())
            rows.append({"column": column, "pairs": known, "rho": rho, "p": min(1.0, 2 * p)})
    _screen(rows)
    return sorted(rows, key=lambda row: (row["p"], -abs(row["rho"]), row["column"]))


def _screen(rows: Sequence[dict[str, Any]]) -> None:
    """Puts q of each row's p over all of them into the rows."""
    for row, q in zip(rows, benjamini_hochberg([row["p"] for row in rows]), strict=True):
        row["q"] = q


def joined(one: Facts, other: Facts) -> dict[str, dict[str, float]]:
    return {name: {**one.get(name, {}), **other.get(name, {})} for name in sorted({*one, *other})}


def mean_facts(probed: Sequence[Probed]) -> dict[str, dict[str, float]]:
    """Source -> fact -> mean over the methods that know it."""
    found: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for one in probed:
        for name, facts in one.facts.items():
            for fact, value in facts.items():
                found[name][fact].append(value)
    return {name: {f: float(np.mean(v)) for f, v in of.items()} for name, of in found.items()}


def mean_between(probed: Sequence[Probed]) -> dict[str, dict[tuple[str, str], float]]:
    """What -> pair -> mean over the methods that know it."""
    found: dict[str, dict[tuple[str, str], list[float]]] = defaultdict(lambda: defaultdict(list))
    for one in probed:
        for what, values in one.between.items():
            for pair, value in values.items():
                found[what][pair].append(value)
    return {what: {p: float(np.mean(v)) for p, v in of.items()} for what, of in found.items()}


def _matrix(size: int, pairs: Pairs, values: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    matrix = np.full((size, size), np.nan)
    matrix[pairs.main, pairs.partner] = values
    return matrix


def _plain(told: Any) -> dict[str, Any]:
    return {name: value for name, value in asdict(told).items() if name != "method"}


def _is_of(column: str, words: Sequence[str]) -> bool:
    name = column.removeprefix("main ").removeprefix("partner ").removeprefix("ratio ")
    return name.startswith(tuple(words))

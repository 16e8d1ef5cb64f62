"""Which networks a sweep says to train: sets of its groups under every budget."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import comb
from typing import Any

import numpy as np

from raymtl.errors import StudyError
from raymtl.results.relations.grouping import (
    Group,
    Grouping,
    Scores,
    all_groups,
    higher_order,
    select_networks,
)
from raymtl.results.relations.surrogate import completed, fit_surrogate
from raymtl.results.state import title
from raymtl.results.transfer.gains import Gain

MOST = 6  # budgets looked at
SMALL = 3  # largest group whose score is predicted
GROUPS = 1_100  # estimated from pairs, at most
WAYS = ("measured", "from pairs", "surrogate")


@dataclass(frozen=True)
class Measured:
    """scores: sources of a group -> task -> score. owner: task -> its source."""

    scores: Scores
    owner: Mapping[str, str]

    @property
    def sources(self) -> list[str]:
        return sorted(set(self.owner.values()))

    def tasks(self, source: str) -> list[str]:
        return [task for task, own in sorted(self.owner.items()) if own == source]


def measured(gains: Sequence[Gain]) -> Measured:
    """Scores of the groups that a sweep trained, means over methods.

    A task's score in a group is its score alone plus its mean paired gain, so a group that lacks
    some runs is not compared with others on different folds. Controls are left out.
    """
    added: dict[tuple[Group, str], list[float]] = defaultdict(list)
    base: dict[str, list[float]] = defaultdict(list)
    owner: dict[str, str] = {}
    for gain in gains:
        if gain.how.control or gain.what.label is not None:
            continue
        task = title(gain.what.source, gain.what.task)
        group = tuple(sorted({gain.what.source, *gain.how.partners}))
        owner[task] = gain.what.source
        added[group, task].append(gain.mean)
        base[task].append(gain.base)
    scores: dict[Group, dict[str, float]] = defaultdict(dict)
    for task, values in base.items():
        scores[(owner[task],)][task] = float(np.mean(values))
    for (group, task), values in added.items():
        scores[group][task] = scores[(owner[task],)][task] + float(np.mean(values))
    return Measured(dict(scores), owner)


def choices(
    known: Measured, budgets: Sequence[int] | None = None, sources: Sequence[str] = ()
) -> dict[str, Any]:
    """The best networks for each budget, three ways; and how far the surrogate may be trusted.

    measured: of the groups that were trained. from pairs: of all groups, scores as the mean over
    pairs (HOA). surrogate: of trained groups and predictions for others of up to three sources.

    Args:
        sources: all of the sweep, so that those without a gain are named.

    Returns:
        way -> rows {budget, most, groups, score, gain, best}, one for each different choice, which
        holds for `budget` up to `most` networks (None: and any more).
        notes: way -> sentences on sources left out, and why, and on budgets that are too small.
        surrogate error, plain error: root mean square over tasks on groups left out, of the line
        and of the mean.
    """
    lost = [name for name in sources if name not in known.sources]
    notes: dict[str, list[str]] = {way: [] for way in WAYS}
    if lost:
        said = f"Left out: {_and(lost)}, for want of runs with partners beside runs alone."
        notes = {way: [said] for way in WAYS}
    line = fit_surrogate(known.scores, known.owner, ridge=1e-3)
    paired, kept = _from_pairs(known, notes["from pairs"])
    groups = all_groups(known.sources, range(1, SMALL + 1))
    ways: dict[str, tuple[Scores, Sequence[str]]] = {
        "measured": (known.scores, known.sources),
        "from pairs": (paired, kept),
        "surrogate": (completed(known.scores, groups, line), known.sources),
    }
    found: dict[str, Any] = {
        way: _rows(known, of, names, budgets, notes[way]) for way, (of, names) in ways.items()
    }
    errors = {"surrogate error": _error(line.error), "plain error": _error(line.plain)}
    return found | {"notes": notes} | errors


def _rows(
    known: Measured,
    scores: Scores,
    names: Sequence[str],
    budgets: Sequence[int] | None,
    notes: list[str],
) -> list[dict[str, Any]]:
    """The choice for each budget, equal ones joined; on what cannot be had in `notes`."""
    alone = [known.scores[(name,)][task] for name in names for task in known.tasks(name)]
    wanted = list(budgets or range(1, min(len(names), MOST) + 1))
    rows: list[dict[str, Any]] = []
    small = 0
    for budget in wanted if scores else []:
        try:
            found = select_networks(scores, budget)
        except StudyError:  # too few networks for the groups that there are
            small = max(small, budget)
            continue
        if rows and rows[-1]["score"] >= found.score - 1e-12:
            rows[-1]["most"] = budget
            continue
        gain = found.score - float(np.mean(alone))
        rows.append({"budget": budget, "most": budget, "gain": gain, **_plain(found)})
    if rows and budgets is None and rows[-1]["score"] >= _highest(scores) - 1e-12:
        rows[-1]["most"] = None
    if small:
        notes.append(f"More than {small} of these groups are needed to hold all tasks.")
    return rows


def _highest(scores: Scores) -> float:
    """The mean of what each task could have with any number of networks."""
    best: dict[str, float] = {}
    for found in scores.values():
        best |= {task: max(value, best.get(task, value)) for task, value in found.items()}
    return float(np.mean(list(best.values())))


def _plain(found: Grouping) -> dict[str, Any]:
    best = {
        task: {"group": list(group), "score": value} for task, (group, value) in found.best.items()
    }
    return {"groups": [list(group) for group in found.groups], "score": found.score, "best": best}


def _from_pairs(known: Measured, notes: list[str]) -> tuple[Scores, list[str]]:
    """HOA over the sources all of whose pairs were trained, and their names."""
    kept = known.sources
    without: dict[str, list[str]] = {}
    while lacking := {n: found for n in kept if (found := _unpaired(known, n, kept))}:
        worst = max(lacking, key=lambda name: (len(lacking[name]), name))
        without[worst] = lacking[worst]
        kept = [name for name in kept if name != worst]
    for name, others in without.items():
        notes.append(f"Left out: {name}, which was not trained in a pair with {_and(others)}.")
    if len(kept) < 2:
        notes.append("No two sources were trained as a pair beside both alone.")
        return {}, []
    pairwise = {
        task: {
            other: known.scores[tuple(sorted({source, other}))][task] if other != source
            else known.scores[(source,)][task]
            for other in kept
        }
        for source in kept for task in known.tasks(source)
    }  # fmt: skip
    sizes = _affordable(len(kept))
    if len(sizes) < len(kept):
        notes.append(f"Of groups of more than {len(sizes)}, only that of all is estimated.")
    return higher_order(pairwise, {*sizes, len(kept)}, known.owner), kept


def _unpaired(known: Measured, name: str, others: Sequence[str]) -> list[str]:
    """Those whose pair with `name` lacks a score of either."""
    return [
        other
        for other in others
        if other != name
        and not {*known.tasks(name), *known.tasks(other)}
        <= known.scores.get(tuple(sorted((name, other))), {}).keys()
    ]


def _affordable(names: int) -> range:
    """Sizes of groups, from 1 on, of which there are not more than `GROUPS` together."""
    size = total = 0
    while size < names and (total := total + comb(names, size + 1)) <= GROUPS:
        size += 1
    return range(1, size + 1)


def _and(names: Sequence[str]) -> str:
    return " and ".join(filter(None, [", ".join(names[:-1]), names[-1]]))


def _error(errors: Mapping[str, float | None]) -> float | None:
    known = [error for error in errors.values() if error is not None]
    return float(np.sqrt(np.mean(np.square(known)))) if known else None

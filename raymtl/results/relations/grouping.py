"""Which networks to train under a budget, so that every task has a good one.

A set of groups is scored by the mean over tasks of the best score that a task has in any chosen
group: Standley et al., Which Tasks Should Be Learned Together in Multi-task Learning?, ICML 2020,
arXiv 1905.07553. Scores of groups that were not trained are estimated from pairs.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any, TypeAlias

import numpy as np
from scipy.optimize import Bounds, LinearConstraint, milp
from scipy.sparse import coo_array

from raymtl.errors import StudyError

Group: TypeAlias = tuple[str, ...]  # what one network learns: sorted names of tasks or sources
Scores: TypeAlias = Mapping[Group, Mapping[str, float]]  # group -> task in it -> its score there
Matrix: TypeAlias = Mapping[str, Mapping[str, float]]  # task affected -> other task -> number
FORBIDDEN = -1e6  # the score of a task alone where it may not be


@dataclass(frozen=True)
class Grouping:
    """The chosen groups.

    score: mean over tasks of each one's best score. best: task -> (its group, its score there).
    """

    groups: tuple[Group, ...]
    score: float
    best: Mapping[str, tuple[Group, float]]
    cost: float


def select_networks(
    scores: Scores,
    budget: float,
    maximise: bool = True,
    costs: Mapping[Group, float] | None = None,
) -> Grouping:
    """The best set of groups that covers every task within a budget, exactly.

    Solved by HiGHS (scipy), branch and bound over the linear relaxation to a gap of 0, as a
    facility location problem. A group that is the best of no task is left out.

    Args:
        scores: group -> task -> score; a task may be in several groups.
        budget: networks, or the sum of `costs` of the chosen groups.
        maximise: whether a higher score is better.
        costs: group -> cost; 1 for each without.

    Raises:
        StudyError: when no set of groups within the budget covers all tasks, or a score or cost is
            not usable.
    """
    programme = _Programme(scores, maximise, costs)
    chosen = programme.solved(budget, forbidden=False)
    if chosen is None:
        chosen = programme.solved(budget, forbidden=True)
    if chosen is None:
        raise StudyError(
            f"grouping: no set of groups within a budget of {budget:g} covers the tasks "
            f"{', '.join(programme.tasks)}. Raise the budget, or add groups of more tasks."
        )
    found = _grouping(scores, [programme.groups[at] for at in chosen], maximise)
    mean = float(np.mean([value for _, value in found["best"].values()]))
    return Grouping(found["groups"], mean, found["best"], programme.cost(found["groups"]))


def higher_order(
    pairwise: Matrix,
    sizes: Iterable[int] | None = None,
    owner: Mapping[str, str] | None = None,
) -> dict[Group, dict[str, float]]:
    """Scores of all groups from those of pairs: a task's mean over the others of the group.

    A task alone has its own score, ``pairwise[task][task]``: Standley 2020, section 5 (HOA).

    Args:
        pairwise: task affected -> member of groups -> its score when trained with it.
        sizes: of the groups wanted; all without.
        owner: task -> the member of groups that it belongs to; itself without.
    """
    tasks: dict[str, list[str]] = {}
    for task in pairwise:
        tasks.setdefault(owner[task] if owner else task, []).append(task)
    return {
        group: {
            task: float(np.mean([pairwise[task][other] for other in group if other != member]))
            if len(group) > 1
            else pairwise[task][member]
            for member in group
            for task in tasks[member]
        }
        for group in all_groups(tasks, sizes)
    }


def affinity_scores(
    affinity: Matrix, sizes: Iterable[int] | None = None
) -> dict[Group, dict[str, float]]:
    """Scores of all groups from affinities, higher is better; no task may stay alone.

    A task's score is the sum of what the others of its group do for it over (size - 1): Fifty et
    al., Efficiently Identifying Task Groupings for Multi-Task Learning (TAG), NeurIPS 2021.

    Args:
        affinity: task affected -> other task -> what a step on the other does for it.
    """
    forbidden = {task: {**row, task: FORBIDDEN} for task, row in affinity.items()}
    return higher_order(forbidden, sizes)


def all_groups(tasks: Iterable[str], sizes: Iterable[int] | None = None) -> list[Group]:
    """Every group of the tasks, small ones first."""
    names = sorted(tasks)
    wanted = range(1, len(names) + 1) if sizes is None else sorted(set(sizes))
    return [group for size in wanted for group in combinations(names, size)]


class _Programme:
    """The choice as an integer programme: x says which groups are chosen, y which group of each
    task counts; a task counts once, and only in a chosen group."""

    def __init__(self, scores: Scores, maximise: bool, costs: Mapping[Group, float] | None) -> None:
        self.groups = sorted(scores, key=lambda group: (len(group), group))
        self.tasks = sorted({task for found in scores.values() for task in found})
        self._costs = np.array([1.0 if costs is None else costs[g] for g in self.groups])
        self._places = [
            (at, self.tasks.index(task), score if maximise else -score)
            for at, group in enumerate(self.groups)
            for task, score in scores[group].items()
        ]
        values = np.array([value for *_, value in self._places])
        if not len(values) or not np.isfinite(values).all() or not (self._costs > 0).all():
            raise StudyError(
                "grouping: scores must be finite and costs above 0, one for each group and task "
                "in it. Leave out groups that were not scored."
            )

    def solved(self, budget: float, forbidden: bool) -> list[int] | None:
        """Numbers of the chosen groups; None when none is allowed.

        forbidden: also use what is scored as `FORBIDDEN`; such numbers spoil the solver's
            tolerances, so they are kept out where it can be done without them.
        """
        places = [p for p in self._places if forbidden or p[2] > FORBIDDEN]
        group, task, value = (np.array(column) for column in zip(*places, strict=True))
        n, m = len(self.groups), len(places)
        once = coo_array((np.ones(m), (task, n + np.arange(m))), (len(self.tasks), n + m))
        rows = np.arange(m)
        within = coo_array(
            (np.repeat([1.0, -1.0], m), (np.tile(rows, 2), np.concatenate([n + rows, group]))),
            (m, n + m),
        )
        afford = np.concatenate([self._costs, np.zeros(m)])[None]
        found = milp(
            np.concatenate([np.zeros(n), -value]),
            constraints=[
                LinearConstraint(once.tocsr(), 1, 1),
                LinearConstraint(within.tocsr(), -np.inf, 0),
                LinearConstraint(afford, 0, budget),
            ],
            integrality=np.concatenate([np.ones(n), np.zeros(m)]),
            bounds=Bounds(0, 1),
            options={"mip_rel_gap": 0.0},
        )
        return None if found.x is None else np.flatnonzero(found.x[:n] > 0.5).tolist()

    def cost(self, chosen: Sequence[Group]) -> float:
        return float(sum(self._costs[self.groups.index(group)] for group in chosen))


def _grouping(scores: Scores, chosen: Sequence[Group], maximise: bool) -> dict[str, Any]:
    """Each task's best group among the chosen ones, and those that are the best of some task."""
    best: dict[str, tuple[Group, float]] = {}
    for task in sorted({task for group in chosen for task in scores[group]}):
        of = [group for group in chosen if task in scores[group]]
        pick = (max if maximise else min)(of, key=lambda group: scores[group][task])
        best[task] = pick, float(scores[pick][task])
    used = sorted({group for group, _ in best.values()}, key=lambda group: (len(group), group))
    return {"groups": tuple(used), "best": best}

"""Scores of groups that were not trained, from a line through those that were.

A task's score in a group is taken as its score alone plus what each other member adds: Li, Sharma &
Zhang, Identification of Negative Transfers in Multitask Learning Using Surrogate Models, TMLR 2023,
arXiv 2303.14582.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from raymtl.errors import StudyError
from raymtl.results.relations.grouping import Group, Scores

Doubles = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Surrogate:
    """One line a task.

    owner: task -> the member that it belongs to.
    alone: task -> score without partners. adds: task -> other member -> what it adds.
    error: task -> root mean square error on groups left out one at a time; None for one group.
    plain: the same of the mean of the other groups: what the line must be better than.
    """

    owner: Mapping[str, str]
    alone: Mapping[str, float]
    adds: Mapping[str, Mapping[str, float]]
    error: Mapping[str, float | None]
    plain: Mapping[str, float | None]

    def predict(self, group: Group, task: str) -> float:
        """The score of `task` in `group`.

        Raises:
            StudyError: when a member was in no trained group of the task.
        """
        partners = [member for member in group if member != self.owner[task]]
        unknown = [member for member in partners if member not in self.adds[task]]
        if unknown:
            raise StudyError(
                f"surrogate: no trained group has {task} with {unknown[0]}. Train one that does."
            )
        return self.alone[task] + sum(self.adds[task][member] for member in partners)

    def knows(self, group: Group, task: str) -> bool:
        """Whether every other member was with the task in a trained group."""
        return all(m in self.adds[task] for m in group if m != self.owner[task])


def fit_surrogate(
    scores: Scores, owner: Mapping[str, str] | None = None, ridge: float = 0.0
) -> Surrogate:
    """A line for every task through its scores in trained groups.

    Args:
        scores: group -> task -> score.
        owner: task -> the member of groups that it belongs to; itself without.
        ridge: penalty on what members add (scikit-learn's Ridge); 0 is least squares, which takes
            the shortest of equal solutions when there are fewer groups than members.
    """
    tasks = sorted({task for found in scores.values() for task in found})
    owner = {task: task if owner is None else owner[task] for task in tasks}
    lines = {task: _Line(scores, task, owner[task], ridge) for task in tasks}
    return Surrogate(
        owner,
        {task: line.alone for task, line in lines.items()},
        {task: line.adds for task, line in lines.items()},
        {task: line.error for task, line in lines.items()},
        {task: line.plain for task, line in lines.items()},
    )


def completed(
    scores: Scores, groups: Iterable[Group], surrogate: Surrogate
) -> dict[Group, dict[str, float]]:
    """The scores, and predictions for other groups all of whose members are known to each other."""
    filled = {group: dict(found) for group, found in scores.items()}
    for group in groups:
        tasks = [task for task, member in surrogate.owner.items() if member in group]
        if group not in filled and all(surrogate.knows(group, task) for task in tasks):
            filled[group] = {task: surrogate.predict(group, task) for task in tasks}
    return filled


class _Line:
    """The line of one task and how well it tells groups that it has not seen."""

    def __init__(self, scores: Scores, task: str, own: str, ridge: float) -> None:
        groups = [group for group in sorted(scores) if task in scores[group]]
        members = sorted({member for group in groups for member in group} - {own})
        rows = np.array([[float(m in g) for m in members] for g in groups]).reshape(len(groups), -1)
        values = np.array([scores[group][task] for group in groups])
        self.alone = float(values.mean())
        self.adds: dict[str, float] = {}
        self.error: float | None = None
        self.plain: float | None = None
        if members:
            self.alone, adds = _through(rows, values, ridge)
            self.adds = dict(zip(members, adds.tolist(), strict=True))
        if members and len(groups) > 1:
            others = (values.sum() - values) / (len(values) - 1)
            self.error, self.plain = _left_out(rows, values, ridge), _rms(others - values)


def _through(rows: Doubles, values: Doubles, ridge: float) -> tuple[float, Doubles]:
    """Constant, not penalised, and coefficients (F,) of a line through rows (N, F)."""
    centre, middle = rows.mean(axis=0), float(values.mean())
    moved, rest = rows - centre, values - middle
    if ridge:
        adds = np.linalg.solve(moved.T @ moved + ridge * np.eye(moved.shape[1]), moved.T @ rest)
    else:
        adds = np.linalg.lstsq(moved, rest, rcond=None)[0]
    return middle - float(centre @ adds), adds


def _left_out(rows: Doubles, values: Doubles, ridge: float) -> float:
    """Root mean square error on each row of the line through the others."""
    errors = np.empty(len(values))
    for at in range(len(values)):
        others = np.arange(len(values)) != at
        constant, adds = _through(rows[others], values[others], ridge)
        errors[at] = constant + float(rows[at] @ adds) - values[at]
    return _rms(errors)


def _rms(values: Doubles) -> float:
    return float(np.sqrt(np.mean(values**2)))

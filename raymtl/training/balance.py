"""Combining the losses of several tasks into the one that is minimised."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor

from raymtl.spec import Spec


@dataclass(frozen=True)
class Balance(Spec, ABC):
    """How task losses become one. Methods that need per-task gradients enter here."""

    @abstractmethod
    def combine(self, losses: Mapping[str, Tensor], weights: Mapping[str, float]) -> Tensor:
        """One scalar from the tasks' mean losses; a task without a weight counts once."""


@dataclass(frozen=True)
class Sum(Balance):
    """The weighted sum: the baseline any other method has to beat."""

    def combine(self, losses: Mapping[str, Tensor], weights: Mapping[str, float]) -> Tensor:
        terms = [weights.get(task, 1.0) * loss for task, loss in losses.items()]
        total = terms[0]
        for term in terms[1:]:
            total = total + term
        return total

"""A trunk shared by all tasks and one linear head a task."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence

from torch import Tensor, nn

from raymtl.errors import StudyError
from raymtl.models.model import isolated
from raymtl.tasks import Task


class Shared(nn.Module):
    """trunk: (inputs) -> (B, width). heads: one linear layer a task name."""

    def __init__(self, trunk: nn.Module, names: Sequence[str], heads: Sequence[nn.Module]) -> None:
        super().__init__()
        self.trunk = trunk
        self.names = tuple(names)  # a ModuleDict refuses dots in its keys
        self.heads = nn.ModuleList(heads)

    def forward(
        self, inputs: Mapping[str, Tensor], tasks: Sequence[str] | None = None
    ) -> dict[str, Tensor]:
        hidden = self.trunk(inputs)
        return {
            name: head(hidden)
            for name, head in zip(self.names, self.heads, strict=True)
            if tasks is None or name in tasks
        }


def hard_sharing(
    trunk: Callable[[], nn.Module], width: int, tasks: Sequence[Task], seed: int
) -> Shared:
    """The network; the trunk starts from the same weights whatever the tasks are.

    Raises:
        StudyError: when two different tasks ask for a head of the same name.
    """
    heads = distinct(tasks)
    with isolated(seed):
        body = trunk()
    return Shared(body, list(heads), [_head(width, task, seed) for task in heads.values()])


def distinct(tasks: Sequence[Task]) -> dict[str, Task]:
    """Head name -> task, in order of first appearance; equal tasks share a head."""
    heads: dict[str, Task] = {}
    for task in tasks:
        known = heads.setdefault(task.name, task.head)
        if known != task.head:
            raise StudyError(
                f"two different tasks are called {task.name!r}: outputs {known.labels_} and "
                f"{task.labels_}. Rename one with Source.with_(heads={{...}})."
            )
    return heads


def _head(width: int, task: Task, seed: int) -> nn.Linear:
    word = hashlib.sha256(f"{seed}/{task.name}".encode()).digest()
    with isolated(int.from_bytes(word[:7], "little")):
        return nn.Linear(width, task.outputs)

"""Who shares what in a network, read from records: its parts, and a tree where they form one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Part:
    """A part of a network whose parameters all serve the same tasks; see `models.sharing.Block`."""

    name: str
    parameters: int
    tasks: tuple[str, ...]
    frozen: int
    reused: bool


@dataclass(frozen=True)
class Branch:
    """A node of a tree: what exactly these tasks share, and the branches that part there."""

    tasks: tuple[str, ...]
    parts: tuple[Part, ...]
    branches: tuple[Branch, ...]

    @property
    def parameters(self) -> int:
        return sum(part.parameters for part in self.parts)


@dataclass(frozen=True)
class Shares:
    """All parts of a network, in the order of its modules, and its tasks, in that of its heads."""

    tasks: tuple[str, ...]
    parts: tuple[Part, ...]

    @property
    def parameters(self) -> int:
        return sum(part.parameters for part in self.parts)

    @property
    def shared(self) -> int:
        """Parameters that serve several tasks."""
        return sum(part.parameters for part in self.parts if len(part.tasks) > 1)

    @property
    def apart(self) -> int:
        """Parameters of a network for each task with all parts that serve it."""
        return sum(map(self.used_by, self.tasks))

    def used_by(self, task: str) -> int:
        return sum(part.parameters for part in self.parts if task in part.tasks)

    def share(self, parameters: int) -> float:
        """Of all parameters, in percent."""
        return 100 * parameters / max(self.parameters, 1)

    def tree(self) -> Branch | None:
        """From what all tasks share to what each has alone; None where it is no tree.

        In a tree, tasks part and never meet again: of any two parts, one serves all tasks of the
        other, or they have none in common, and none is used behind what not all its tasks have.
        """
        sets = {frozenset(part.tasks) for part in self.parts if part.tasks}
        nested = all(a <= b or b <= a or not a & b for a in sets for b in sets)
        if not nested or any(part.reused for part in self.parts):
            return None
        sets |= {frozenset(self.tasks), *(frozenset([task]) for task in self.tasks)}
        return self._branch(frozenset(self.tasks), sets)

    def _branch(self, tasks: frozenset[str], sets: set[frozenset[str]]) -> Branch:
        inside = [other for other in sets if other < tasks]
        next_ones = [one for one in inside if not any(one < other for other in inside)]
        ordered = sorted(next_ones, key=lambda one: min(map(self.tasks.index, one)))
        return Branch(
            tuple(task for task in self.tasks if task in tasks),
            tuple(part for part in self.parts if frozenset(part.tasks) == tasks),
            tuple(self._branch(one, sets) for one in ordered),
        )


def shares(content: Mapping[str, Any]) -> Shares | None:
    """Of a record; None where it does not hold its network's parts."""
    blocks = (content.get("sharing") or {}).get("blocks")
    if not blocks:
        return None
    parts = tuple(
        Part(
            str(block["name"]),
            int(block["parameters"]),
            tuple(map(str, block["tasks"])),
            int(block.get("frozen", 0)),
            bool(block.get("reused", False)),
        )
        for block in blocks
    )
    known = [str(name) for name in content.get("tasks", {})]
    used = {task for part in parts for task in part.tasks}
    order = [task for part in parts if len(part.tasks) == len(used) for task in part.tasks]
    return Shares(tuple(dict.fromkeys([*order, *known, *sorted(used)])), parts)


def why_unknown(content: Mapping[str, Any]) -> str:
    """Why a record does not tell of its network's parts."""
    problem = (content.get("sharing") or {}).get("problem")
    if problem:
        return f"It could not be found out: {problem}."
    return (
        "The record was made before this was kept; that of `raymtl rerun RUN --into DIR` holds it."
    )


def why_no_tree(found: Shares) -> str:
    """What keeps the parts from being a tree, in a sentence."""
    again = [part.name for part in found.parts if part.reused]
    if again:
        return f"Not a tree: tasks meet again in {_some(again)}, used on different inputs."
    return "Not a tree: tasks share parts with one another in turns."


def in_words(found: Shares) -> str:
    """What sharing saves, in a sentence."""
    if len(found.tasks) == 1:
        return f"One task: all {found.parameters:,} parameters are its own."
    if not found.shared:
        return f"Nothing is shared: {found.parameters:,} parameters in {len(found.tasks)} networks."
    return (
        f"{found.shared:,} of {found.parameters:,} parameters "
        f"({found.share(found.shared):.1f} %) serve several tasks; a network of its own for each "
        f"task, of the same parts, would take {found.apart:,} in all "
        f"({found.apart / found.parameters:.2f} ×)."
    )


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return ", ".join(names[:3]) + more

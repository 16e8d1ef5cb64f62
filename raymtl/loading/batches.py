"""Which clips meet in a step. Every plan is a pure function of (sizes, seed, epoch).

A step is the rows drawn from each source that takes part in it. Each source is shuffled by a
generator of its own, so adding a source leaves the others' order as it was.
"""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from raymtl.errors import StudyError
from raymtl.spec import Spec

Rows = npt.NDArray[np.int64]
Steps = list[dict[str, Rows]]


@dataclass(frozen=True)
class Batches(Spec, ABC):
    """size: clips (or windows) in a full step, over all its sources."""

    size: int

    def __post_init__(self) -> None:
        if self.size < 1:
            raise StudyError(f"{type(self).__name__}: {self.size} clips a batch, expected >= 1.")

    @abstractmethod
    def epoch(self, sizes: Mapping[str, int], seed: int, epoch: int) -> Steps:
        """The steps of one epoch: source name -> rows, each below the source's size."""


@dataclass(frozen=True)
class Alternating(Batches):
    """Each step is of one source; sources take turns by name while they have batches left.

    An epoch is one pass through every source. The last batch of a source may be smaller.
    """

    def epoch(self, sizes: Mapping[str, int], seed: int, epoch: int) -> Steps:
        batches = {
            name: _chunks(shuffled(sizes[name], name, seed, epoch), self.size)
            for name in sorted(sizes)
        }
        turns = max(map(len, batches.values()), default=0)
        return [
            {name: queue[turn]}
            for turn in range(turns)
            for name, queue in batches.items()
            if turn < len(queue)
        ]


@dataclass(frozen=True)
class Mixed(Batches):
    """All sources pooled and shuffled: a step is any `size` clips of the pool.

    An epoch is one pass through every source. The last step may be smaller.
    """

    def epoch(self, sizes: Mapping[str, int], seed: int, epoch: int) -> Steps:
        names = sorted(sizes)
        owner = np.repeat(np.arange(len(names)), [sizes[name] for name in names])
        row = np.concatenate([np.arange(sizes[name], dtype=np.int64) for name in names])
        order = shuffled(len(owner), "", seed, epoch)
        return _by_source(names, owner, row, _chunks(order, self.size))


@dataclass(frozen=True)
class Proportional(Batches):
    """Every step holds every source in proportion to its size, as nearly as whole clips allow.

    Each source's shuffled clips are spread evenly over the epoch, and the whole is cut into steps.
    An epoch is one pass through every source. The last step may be smaller.
    """

    def epoch(self, sizes: Mapping[str, int], seed: int, epoch: int) -> Steps:
        names = sorted(sizes)
        owner = np.repeat(np.arange(len(names)), [sizes[name] for name in names])
        row = np.concatenate([shuffled(sizes[n], n, seed, epoch) for n in names])
        place = [(np.arange(sizes[name]) + 0.5) / sizes[name] for name in names]
        order = np.argsort(np.concatenate(place), kind="stable")
        return _by_source(names, owner, row, _chunks(order, self.size))


@dataclass(frozen=True)
class Balanced(Batches):
    """Every step holds the same number of clips of every source: `size` // sources, at least 1.

    An epoch is one pass through the largest source; smaller ones start again, shuffled anew.
    """

    def epoch(self, sizes: Mapping[str, int], seed: int, epoch: int) -> Steps:
        names = sorted(name for name in sizes if sizes[name])
        share = max(self.size // max(len(names), 1), 1)
        most = max((sizes[name] for name in names), default=0)
        drawn = {name: _repeated(sizes[name], most, name, seed, epoch) for name in names}
        return [
            {name: rows[start : start + share] for name, rows in drawn.items()}
            for start in range(0, most, share)
        ]


def passes(steps: Steps, sizes: Mapping[str, int]) -> dict[str, float]:
    """How often each source's clips are seen in the given steps, on average."""
    seen = dict.fromkeys(sizes, 0)
    for step in steps:
        for name, rows in step.items():
            seen[name] += len(rows)
    return {name: seen[name] / max(size, 1) for name, size in sizes.items()}


def shuffled(size: int, name: str, seed: int, epoch: int, lap: int = 0) -> Rows:
    """A permutation of range(size) from these arguments alone."""
    word = int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "little")
    return np.random.default_rng([seed, epoch, lap, word]).permutation(size).astype(np.int64)


def _repeated(size: int, length: int, name: str, seed: int, epoch: int) -> Rows:
    """`length` rows: laps through the source, each in another order."""
    laps = [shuffled(size, name, seed, epoch, lap) for lap in range(-(-length // size))]
    return np.concatenate(laps)[:length]


def _chunks(rows: Rows, size: int) -> list[Rows]:
    return [rows[start : start + size] for start in range(0, len(rows), size)]


def _by_source(names: Sequence[str], owner: Rows, row: Rows, chunks: list[Rows]) -> Steps:
    """Steps from places in the pool of all sources: whose a place is, and which row of it."""
    return [
        {names[i]: row[step[owner[step] == i]] for i in np.unique(owner[step])} for step in chunks
    ]

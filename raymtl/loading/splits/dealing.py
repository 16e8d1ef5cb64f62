"""Dealing groups of clips into bins so that every label is spread as the shares ask.

Greedy, largest first, on the squared deviation from the wanted share of every label; the idea is
that of scikit-learn's StratifiedGroupKFold, here for several labels a clip, unequal shares, bins
that already hold something, and the condition that no label is lost from training.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Doubles = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Hashes = npt.NDArray[np.uint64]

_PASSES = 8  # of improvement; most deals settle in two or three


@dataclass(frozen=True, eq=False)
class Deal:
    """What to deal.

    counts: (groups, labels) float64, how many clips of each label a group holds; the last column
        counts all its clips.
    order: (groups,) uint64, breaks ties and shuffles equals; a pseudo-random number of the group.
    shares: (bins,) wanted part of each label in each bin, summing to 1.
    held: (bins, labels) what the bins hold already.
    weights: (labels,) how much the spread of a label matters; 0 to leave it to chance.
    tested: bins that must not receive every group of a label, for nothing would train it.
    """

    counts: Doubles
    order: Hashes
    shares: Doubles
    held: Doubles
    weights: Doubles
    tested: tuple[int, ...]


def hashes(keys: list[str]) -> Hashes:
    """A 64-bit number for each key, the same on every machine."""
    digests = b"".join(hashlib.sha256(key.encode()).digest()[:8] for key in keys)
    return np.frombuffer(digests, dtype="<u8").astype(np.uint64)


def shuffled(base: Hashes, seed: int, purpose: str) -> Hashes:
    """Fresh pseudo-random numbers from `hashes` for a seed and a purpose (splitmix64)."""
    x = base ^ hashes([f"{seed}/{purpose}"])[0]
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    mixed: Hashes = x ^ (x >> np.uint64(31))
    return mixed


def deal(task: Deal) -> Ints:
    """Bin of each group, (groups,)."""
    if not len(task.counts):
        return np.empty(0, np.int64)
    return _Table(task).deal()


class _Table:
    """The bins while groups are dealt into them."""

    def __init__(self, task: Deal) -> None:
        totals = task.counts.sum(axis=0) + task.held.sum(axis=0)
        self.task = task
        self.load = task.held.copy()
        self.goal = task.shares[:, None] * totals
        self.weight = task.weights / np.maximum(totals, 1) ** 2
        self.bins = np.full(len(task.counts), -1, np.int64)
        self.holders = (task.held > 0).astype(np.int64)  # (bins, labels) how many groups have it
        self.left = (task.counts > 0).sum(axis=0)  # groups of each label not dealt yet

    def deal(self) -> Ints:
        rest = self._equals()
        size = (self.task.counts**2 @ self.weight)[rest]
        for i in rest[np.lexsort((self.task.order[rest], -size))]:
            self._put(int(i), self._best(int(i)))
        if len(rest) <= 2_000:
            self._improve(rest)
        self._mend()
        return self.bins

    def _equals(self) -> Ints:
        """Deals groups with the same counts many at a time; returns those left over."""
        counts, rest = self.task.counts * (self.weight > 0), []
        kinds, kind = np.unique(counts, axis=0, return_inverse=True)
        members = np.lexsort((self.task.order, kind.reshape(-1)))
        sizes = np.bincount(kind.reshape(-1), minlength=len(kinds))
        for vector, group in zip(kinds, np.split(members, np.cumsum(sizes)[:-1]), strict=True):
            gap = np.maximum(self.goal - self.load, 0) @ (self.weight * vector)
            each = np.floor(len(group) * gap / max(float(gap.sum()), 1e-300)).astype(np.int64)
            if len(group) < 4 * len(gap) or not each.sum():
                rest.append(group)
                continue
            start = 0
            for b, n in enumerate(each):
                self._put_all(group[start : start + n], b)
                start += int(n)
            rest.append(group[start:])
        return np.concatenate(rest) if rest else np.empty(0, np.int64)

    def _put(self, i: int, b: int) -> None:
        self.bins[i] = b
        has = self.task.counts[i] > 0
        self.load[b] += self.task.counts[i]
        self.holders[b] += has
        self.left -= has

    def _put_all(self, group: Ints, b: int) -> None:
        self.bins[group] = b
        self.load[b] += self.task.counts[group].sum(axis=0)
        has = (self.task.counts[group] > 0).sum(axis=0)
        self.holders[b] += has
        self.left -= has

    def _take(self, i: int) -> int:
        b = int(self.bins[i])
        has = self.task.counts[i] > 0
        self.load[b] -= self.task.counts[i]
        self.holders[b] -= has
        self.left += has
        self.bins[i] = -1
        return b

    def _best(self, i: int) -> int:
        """The bin whose deviation grows least, among those that keep the promises."""
        vector = self.task.counts[i]
        cost = (2 * (self.load - self.goal) + vector) @ (self.weight * vector)
        cost = cost + 1e9 * self._broken(vector > 0)
        empty = self.holders[:, -1] == 0
        if self.left[-1] <= empty.sum():
            cost = cost + 1e6 * ~empty
        return int(np.argmin(cost))

    def _broken(self, has: npt.NDArray[np.bool_]) -> Ints:
        """For each bin, labels that would be found in no other bin if it took this group."""
        elsewhere = self.holders[:, has].sum(axis=0) - self.holders[:, has] + self.left[has] - 1
        broken = np.zeros(len(self.load), np.int64)
        tested = list(self.task.tested)
        broken[tested] = (elsewhere[tested] == 0).sum(axis=1)
        return broken

    def _improve(self, groups: Ints) -> None:
        """Moves single groups while that lowers the deviation."""
        for _ in range(_PASSES):
            moved = False
            for i in groups:
                if self.holders[self.bins[i], -1] == 1:
                    continue  # would leave its bin empty
                before = self._take(int(i))
                best = self._best(int(i))
                vector = self.task.counts[i]
                gain = self._cost(before, vector) - self._cost(best, vector)
                worth = gain > 1e-12 or self._broken(vector > 0)[before]
                self._put(int(i), best if worth else before)
                moved |= bool(worth) and best != before
            if not moved:
                return

    def _mend(self) -> None:
        """Moves a group out of a tested bin that got every group of some label."""
        for b in self.task.tested:
            lost = (self.holders[b] > 0) & (self.holders.sum(axis=0) == self.holders[b])
            for k in np.flatnonzero(lost):
                here = np.flatnonzero((self.bins == b) & (self.task.counts[:, k] > 0))
                if len(here) and self.holders[b, k] == self.holders[:, k].sum():
                    first = int(here[np.argmin(self.task.order[here])])
                    self._take(first)
                    self._put(first, self._best(first))

    def _cost(self, b: int, vector: Doubles) -> float:
        return float((2 * (self.load[b] - self.goal[b]) + vector) @ (self.weight * vector))

"""What is measured on training clips: summaries that add up, in any order."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol, Self, runtime_checkable

import numpy as np
import numpy.typing as npt

from raymtl.errors import StudyError

Doubles = npt.NDArray[np.float64]
Counts = npt.NDArray[np.int64]


@runtime_checkable
class Summary(Protocol):
    """Adds to another of its own kind."""

    def __add__(self, other: Any) -> Self: ...


@dataclass(frozen=True, eq=False)
class Moments:
    """Values seen at each place; their mean and summed squared deviation.

    count: (places,) int64, exact; mean, spread: (channels, places, features) float64. A place is
    a frame index, or the only one when all frames are pooled.
    """

    count: Counts
    mean: Doubles
    spread: Doubles

    def __add__(self, other: Moments) -> Moments:
        """Chan, Golub & LeVeque 1983, place by place; the shorter one is extended by zeros."""
        same_grid(self.mean, other.mean)
        places = max(len(self.count), len(other.count))
        a, b = self._to(places), other._to(places)
        count = a.count + b.count
        share = (b.count / np.maximum(count, 1))[:, None]
        gap = b.mean - a.mean
        spread = a.spread + b.spread + np.square(gap) * (a.count[:, None] * share)
        return Moments(count, a.mean + gap * share, spread)

    def pooled(self) -> Moments:
        """All places as one."""
        total = self.count.sum()
        weight = self.count[:, None]
        mean = (self.mean * weight).sum(1, keepdims=True) / max(total, 1)
        spread = (self.spread + (self.mean - mean) ** 2 * weight).sum(1, keepdims=True)
        return Moments(total[None], mean, spread)

    def _to(self, places: int) -> Moments:
        more = places - len(self.count)
        if more <= 0:
            return self
        pad = ((0, 0), (0, more), (0, 0))
        return Moments(
            np.pad(self.count, (0, more)), np.pad(self.mean, pad), np.pad(self.spread, pad)
        )


@dataclass(frozen=True, eq=False)
class Extremes:
    """Smallest and largest value at each place: (channels, places, features) float64.

    A place nobody reached holds +inf and -inf.
    """

    low: Doubles
    high: Doubles

    def __add__(self, other: Extremes) -> Extremes:
        same_grid(self.low, other.low)
        places = max(self.low.shape[1], other.low.shape[1])
        return Extremes(
            np.minimum(_grown(self.low, places, np.inf), _grown(other.low, places, np.inf)),
            np.maximum(_grown(self.high, places, -np.inf), _grown(other.high, places, -np.inf)),
        )

    def pooled(self) -> Extremes:
        """All places as one."""
        return Extremes(self.low.min(1, keepdims=True), self.high.max(1, keepdims=True))


@dataclass(frozen=True, eq=False)
class Lengths:
    """How many clips have how many frames: two (n,) int64, frames ascending."""

    frames: Counts
    clips: Counts

    def __add__(self, other: Lengths) -> Lengths:
        frames, at = np.unique(np.concatenate([self.frames, other.frames]), return_inverse=True)
        clips = np.zeros(len(frames), np.int64)
        np.add.at(clips, at, np.concatenate([self.clips, other.clips]))
        return Lengths(frames, clips)

    def median(self) -> int:
        """The median number of frames, rounded down."""
        ends = np.cumsum(self.clips)
        total = int(ends[-1])
        low, high = np.searchsorted(ends, [(total - 1) // 2, total // 2], side="right")
        return int(self.frames[low] + self.frames[high]) // 2


def same_grid(one: Doubles, other: Doubles) -> None:
    """Raises:
    StudyError: when channels or features differ, so that nothing can be fitted over both.
    """
    if (one.shape[0], one.shape[2]) != (other.shape[0], other.shape[2]):
        raise StudyError(
            f"a stage with scope='combination' met features of {one.shape[0]} channels x "
            f"{one.shape[2]} and of {other.shape[0]} x {other.shape[2]}. Use scope='source', or "
            "give all sources the same signal and extraction."
        )


def _grown(values: Doubles, places: int, fill: float) -> Doubles:
    more = places - values.shape[1]
    return np.pad(values, ((0, 0), (0, more), (0, 0)), constant_values=fill) if more else values

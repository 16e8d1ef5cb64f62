"""Statistics of many clips at once, in double precision, over real frames only."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from raymtl.loading.fitted import Affine
from raymtl.loading.summaries import Doubles, Extremes, Moments
from raymtl.tasks import Bools

if TYPE_CHECKING:
    from raymtl.loading.stages import Features

Rows = npt.NDArray[np.int64]
_VALUES = 1 << 18  # float64 values in one block: stays in the cache


def moments(features: Features, rows: Rows, cell: bool, before: Affine | None) -> Moments:
    """Moments of the clips in `rows`; `cell` keeps each frame index apart."""
    places = int(features.frames[rows].max(initial=0)) if cell else 1
    empty = np.zeros((features.channels, places, features.features))
    total = Moments(np.zeros(places, np.int64), empty, empty)
    if not cell and _everywhere(before):
        for block in _packed(features, rows, before):
            total = total + _of_packed(block)
        return total
    for padded, real in _gathered(features, rows, before):
        part = _of_padded(padded, real)
        total = total + (part if cell else part.pooled())
    return total


def extremes(features: Features, rows: Rows, cell: bool, before: Affine | None) -> Extremes:
    """Smallest and largest values of the clips in `rows`."""
    places = int(features.frames[rows].max(initial=0)) if cell else 1
    empty = np.full((features.channels, places, features.features), np.inf)
    total = Extremes(empty, -empty)
    if not cell and _everywhere(before):
        for block in _packed(features, rows, before):
            total = total + Extremes(block.min(1, keepdims=True), block.max(1, keepdims=True))
        return total
    for padded, real in _gathered(features, rows, before):
        shown = real[:, None, :, None]
        part = Extremes(
            np.where(shown, padded, np.inf).min(0), np.where(shown, padded, -np.inf).max(0)
        )
        total = total + (part if cell else part.pooled())
    return total


def _everywhere(before: Affine | None) -> bool:
    """Whether the transform is the same for every frame."""
    return before is None or before.shift.shape[1] == 1


def _packed(features: Features, rows: Rows, before: Affine | None) -> Iterator[Doubles]:
    """(channels, frames of many clips, features) blocks, transformed."""
    step = max(_VALUES // (features.channels * features.features), 1)
    for block in features.blocks(rows):
        for start in range(0, block.shape[1], step):
            values = block[:, start : start + step].astype(np.float64)
            if before is not None:
                values = (values - before.shift) * before.gain
            yield values


def _gathered(
    features: Features, rows: Rows, before: Affine | None
) -> Iterator[tuple[Doubles, Bools]]:
    """(clips, channels, frames, features) padded blocks, transformed, and (clips, frames) masks."""
    order = rows[np.argsort(features.frames[rows], kind="stable")]  # alike lengths: less padding
    longest = int(features.frames[rows].max(initial=1))
    step = max(_VALUES // (features.channels * features.features * longest), 1)
    for start in range(0, len(order), step):
        batch, lengths = features.gather(order[start : start + step])
        values = batch.astype(np.float64)
        if before is not None:
            shift, gain = before.at(0, values.shape[2])
            values = (values - shift) * gain
        yield values, np.arange(values.shape[2]) < np.asarray(lengths)[:, None]


def _of_packed(block: Doubles) -> Moments:
    mean = block.mean(1, keepdims=True)
    gaps = block - mean
    spread = np.einsum("ctf,ctf->cf", gaps, gaps)[:, None]
    return Moments(np.array([block.shape[1]]), mean, spread)


def _of_padded(batch: Doubles, real: Bools) -> Moments:
    count = real.sum(0, dtype=np.int64)
    shown = real[:, None, :, None]
    values = np.where(shown, batch, 0.0)
    mean = values.sum(0) / np.maximum(count, 1)[:, None]
    spread = (np.where(shown, values - mean, 0.0) ** 2).sum(0)
    return Moments(count, mean, spread)

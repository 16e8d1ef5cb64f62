"""Sample rate conversion by soxr HQ, many clips at a time."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import soxr

Floats = npt.NDArray[np.float32]


def resample_many(
    waves: Sequence[Floats | None], rates: Sequence[int], rate: int
) -> list[Floats | None]:
    """Each (channels, samples) at its own rate to `rate`; ceil(samples * ratio) samples each."""
    return [
        wave if wave is None or own == rate else _one(wave, own, rate)
        for wave, own in zip(waves, rates, strict=True)
    ]


def _one(wave: Floats, own: int, rate: int) -> Floats:
    channels, samples = wave.shape
    out = np.zeros((channels, length(samples, own, rate)), np.float32)
    for row, channel in zip(out, wave, strict=True):
        converted = soxr.resample(channel, own, rate, quality="HQ")[: len(row)]
        row[: len(converted)] = converted
    return out


def length(samples: int, own: int, rate: int) -> int:
    """Samples after conversion, rounded up as librosa does."""
    return -(-samples * rate // own)

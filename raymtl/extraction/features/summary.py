"""Statistics over time of a log filter bank: the 168 inputs of the CombinaTorch thesis."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from raymtl.errors import StudyError
from raymtl.extraction.features.banks import Filters
from raymtl.extraction.features.contract import Banked
from raymtl.extraction.features.frames import Bank, Transform

Floats = npt.NDArray[np.float32]

STATISTICS = ("min", "max", "std", "mean", "median", "25 %", "75 %")


@dataclass(frozen=True)
class LogBankSummary(Banked):
    """Seven statistics over time of each log filter-bank level (natural logarithm).

    The thesis' values at 8 kHz: set `Signal(rate=8_000)`. Levels as
    `python_speech_features.logfbank` of samples at full scale 1: pre-emphasis, frames without
    taper, |rfft|^2 / n_fft, triangles between whole bins. A clip shorter than a window is filled
    with zeros to one frame.

    In: (channels, samples). Out: (channels, 1, 7 * filters) float32, statistic by statistic: all
    minima, all maxima, then standard deviation (n - 1; 0 for one frame), mean, median, 25th and
    75th percentile (linear between order statistics).
    """

    filters: int = 24
    window: float = 0.03
    hop: float = 0.01
    n_fft: int = 512
    emphasis: float = 0.97
    fmin: float = 0.0
    fmax: float | None = None

    def transform(self, rate: int) -> Transform:
        window, hop = round_half_up(self.window * rate), round_half_up(self.hop * rate)
        if self.n_fft < window:
            raise StudyError(
                f"{self}: n_fft is shorter than the window, {window} samples at "
                f"{rate} Hz. Use Signal(rate=8_000) or a larger n_fft."
            )
        return Transform(window, hop, self.n_fft, False, self.emphasis, 1 / self.n_fft)

    def bank(self, rate: int) -> Bank:
        fmax = rate / 2 if self.fmax is None else self.fmax
        filters = Filters("bins", rate, self.filters, self.fmin, fmax, False)
        return Bank(filters, decibels=False, amin=float(np.finfo(np.float64).eps))

    def finish(self, levels: Floats, spans: Sequence[tuple[int, int]]) -> list[Floats]:
        return [summary(levels[first:last]) for first, last in spans]

    def features(self, rate: int) -> int:
        return len(STATISTICS) * self.filters

    def frame_rate(self, rate: int) -> float:
        return 0.0


def round_half_up(value: float) -> int:
    """As python_speech_features rounds the lengths of windows."""
    return int(value + 0.5)


def summary(levels: Floats) -> Floats:
    """(frames, filters) to (1, 7 * filters): one sort serves five of the statistics."""
    count = len(levels)
    ordered = np.sort(levels.T, axis=1)
    mean = ordered.mean(axis=1, dtype=np.float64)
    spread = np.square(ordered - mean[:, None]).sum(axis=1)
    deviation = np.sqrt(spread / max(count - 1, 1))
    flat = ordered[:, 0] == ordered[:, -1]  # rounding must not make a constant vary
    parts = [
        ordered[:, 0],
        ordered[:, -1],
        np.where(flat, 0, deviation),
        np.where(flat, ordered[:, 0], mean),
        *(_quantile(ordered, share) for share in (0.5, 0.25, 0.75)),
    ]
    return np.concatenate(parts, dtype=np.float32)[None]


def _quantile(ordered: Floats, share: float) -> Floats:
    """Linear interpolation between order statistics (numpy's default)."""
    place = share * (ordered.shape[1] - 1)
    below = int(place)
    above = min(below + 1, ordered.shape[1] - 1)
    low: Floats = ordered[:, below]
    return low + np.float32(place - below) * (ordered[:, above] - low)

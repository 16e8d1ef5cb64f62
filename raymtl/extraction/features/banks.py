"""Filter banks over the bins of a power spectrum, and their product with it.

Mel scales and normalisation as librosa (Slaney's Auditory Toolbox; HTK book) and as
python_speech_features (triangles between whole bins of the HTK scale).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from raymtl.errors import StudyError

Floats = npt.NDArray[np.float32]
Doubles = npt.NDArray[np.float64]

_GROUP = 16  # filters that share one dense product


@dataclass(frozen=True)
class Filters:
    """kind: "slaney", "htk" (continuous edges) or "bins" (edges rounded down to bins).

    norm: divide each triangle by half its width in Hz ("slaney" normalisation).
    """

    kind: str
    rate: int
    bands: int
    fmin: float
    fmax: float
    norm: bool

    def __post_init__(self) -> None:
        if not 0 <= self.fmin < self.fmax <= self.rate / 2:
            raise StudyError(
                f"filters from {self.fmin:g} to {self.fmax:g} Hz at {self.rate} Hz; "
                "expected 0 <= fmin < fmax <= half the sample rate."
            )


class Banded:
    """Product (rows, bins) x (bins, bands) that leaves out blocks of zeros."""

    def __init__(self, weights: Floats) -> None:
        self._parts: list[tuple[int, int, int, int, Floats]] = []
        for first in range(0, weights.shape[1], _GROUP):
            group = weights[:, first : first + _GROUP]
            used = np.flatnonzero(group.any(axis=1))
            low, high = (int(used[0]), int(used[-1]) + 1) if len(used) else (0, 1)
            part = np.ascontiguousarray(group[low:high])
            self._parts.append((first, first + group.shape[1], low, high, part))

    def __call__(self, power: Floats, out: Floats) -> None:
        for first, last, low, high, part in self._parts:
            np.matmul(power[:, low:high], part, out=out[:, first:last])


@lru_cache(maxsize=16)
def widths(filters: Filters, n_fft: int) -> Floats:
    """(bands,): what passes of a spectrum of ones."""
    total: Floats = weights(filters, n_fft).sum(axis=0).astype(np.float32)
    return total


@lru_cache(maxsize=16)
def banded(filters: Filters, n_fft: int) -> Banded:
    return Banded(weights(filters, n_fft).astype(np.float32))


def weights(filters: Filters, n_fft: int) -> Doubles:
    """(bins, bands) float64."""
    return _whole_bins(filters, n_fft) if filters.kind == "bins" else _triangles(filters, n_fft)


def _triangles(filters: Filters, n_fft: int) -> Doubles:
    to_mel, to_hz = _SCALES[filters.kind]
    ends = to_mel(np.array([filters.fmin, filters.fmax]))
    edges = to_hz(np.linspace(ends[0], ends[1], filters.bands + 2))
    bins = np.fft.rfftfreq(n_fft, 1 / filters.rate)[:, None]
    rising = (bins - edges[:-2]) / (edges[1:-1] - edges[:-2])
    falling = (edges[2:] - bins) / (edges[2:] - edges[1:-1])
    shape: Doubles = np.maximum(0, np.minimum(rising, falling))
    return shape * (2 / (edges[2:] - edges[:-2])) if filters.norm else shape


def _whole_bins(filters: Filters, n_fft: int) -> Doubles:
    to_mel, to_hz = _SCALES["htk"]
    ends = to_mel(np.array([filters.fmin, filters.fmax]))
    hertz = to_hz(np.linspace(ends[0], ends[1], filters.bands + 2))
    edges = np.floor((n_fft + 1) * hertz / filters.rate).astype(int)
    shape = np.zeros((n_fft // 2 + 1, filters.bands))
    for band, (low, peak, high) in enumerate(zip(edges, edges[1:], edges[2:], strict=False)):
        shape[low:peak, band] = (np.arange(low, peak) - low) / max(peak - low, 1)
        shape[peak:high, band] = (high - np.arange(peak, high)) / max(high - peak, 1)
    return shape


def _slaney_mel(hertz: Doubles) -> Doubles:
    """Linear below 1 kHz, logarithmic above."""
    above = 15 + 27 * np.log(np.maximum(hertz, 1e-9) / 1000) / np.log(6.4)
    return np.where(hertz < 1000, hertz * 3 / 200, above)


def _slaney_hertz(mel: Doubles) -> Doubles:
    return np.where(mel < 15, mel * 200 / 3, 1000 * np.exp((mel - 15) * np.log(6.4) / 27))


def _htk_mel(hertz: Doubles) -> Doubles:
    out: Doubles = 2595 * np.log10(1 + hertz / 700)
    return out


def _htk_hertz(mel: Doubles) -> Doubles:
    out: Doubles = 700 * (10 ** (mel / 2595) - 1)
    return out


_SCALES = {"slaney": (_slaney_mel, _slaney_hertz), "htk": (_htk_mel, _htk_hertz)}

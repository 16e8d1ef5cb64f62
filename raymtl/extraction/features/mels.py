"""Log-mel spectrogram and mel-frequency cepstral coefficients, equal to librosa's."""

from __future__ import annotations

from abc import ABC
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from raymtl.errors import StudyError
from raymtl.extraction.features.banks import Filters
from raymtl.extraction.features.contract import Banked
from raymtl.extraction.features.frames import ROWS, Bank, Transform

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True)
class _Mel(Banked, ABC):
    """What both need: frames of `window` seconds every `hop` seconds, centred, zeros outside.

    window, hop: seconds, rounded to samples. n_fft: samples; None is the next power of two.
    scale, norm: "slaney" or "htk" mels; triangles of equal area or (norm False) equal height.
    top_db: nothing lies further below the clip's loudest cell (each channel by itself).
    reference, amin: as in `librosa.power_to_db`.
    """

    bands: int = 64
    window: float = 0.025
    hop: float = 0.010
    n_fft: int | None = None
    fmin: float = 0.0
    fmax: float | None = None
    scale: str = "slaney"
    norm: bool = True
    top_db: float | None = None
    reference: float = 1.0
    amin: float = 1e-10

    def __post_init__(self) -> None:
        if self.scale not in ("slaney", "htk"):
            raise StudyError(f"{self}: scale must be 'slaney' or 'htk'.")
        if self.bands < 1 or min(self.window, self.hop, self.amin, self.reference) <= 0:
            raise StudyError(f"{self}: bands, window, hop, amin and reference must be above 0.")

    def transform(self, rate: int) -> Transform:
        window, hop = max(round(self.window * rate), 1), max(round(self.hop * rate), 1)
        n_fft = self.n_fft or 1 << (window - 1).bit_length()
        if n_fft < window:
            raise StudyError(
                f"{self}: n_fft {n_fft} is shorter than the window, {window} samples at {rate} Hz."
            )
        return Transform(window, hop, n_fft)

    def bank(self, rate: int) -> Bank:
        fmax = rate / 2 if self.fmax is None else self.fmax
        filters = Filters(self.scale, rate, self.bands, self.fmin, fmax, self.norm)
        return Bank(filters, True, self.amin, self.reference)


@dataclass(frozen=True)
class LogMel(_Mel):
    """Power mel spectrogram in dB.

    In: (channels, samples). Out: (channels, 1 + samples // hop, bands) float32, dB. A clip shorter
    than a window is seen with zeros around it, as every clip's ends are.
    """

    def finish(self, levels: Floats, spans: Sequence[tuple[int, int]]) -> list[Floats]:
        if self.top_db is not None:
            levels = _limited(levels, spans, self.top_db)
        return [levels[first:last] for first, last in spans]

    def features(self, rate: int) -> int:
        return self.bands


@dataclass(frozen=True)
class Mfcc(_Mel):
    """Mel-frequency cepstral coefficients: orthonormal DCT-II of the log-mel levels in dB.

    In: (channels, samples). Out: (channels, 1 + samples // hop, coefficients) float32.
    lifter: 0 for none, else coefficient n is weighted by 1 + lifter / 2 * sin(pi n / lifter), n
        from 1, as `librosa.feature.mfcc`.
    """

    coefficients: int = 40
    lifter: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 1 <= self.coefficients <= self.bands or self.lifter < 0:
            raise StudyError(
                f"{self}: coefficients must lie between 1 and bands ({self.bands}), "
                "lifter at or above 0."
            )

    def finish(self, levels: Floats, spans: Sequence[tuple[int, int]]) -> list[Floats]:
        if self.top_db is not None:
            levels = _limited(levels, spans, self.top_db)
        basis = _dct(self.bands, self.coefficients, self.lifter)
        out = np.empty((len(levels), self.coefficients), np.float32)
        for at in range(0, len(levels), ROWS):
            np.matmul(levels[at : at + ROWS], basis, out=out[at : at + ROWS])
        return [out[first:last] for first, last in spans]

    def features(self, rate: int) -> int:
        return self.coefficients


def _limited(levels: Floats, spans: Sequence[tuple[int, int]], top_db: float) -> Floats:
    """A copy, for other extractions may share the levels."""
    levels = levels.copy()
    for first, last in spans:
        part = levels[first:last]
        np.maximum(part, part.max() - np.float32(top_db), out=part)
    return levels


@lru_cache(maxsize=16)
def _dct(bands: int, coefficients: int, lifter: float) -> Floats:
    """(bands, coefficients)."""
    n = np.arange(coefficients)
    basis = np.cos(np.pi * n * (np.arange(bands)[:, None] + 0.5) / bands) * np.sqrt(2 / bands)
    basis[:, 0] = np.sqrt(1 / bands)
    if lifter:
        basis *= 1 + lifter / 2 * np.sin(np.pi * (n + 1) / lifter)
    out: Floats = basis.astype(np.float32)
    return out

"""The samples themselves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from raymtl.extraction.features.contract import Extraction

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Waveform(Extraction):
    """In: (channels, samples). Out: (channels, samples, 1) float32, full scale 1."""

    def __call__(self, waves: Sequence[Floats], rate: int) -> list[Floats]:
        return [wave[:, :, None] for wave in waves]

    def features(self, rate: int) -> int:
        return 1

    def frame_rate(self, rate: int) -> float:
        return float(rate)

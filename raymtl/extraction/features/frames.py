"""Packed frames: many pieces on one grid of frames, transformed in blocks that fit the cache.

All pieces (a piece is one channel of a clip) are laid into one buffer with zeros between them, so
that the frames of all of them are rows of one strided view. A few rows between two pieces belong
to none; computing and dropping them is cheaper than a call for each clip. Every product runs on
blocks of exactly `ROWS` rows, whatever the pack holds, so that each row is rounded as if alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from raymtl.extraction.features.banks import Banded, Filters, banded

Floats = npt.NDArray[np.float32]
Spans = list[tuple[int, int]]

ROWS = 256


@dataclass(frozen=True)
class Transform:
    """Framing and power spectrum, in samples.

    centred: frame t is centred on sample t * hop (zeros beyond the ends), 1 + samples // hop of
        them, with a periodic Hann window, as librosa; otherwise frame t begins at t * hop, a last
        partial one is filled with zeros, no window, as python_speech_features.
    emphasis: y[t] = x[t] - emphasis * x[t-1] before framing, y[0] = x[0].
    scale: factor of the power.
    """

    window: int
    hop: int
    n_fft: int
    centred: bool = True
    emphasis: float = 0.0
    scale: float = 1.0

    @property
    def lead(self) -> int:
        """Zeros that frame 0 sees before the first sample."""
        return self.n_fft // 2 - (self.n_fft - self.window) // 2 if self.centred else 0

    def frames(self, samples: int) -> int:
        if self.centred:
            return 1 + samples // self.hop
        return 1 + -(-max(samples - self.window, 0) // self.hop)

    @property
    def bins(self) -> int:
        return self.n_fft // 2 + 1


@dataclass(frozen=True)
class Bank:
    """Filters over the bins and the logarithm of what passes.

    decibels: 10 log10(max(amin, x) / max(amin, reference)); otherwise ln(x), and ln(amin) for 0.
    """

    filters: Filters
    decibels: bool = True
    amin: float = 1e-10
    reference: float = 1.0


def bank_levels(
    waves: Sequence[Floats], transform: Transform, banks: Sequence[Bank]
) -> tuple[Spans, dict[Bank, Floats]]:
    """Levels of every bank, (rows, bands), and the rows of each piece in pack order."""
    buffer, spans, rows = _packed(waves, transform)
    frames = torch.from_numpy(buffer).as_strided((rows, transform.window), (transform.hop, 1))
    levels = {bank: np.empty((rows, bank.filters.bands), np.float32) for bank in banks}
    products = [(levels[bank], bank, banded(bank.filters, transform.n_fft)) for bank in banks]
    windowed = torch.zeros(ROWS, transform.n_fft)
    filled, taper = windowed[:, : transform.window], torch.from_numpy(_taper(transform))
    for at in range(0, rows, ROWS):
        torch.mul(frames[at : at + ROWS], taper, out=filled)
        power = _power(windowed)
        for out, bank, product in products:
            _log_levels(power, bank, product, out[at : at + ROWS])
    return spans, levels


def _packed(waves: Sequence[Floats], transform: Transform) -> tuple[Floats, Spans, int]:
    """The buffer, the span of rows of each piece, and the number of rows, whole blocks."""
    hop, lead = transform.hop, transform.lead
    spans: Spans = []
    row = 0
    for wave in waves:
        samples = wave.shape[1]
        count = transform.frames(samples)
        needed = max(lead + samples, (count - 1) * hop + transform.window - lead)
        for _ in range(wave.shape[0]):
            spans.append((row, row + count))
            row += -(-needed // hop)
    rows = max(-(-row // ROWS), 1) * ROWS
    buffer = np.zeros(rows * hop + transform.window + lead, np.float32)
    pieces = (channel for wave in waves for channel in wave)
    for (first, _), piece in zip(spans, pieces, strict=True):
        begin = first * hop + lead
        buffer[begin : begin + len(piece)] = piece
        if transform.emphasis:
            factor = np.float32(transform.emphasis)
            buffer[begin + 1 : begin + len(piece)] -= factor * piece[:-1]
    return buffer, spans, rows


@lru_cache(maxsize=16)
def _taper(transform: Transform) -> Floats:
    """The window with the square root of the power's scale folded in."""
    scale = np.sqrt(transform.scale)
    if not transform.centred:
        return np.full(transform.window, scale, np.float32)
    turn = 2 * np.pi * np.arange(transform.window) / transform.window
    taper: Floats = ((0.5 - 0.5 * np.cos(turn)) * scale).astype(np.float32)
    return taper


def _power(windowed: Tensor) -> Floats:
    """(ROWS, n_fft) to (ROWS, bins). Where a frame lies in its buffer does not change its power.

    torch brings the fastest real FFT (MKL's on x86, 1.5 times scipy's) and product with a window.
    """
    spectrum = torch.fft.rfft(windowed, dim=1).numpy()
    power: Floats = np.square(spectrum.real)
    power += np.square(spectrum.imag)
    return power


def _log_levels(power: Floats, bank: Bank, product: Banded, out: Floats) -> None:
    product(power, out)
    if bank.decibels:
        np.maximum(out, np.float32(bank.amin), out=out)
        np.log10(out, out=out)
        out *= np.float32(10)
        offset = 10 * np.log10(max(bank.amin, bank.reference))
        if offset:
            out -= np.float32(offset)
    else:
        out[out == 0] = bank.amin
        np.log(out, out=out)

"""Each extraction once more as a torch module: for graphs that take waveforms, and for GPUs.

A twin takes (B, channels, samples) at the signal's rate, all of one length, and gives (B, channels,
frames, features) float32, equal to the extraction within 1e-3 dB. It computes in double precision,
for weak bands beside strong ones need it. Resampling is no part of it.
"""

from __future__ import annotations

from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from raymtl.errors import StudyError
from raymtl.extraction.features import (
    Extraction,
    LogBankSummary,
    LogMel,
    Mfcc,
    Pixels,
    Values,
    Waveform,
)
from raymtl.extraction.features.banks import weights
from raymtl.extraction.features.contract import Banked
from raymtl.extraction.features.frames import Transform, _taper
from raymtl.extraction.features.mels import _dct


@runtime_checkable
class Twinned(Protocol):
    """An extraction of the user's that brings its own twin."""

    def twin(self, rate: int) -> nn.Module: ...


def twin(extraction: Extraction, rate: int) -> nn.Module:
    """The extraction as a module for waveforms of `rate` Hz.

    Raises:
        StudyError: for an extraction of the user's without a method ``twin(rate)``.
    """
    if isinstance(extraction, Twinned):
        return extraction.twin(rate)
    if type(extraction) in (LogMel, Mfcc, LogBankSummary, Waveform, Pixels, Values):
        return _of_ours(extraction, rate)  # a subclass may compute something else
    raise StudyError(
        f"{type(extraction).__name__}: has no torch twin, so no graph can take waveforms. Give it "
        "a method twin(rate) that returns an nn.Module: (B, channels, samples) to (B, channels, "
        "frames, features)."
    )


def _of_ours(extraction: Extraction, rate: int) -> nn.Module:
    if isinstance(extraction, LogMel | Mfcc):
        return _Mels(extraction, rate)
    if isinstance(extraction, LogBankSummary):
        return _Summary(extraction, rate)
    if isinstance(extraction, Values):
        return _Values(extraction.scale)
    return nn.Identity() if isinstance(extraction, Pixels) else _Samples()


class _Levels(nn.Module):
    """(B, samples) to filter-bank levels (B, frames, bands), float64."""

    taper: Tensor
    filters: Tensor

    def __init__(self, extraction: Banked, rate: int) -> None:
        super().__init__()
        self.transform: Transform = extraction.transform(rate)
        self.bank = extraction.bank(rate)
        self._keep("taper", _taper(self.transform))
        self._keep("filters", weights(self.bank.filters, self.transform.n_fft))

    def _keep(self, name: str, values: Any) -> None:
        self.register_buffer(name, torch.from_numpy(np.asarray(values, np.float64)), False)

    def forward(self, waves: Tensor) -> Tensor:
        frames = self._framed(waves.double()) * self.taper
        passed: Tensor = self._power(frames) @ self.filters
        if self.bank.decibels:
            offset = 10 * np.log10(max(self.bank.amin, self.bank.reference))
            return 10 * passed.clamp(min=self.bank.amin).log10() - float(offset)
        return torch.where(passed == 0, self.bank.amin, passed).log()

    def _framed(self, waves: Tensor) -> Tensor:
        spec = self.transform
        if spec.emphasis:
            before = waves[:, :-1] * spec.emphasis
            waves = torch.cat([waves[:, :1], waves[:, 1:] - before], dim=1)
        lead = spec.lead
        behind = max(spec.window - lead, 0) if spec.centred else max(spec.window, spec.hop)
        waves = F.pad(waves, (lead, behind))
        samples = waves.shape[1] - lead - behind
        if spec.centred:
            count = 1 + samples // spec.hop
        else:  # the last partial frame is filled with zeros
            count = 1 + (_most(samples - spec.window, 0) + spec.hop - 1) // spec.hop
        return waves.unfold(1, spec.window, spec.hop)[:, :count]

    def _power(self, frames: Tensor) -> Tensor:
        spectrum = torch.fft.rfft(frames, n=self.transform.n_fft, dim=2)
        power: Tensor = spectrum.real.square() + spectrum.imag.square()
        return power


class _Mels(nn.Module):
    cosines: Tensor

    def __init__(self, extraction: LogMel | Mfcc, rate: int) -> None:
        super().__init__()
        self.levels = _Levels(extraction, rate)
        self.top_db = extraction.top_db
        self.cepstral = isinstance(extraction, Mfcc)
        if isinstance(extraction, Mfcc):
            basis = _dct(extraction.bands, extraction.coefficients, extraction.lifter)
            self.register_buffer("cosines", torch.from_numpy(basis).double(), False)

    def forward(self, waves: Tensor) -> Tensor:
        batch, channels, samples = waves.shape
        levels: Tensor = self.levels(waves.reshape(batch * channels, samples))
        if self.top_db is not None:
            levels = torch.maximum(levels, levels.amax((1, 2), keepdim=True) - self.top_db)
        if self.cepstral:
            levels = levels @ self.cosines
        return levels.float().reshape(batch, channels, levels.shape[1], levels.shape[2])


class _Summary(nn.Module):
    def __init__(self, extraction: LogBankSummary, rate: int) -> None:
        super().__init__()
        self.levels = _Levels(extraction, rate)

    def forward(self, waves: Tensor) -> Tensor:
        batch, channels, samples = waves.shape
        levels = self.levels(waves.reshape(batch * channels, samples))
        ordered = levels.sort(dim=1).values
        count = ordered.shape[1]
        mean = ordered.mean(dim=1)
        spread = (ordered - mean[:, None]).square().sum(dim=1)
        parts = [
            ordered[:, 0],
            ordered[:, -1],
            (spread / _most(count - 1, 1)).sqrt(),
            mean,
            *(_quantile(ordered, quarters) for quarters in (2, 1, 3)),
        ]
        return torch.cat(parts, dim=1).float().reshape(batch, channels, 1, -1)


class _Samples(nn.Module):
    def forward(self, waves: Tensor) -> Tensor:
        return waves[:, :, :, None]


class _Values(nn.Module):
    def __init__(self, scale: str) -> None:
        super().__init__()
        self.scale = scale

    def forward(self, values: Tensor) -> Tensor:
        if self.scale == "log":
            return values.sign() * values.abs().log1p()
        return (values != 0).float() if self.scale == "present" else values


def _most(one: Any, other: Any) -> Any:
    """The larger one of two numbers that may be symbols of a graph."""
    return torch.sym_max(one, other)  # type: ignore[no-untyped-call]


def _quantile(ordered: Tensor, quarters: int) -> Tensor:
    """Linear between order statistics; the place is (count - 1) * quarters / 4, in whole numbers,
    for the count may be a symbol."""
    last = ordered.shape[1] - 1
    below = last * quarters // 4
    above = -_most(-below - 1, -last)
    low, high = _row(ordered, below), _row(ordered, above)
    return low + (last * quarters % 4) / 4 * (high - low)


def _row(ordered: Tensor, at: Any) -> Tensor:
    return ordered.narrow(1, at, 1)[:, 0]

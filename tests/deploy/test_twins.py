"""Every extraction's torch twin: the same numbers on recordings, noise, tones and silence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import librosa
import numpy as np
import pytest
import torch

from raymtl.deploy.twins import twin
from raymtl.errors import StudyError
from raymtl.extraction import features
from raymtl.extraction.audio import Signal, decode
from raymtl.extraction.features import (
    Extraction,
    LogBankSummary,
    LogMel,
    Mfcc,
    Pixels,
    Values,
    Waveform,
)
from raymtl.tasks import Floats

AUDIO = [
    LogMel(),
    LogMel(bands=40, top_db=80, scale="htk", n_fft=1024, norm=False, reference=0.5),
    LogMel(bands=24, window=0.1, hop=0.15),
    Mfcc(),
    Mfcc(coefficients=13, lifter=22, top_db=60),
    LogBankSummary(),
    Waveform(),
]
RATES = (8_000, 16_000)


def sounds() -> list[Floats]:
    rng = np.random.default_rng(0)
    tone = 0.9 * np.sin(0.3 * np.arange(20_000))
    waves = [rng.normal(0, 0.1, (2, 5_000)), np.zeros((1, 3_000)), tone[None], rng.random((1, 70))]
    return [wave.astype(np.float32) for wave in waves]


def assert_equal(extraction: Extraction, waves: Sequence[Floats], rate: int) -> None:
    """Within 1e-3 dB; a cepstrum within that times its largest weight."""
    lifter = extraction.lifter if isinstance(extraction, Mfcc) else 0.0
    module = twin(extraction, rate)
    for wave, expected in zip(waves, extraction(waves, rate), strict=True):
        found = module(torch.from_numpy(wave)[None])[0].numpy()
        assert found.dtype == np.float32
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-3 * (1 + lifter / 2))


def test_each_extraction_has_been_thought_of() -> None:
    kinds = {getattr(features, name) for name in features.__all__}
    known = {kind for kind in kinds if isinstance(kind, type) and kind is not Extraction}
    assert known == {type(extraction) for extraction in (*AUDIO, Pixels(), Values())}


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("extraction", AUDIO, ids=repr)
def test_on_made_sounds(extraction: Extraction, rate: int) -> None:
    if isinstance(extraction, LogBankSummary) and rate != 8_000:
        rate = 11_025
    assert_equal(extraction, sounds(), rate)


@pytest.mark.parametrize("extraction", AUDIO, ids=repr)
def test_on_recordings(extraction: Extraction, recordings: Path) -> None:
    """Speech at 48 kHz and sounds at 44.1 kHz, both lowered."""
    rate = 8_000 if isinstance(extraction, LogBankSummary) else 16_000
    paths = [
        *sorted((recordings / "ravdess").rglob("*.wav"))[:3],
        *sorted((recordings / "esc10").rglob("*.*"))[-3:],
    ]
    audio = [path for path in paths if path.suffix in (".wav", ".ogg", ".flac")]
    assert len(audio) > 3
    assert_equal(extraction, [decode(path, Signal(rate=rate))[0] for path in audio], rate)


@pytest.mark.parametrize("scale", ["linear", "log", "present"])
def test_on_tables_and_images(scale: str) -> None:
    rng = np.random.default_rng(1)
    table = np.where(rng.random((1, 4, 9)) < 0.3, 0, rng.normal(0, 10, (1, 4, 9)))
    assert_equal(Values(scale), [table.astype(np.float32)], 0)  # type: ignore[arg-type]
    assert_equal(Pixels(), [rng.random((3, 8, 8)).astype(np.float32)], 0)


def test_against_librosa() -> None:
    """Not only equal to ours: both equal to the reference."""
    wave = sounds()[0][:1]
    mel = librosa.feature.melspectrogram(
        y=wave[0], sr=16_000, n_fft=512, win_length=400, hop_length=160, n_mels=64,
        pad_mode="constant",
    )  # fmt: skip
    found = twin(LogMel(), 16_000)(torch.from_numpy(wave)[None])[0, 0].numpy()
    np.testing.assert_allclose(found.T, librosa.power_to_db(mel, top_db=None), atol=1e-3)


@dataclass(frozen=True)
class Peaks(Extraction):
    """An extraction of the user's."""

    def __call__(self, waves: Sequence[Floats], rate: int) -> list[Floats]:
        return [np.abs(wave).max(axis=1)[:, None, None] for wave in waves]

    def features(self, rate: int) -> int:
        return 1

    def frame_rate(self, rate: int) -> float:
        return 0.0


@dataclass(frozen=True)
class Deltas(LogMel):
    """Levels and how they change: made of ours, in numpy and, by `twin`, in torch."""

    def finish(self, levels: Floats, spans: Sequence[tuple[int, int]]) -> list[Floats]:
        return [
            np.concatenate([piece, np.diff(piece, axis=0, prepend=piece[:1])], axis=1)
            for piece in super().finish(levels, spans)
        ]

    def features(self, rate: int) -> int:
        return 2 * super().features(rate)


def test_an_extraction_made_of_ours() -> None:
    """A subclass has not the twin of what it changes, but may bring one made of ours."""
    with pytest.raises(StudyError, match="Deltas: has no torch twin"):
        twin(Deltas(), 8_000)

    class Module(torch.nn.Module):
        def __init__(self, rate: int) -> None:
            super().__init__()
            self.levels = twin(LogMel(bands=20), rate)

        def forward(self, waves: torch.Tensor) -> torch.Tensor:
            levels = self.levels(waves)
            return torch.cat([levels, levels.diff(dim=2, prepend=levels[:, :, :1])], dim=3)

    class Twin(Deltas):
        def twin(self, rate: int) -> torch.nn.Module:
            return Module(rate)

    assert_equal(Twin(bands=20), sounds(), 8_000)


def test_an_extraction_of_ones_own_brings_its_twin() -> None:
    with pytest.raises(StudyError, match=r"Peaks: has no torch twin.*twin\(rate\)"):
        twin(Peaks(), 8_000)

    class Loudest(torch.nn.Module):
        def forward(self, waves: torch.Tensor) -> torch.Tensor:
            return waves.abs().amax(2)[:, :, None, None]

    class Twin(Peaks):
        def twin(self, rate: int) -> torch.nn.Module:
            return Loudest()

    assert_equal(Twin(), sounds(), 8_000)

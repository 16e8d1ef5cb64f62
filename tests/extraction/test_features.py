"""Features against librosa and python_speech_features, and independence of what is packed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import librosa
import numpy as np
import numpy.typing as npt
import pytest
import python_speech_features
from hypothesis import given, settings
from hypothesis import strategies as st

from raymtl.errors import StudyError
from raymtl.extraction.audio import ClipRow, Signal, decode, decode_many
from raymtl.extraction.features import (
    Extraction,
    LogBankSummary,
    LogMel,
    Mfcc,
    Waveform,
    extract_shared,
)
from raymtl.extraction.features.banks import Filters, weights, widths
from raymtl.extraction.features.frames import ROWS, _doubtful
from raymtl.extraction.features.summary import summary
from raymtl.spec import digest
from tests.extraction.sounds import voice

Floats = npt.NDArray[np.float32]

# audioread, which librosa imports, still imports modules that leave Python in 3.13;
# librosa warns of a clip shorter than n_fft
pytestmark = [
    pytest.mark.filterwarnings("ignore:'(aifc|audioop|sunau)':DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:n_fft=:UserWarning"),
]

DB = 1e-3  # float32 spectra differ by some 1e-4 dB where they are weak


def librosa_mel(wave: Floats, rate: int, mel: LogMel | Mfcc) -> Floats:
    """(bands, frames) in dB."""
    transform = mel.transform(rate)
    power = librosa.feature.melspectrogram(
        y=wave,
        sr=rate,
        n_fft=transform.n_fft,
        win_length=transform.window,
        hop_length=transform.hop,
        n_mels=mel.bands,
        fmin=mel.fmin,
        fmax=mel.fmax,
        htk=mel.scale == "htk",
        norm="slaney" if mel.norm else None,
    )
    return np.asarray(
        librosa.power_to_db(power, ref=mel.reference, amin=mel.amin, top_db=mel.top_db)
    )


@pytest.mark.parametrize(
    ("rate", "mel"),
    [
        (16_000, LogMel()),
        (16_000, LogMel(bands=40, scale="htk", norm=False)),
        (16_000, LogMel(bands=32, fmin=50.0, fmax=7_000.0, top_db=60.0)),
        (22_050, LogMel(window=0.0464, hop=0.0116, bands=96, n_fft=2_048)),
        (8_000, LogMel(bands=24, reference=0.5, amin=1e-6)),
        (44_100, LogMel(bands=128, window=0.05)),
        (16_000, LogMel(window=401 / 16_000)),
    ],
)
def test_log_mel_equals_librosa(rate: int, mel: LogMel) -> None:
    wave = voice(rate, rate)[:, 0]
    (found,) = mel([wave[None]], rate)
    expected = librosa_mel(wave, rate, mel)
    assert found.shape == (1, *expected.T.shape)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found[0].T, expected, rtol=0, atol=DB)


@pytest.mark.parametrize(
    "mfcc",
    [
        Mfcc(coefficients=20),
        Mfcc(),
        Mfcc(coefficients=13, lifter=22.0),
        Mfcc(top_db=40.0),
    ],
)
def test_mfcc_equals_librosa(mfcc: Mfcc) -> None:
    wave = voice(16_000)[:, 0]
    (found,) = mfcc([wave[None]], 16_000)
    expected = librosa.feature.mfcc(
        S=librosa_mel(wave, 16_000, mfcc), n_mfcc=mfcc.coefficients, lifter=mfcc.lifter
    )
    scale = 1 + mfcc.lifter / 2  # the lifter magnifies the difference, too
    np.testing.assert_allclose(found[0].T, expected, rtol=0, atol=DB * scale)


@pytest.mark.real
@pytest.mark.parametrize(
    ("pattern", "tolerance"),
    [
        ("fsdd/**/*_1.wav", DB),  # up-sampled, all in double precision when nobody says so
        ("speech_commands_v0.01/**/*_1.wav", DB),
        ("ravdess/**/*.wav", DB),
        ("esc10/**/1-*-A.ogg", DB),
    ],
)
def test_real_recordings_equal_librosa(recordings: Path, pattern: str, tolerance: float) -> None:
    paths = sorted(recordings.glob(pattern))[:10]
    assert paths
    for path in paths:
        wave, rate = decode(path, Signal(rate=16_000))
        loaded, _ = librosa.load(path, sr=16_000, res_type="soxr_hq")
        expected = librosa_mel(loaded, rate, LogMel())
        (mel,), (mfcc,) = extract_shared([LogMel(), Mfcc()], [wave], rate)
        np.testing.assert_allclose(mel[0].T, expected, rtol=0, atol=tolerance)
        cepstra = librosa.feature.mfcc(S=expected, n_mfcc=40)
        np.testing.assert_allclose(mfcc[0].T, cepstra, rtol=0, atol=tolerance)


@pytest.mark.real
def test_upsampled_recordings_equal_librosa(recordings: Path) -> None:
    """Within 0.02 dB where single precision is kept for the empty upper half band."""
    paths = sorted(recordings.glob("fsdd/**/*_1.wav"))
    decoded = decode_many([ClipRow(p.name, str(p)) for p in paths], Signal(rate=16_000))
    waves = [wave for wave in decoded.waves if wave is not None]
    assert len(waves) == len(paths) > 0
    assert all(decoded.raised)
    (mels,) = extract_shared([LogMel()], waves, 16_000, decoded.raised)
    for path, mel in zip(paths, mels, strict=True):
        loaded, _ = librosa.load(path, sr=16_000, res_type="soxr_hq")
        expected = librosa_mel(loaded, 16_000, LogMel())
        np.testing.assert_allclose(mel[0].T, expected, rtol=0, atol=0.02)


@pytest.mark.parametrize("sound", ["tone", "blue", "offset"])
def test_weak_bands_beside_strong_ones_equal_librosa(sound: str) -> None:
    """Where single precision would be off by 0.02 to 0.1 dB."""
    rng, time = np.random.default_rng(0), np.arange(16_000) / 16_000
    faint = rng.normal(0, 1e-4, 16_000)
    sounds = {
        "tone": 0.9 * np.sin(2 * np.pi * 6_000 * time) + faint,
        "offset": 0.5 + faint,
        "blue": np.diff(rng.normal(0, 0.01, 16_004), n=4),
    }
    wave = sounds[sound].astype(np.float32)
    (found,) = LogMel()([wave[None]], 16_000)
    np.testing.assert_allclose(found[0].T, librosa_mel(wave, 16_000, LogMel()), rtol=0, atol=DB)


@settings(max_examples=60)
@given(seed=st.integers(0, 10**6), decades=st.integers(0, 14), bands=st.sampled_from([20, 64, 200]))
def test_no_weak_band_is_overlooked(seed: int, decades: int, bands: int) -> None:
    """The quick look at a block of frames finds all that the bound, frame by frame, says."""
    rng = np.random.default_rng(seed)
    mel = LogMel(bands=bands)
    transform, bank = mel.transform(16_000), mel.bank(16_000)
    power = (10 ** (-decades * rng.random((ROWS, 257)))).astype(np.float32)
    power[rng.random(ROWS) < 0.02] = 0
    passed = power @ weights(bank.filters, 512).astype(np.float32)
    doubtful = _doubtful(power, passed, bank, transform)
    bound = (2 * 2.5e-7 / bank.tolerance) ** 2 * power.sum(axis=1, dtype=np.float64) / 257
    ratio = passed / np.maximum(bound[:, None] * widths(bank.filters, 512), 1e-300)
    weak = (passed > bank.amin) & (ratio < 1)
    near = (passed > bank.amin) & (np.abs(ratio - 1) < 1e-4)  # either answer: float32 sums
    for row in np.flatnonzero(~near.any(axis=1)):
        assert doubtful[row] == weak[row].any()


@pytest.mark.parametrize("bands", [1, 13, 64, 128])
@pytest.mark.parametrize("norm", [True, False])
@pytest.mark.parametrize("scale", ["slaney", "htk"])
@pytest.mark.filterwarnings("ignore:Empty filters:UserWarning")
def test_mel_filters_equal_librosa(bands: int, norm: bool, scale: str) -> None:
    filters = Filters(scale, 16_000, bands, 20.0, 7_600.0, norm)
    expected = librosa.filters.mel(
        sr=16_000,
        n_fft=512,
        n_mels=bands,
        fmin=20.0,
        fmax=7_600.0,
        htk=scale == "htk",
        norm="slaney" if norm else None,
        dtype=np.float64,
    )
    np.testing.assert_allclose(weights(filters, 512).T, expected, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize(
    ("bands", "n_fft", "rate"), [(24, 512, 8_000), (26, 512, 16_000), (40, 256, 8_000)]
)
def test_whole_bin_filters_equal_python_speech_features(bands: int, n_fft: int, rate: int) -> None:
    expected = python_speech_features.get_filterbanks(bands, n_fft, rate, 0, rate / 2)
    found = weights(Filters("bins", rate, bands, 0.0, rate / 2, False), n_fft)
    np.testing.assert_array_equal(found.T, expected)


def thesis_statistics(wave: Floats, rate: int) -> Floats:
    """The 168 inputs as the thesis makes them, statistic by statistic."""
    bank = python_speech_features.logfbank(
        wave, rate, winlen=0.03, winstep=0.01, nfilt=24, nfft=512, preemph=0.97
    )
    spread = bank.std(axis=0, ddof=1) if len(bank) > 1 else np.zeros(24)
    quartiles = np.percentile(bank, [50, 25, 75], axis=0)
    rows = [bank.min(0), bank.max(0), spread, bank.mean(0), *quartiles]
    return np.concatenate(rows).astype(np.float32)


@pytest.mark.parametrize("samples", [8_000, 5_003, 1_234, 480, 321, 320, 241])
def test_summary_equals_python_speech_features(samples: int) -> None:
    wave = voice(samples, 8_000)[:, 0]
    (found,) = LogBankSummary()([wave[None]], 8_000)
    assert found.shape == (1, 1, 168)
    np.testing.assert_allclose(found[0, 0], thesis_statistics(wave, 8_000), rtol=0, atol=1e-4)


@pytest.mark.real
def test_summary_of_real_recordings(recordings: Path) -> None:
    paths = sorted(recordings.glob("fsdd/**/*_2.wav"))[:20]
    assert paths
    for path in paths:
        wave, rate = decode(path, Signal(rate=8_000))
        (found,) = LogBankSummary()([wave], rate)
        np.testing.assert_allclose(found[0, 0], thesis_statistics(wave[0], rate), atol=1e-4)


@pytest.mark.parametrize("samples", [1, 100, 240])
def test_summary_of_one_frame_has_no_spread(samples: int) -> None:
    wave = voice(samples, 8_000)[:, 0]
    (found,) = LogBankSummary()([wave[None]], 8_000)
    low, high, spread, mean, median, first, third = found.reshape(7, 24)
    np.testing.assert_array_equal(spread, 0)
    for other in (high, mean, median, first, third):
        np.testing.assert_array_equal(other, low)


def test_summary_of_a_constant_is_that_constant() -> None:
    levels = np.full((37, 24), np.float32(-7.3))  # a value whose mean would round away from it
    np.testing.assert_array_equal(
        summary(levels).reshape(7, 24), [[0 if s == 2 else levels[0, 0]] * 24 for s in range(7)]
    )


@settings(max_examples=50)
@given(st.integers(1, 60), st.integers(0, 2**32 - 1))
def test_summary_equals_numpy(frames: int, seed: int) -> None:
    levels = np.random.default_rng(seed).normal(-5, 3, (frames, 4)).astype(np.float32)
    spread = levels.std(axis=0, ddof=1, dtype=np.float64) if frames > 1 else np.zeros(4)
    quartiles = np.percentile(levels, [50, 25, 75], axis=0)
    expected = [levels.min(0), levels.max(0), spread, levels.mean(0), *quartiles]
    np.testing.assert_allclose(summary(levels).reshape(7, 4), expected, rtol=1e-5, atol=1e-5)


EXTRACTIONS: Sequence[Extraction] = (
    LogMel(),
    Mfcc(coefficients=20),
    Mfcc(top_db=50.0, coefficients=13),
    LogMel(bands=40),
    LogBankSummary(),
    Waveform(),
    LogMel(top_db=30.0),
)


@settings(max_examples=25)
@given(
    st.lists(st.tuples(st.integers(1, 9_000), st.integers(1, 3)), min_size=1, max_size=20),
    st.randoms(use_true_random=False),
)
def test_a_clip_does_not_depend_on_its_neighbours(clips: list[tuple[int, int]], random) -> None:  # type: ignore[no-untyped-def]
    """Bit for bit: alone, in any order, beside any others, sharing a transform or not."""
    waves = [voice(n, 8_000, c, seed).T for seed, (n, c) in enumerate(clips)]
    order = list(range(len(waves)))
    random.shuffle(order)
    shared = extract_shared(EXTRACTIONS, [waves[at] for at in order], 8_000)
    for extraction, results in zip(EXTRACTIONS, shared, strict=True):
        for place, at in enumerate(order[:4]):
            (alone,) = extraction([waves[at]], 8_000)
            np.testing.assert_array_equal(results[place], alone)


@pytest.mark.parametrize("extraction", EXTRACTIONS)
def test_channels_are_treated_separately(extraction: Extraction) -> None:
    wave = np.ascontiguousarray(voice(5_000, 8_000, channels=3).T)
    wave[1] *= 0.1
    (together,) = extraction([wave], 8_000)
    for channel in range(3):
        (alone,) = extraction([wave[channel : channel + 1]], 8_000)
        np.testing.assert_array_equal(together[channel], alone[0])


@pytest.mark.parametrize("extraction", EXTRACTIONS)
@pytest.mark.parametrize("samples", [1, 39, 200, 8_000, 16_321])
def test_shape_is_as_promised(extraction: Extraction, samples: int) -> None:
    (found,) = extraction([voice(samples, 8_000).T], 8_000)
    assert found.dtype == np.float32
    assert np.isfinite(found).all()
    assert found.shape[::2] == (1, extraction.features(8_000))
    rate = extraction.frame_rate(8_000)
    if rate:
        assert abs(found.shape[1] - samples / 8_000 * rate) <= 1
    else:
        assert found.shape[1] == 1


def test_waveform_is_the_signal() -> None:
    wave = np.ascontiguousarray(voice(123, channels=2).T)
    (found,) = Waveform()([wave], 16_000)
    np.testing.assert_array_equal(found[..., 0], wave)


def test_every_parameter_is_part_of_the_digest() -> None:
    values = [
        LogMel(),
        LogMel(bands=65),
        LogMel(hop=0.02),
        LogMel(top_db=80.0),
        LogMel(fmax=7e3),
        Mfcc(),
        Mfcc(lifter=22.0),
        LogBankSummary(),
        LogBankSummary(n_fft=256),
        Waveform(),
    ]
    assert len({digest(value) for value in values}) == len(values)


@pytest.mark.parametrize(
    ("make", "rate", "message"),
    [
        (lambda: LogMel(n_fft=256), 16_000, "n_fft 256 is shorter than the window, 400 samples"),
        (lambda: LogMel(fmax=9_000.0), 16_000, "half the sample rate"),
        (lambda: LogMel(scale="bark"), 16_000, "'slaney' or 'htk'"),
        (lambda: LogMel(bands=0), 16_000, "must be above 0"),
        (lambda: Mfcc(coefficients=65), 16_000, r"between 1 and bands \(64\)"),
        (lambda: LogBankSummary(), 44_100, "n_fft is shorter than the window"),
    ],
)
def test_impossible_parameters(make, rate: int, message: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(StudyError, match=message):
        make()([voice(1_000).T], rate)

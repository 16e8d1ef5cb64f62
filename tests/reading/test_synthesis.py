"""Synthetic sound against closed forms and against measurements by librosa and scipy."""

from __future__ import annotations

from pathlib import Path

import librosa
import numpy as np
import pytest
import soundfile
from scipy.signal import welch
from scipy.stats import qmc

from raymtl.reading import synthesis
from raymtl.reading.synthesis import VOWELS, Mood, Voice, generator, latent


def test_latent_points_are_hammersleys() -> None:
    count = 41
    points = np.array([latent(i, count) for i in range(count)])
    np.testing.assert_allclose(points[:, 0], (np.arange(count) + 0.5) / count)
    halton = qmc.Halton(3, scramble=False).random(count + 1)[1:]  # its first point is the origin
    np.testing.assert_allclose(points[:, 1:], halton, atol=1e-12)


def test_generators_depend_on_the_seed_and_the_names_alone() -> None:
    draws = {key: generator(*key).normal() for key in ((0, "a", 1), (1, "a", 1), (0, "a", 2))}
    assert len(set(draws.values())) == 3
    assert generator(0, "a", 1).normal() == draws[0, "a", 1]


@pytest.mark.parametrize("rate", [8_000, 16_000, 48_000])
@pytest.mark.parametrize("pitch", [100.0, 160.0, 240.0])
def test_speech_has_the_pitch_of_its_voice(rate: int, pitch: float) -> None:
    wave = synthesis.speech(Voice(pitch, vibrato=0.0), (4,), 1.0, rate, generator(0, int(pitch)))
    found = librosa.yin(wave, fmin=60, fmax=400, sr=rate, frame_length=rate // 10)
    assert np.median(found) == pytest.approx(pitch, rel=0.06)  # it varies by 4 % a clip


def test_a_glide_moves_the_pitch() -> None:
    wave = synthesis.speech(Voice(120.0), (4,), 1.0, 16_000, generator(0), Mood(glide=0.6))
    found = librosa.yin(wave, fmin=60, fmax=300, sr=16_000)
    first, last = np.median(found[2:8]), np.median(found[-8:-2])
    assert np.log2(last / first) == pytest.approx(0.6 * 0.7, abs=0.2)  # of 0.6 octaves end to end


@pytest.mark.parametrize("vowel", range(len(VOWELS)))
def test_vowels_resonate_at_their_first_formant(vowel: int) -> None:
    wave = synthesis.speech(Voice(80.0, tilt=-3.0, breath=0.0), (vowel,), 1.0, 16_000,
                            generator(0, vowel))  # fmt: skip
    hertz, power = welch(wave, 16_000, nperseg=4_096)
    low = hertz < (VOWELS[vowel][0] + VOWELS[vowel][1]) / 2
    loudest = hertz[low][np.argmax(power[low])]
    assert loudest == pytest.approx(VOWELS[vowel][0], abs=80)  # one harmonic apart at most


def test_women_speak_higher_than_men_and_all_voices_differ() -> None:
    men, women = ([synthesis.voice(i, 5, female) for i in range(5)] for female in (False, True))
    assert max(v.pitch for v in men) < min(v.pitch for v in women)
    assert max(v.formants for v in men) < min(v.formants for v in women)
    assert len({*men, *women}) == 10


def test_harmonics_are_sines() -> None:
    phase = np.linspace(0, 300, 5_000)
    exact = np.sin(np.arange(1, 41)[:, None] * phase)
    # the recurrence loses about k^2 rounding errors of float32 near phases where sine is flat
    np.testing.assert_allclose(synthesis._harmonics(phase, 40), exact, atol=2e-3)


def test_one_vowel_fades_into_the_next() -> None:
    weights = synthesis._turns(3, 300)
    np.testing.assert_allclose(weights.sum(axis=0), 1, atol=1e-6)
    assert [int(weights[:, t].argmax()) for t in (10, 150, 290)] == [0, 1, 2]


def test_words_differ_and_digits_come_first() -> None:
    assert len({synthesis.word(k) for k in range(100)}) == 100
    assert len({frozenset(synthesis.word(k)) for k in range(10)}) == 10


@pytest.mark.parametrize("tilt", [0.0, -3.0, -6.0, -9.0])
def test_noise_falls_by_its_tilt(tilt: float) -> None:
    wave = synthesis.noise(tilt, 20.0, 16_000, generator(0, "noise"))
    assert float(np.sqrt(np.mean(wave**2))) == pytest.approx(0.1, rel=1e-3)
    hertz, power = welch(wave, 16_000, nperseg=4_096)
    band = (hertz > 100) & (hertz < 6_000)
    slope = np.polyfit(np.log2(hertz[band]), 10 * np.log10(power[band]), 1)[0]
    assert slope == pytest.approx(tilt, abs=0.3)  # Welch's estimate of 20 s


@pytest.mark.parametrize("count", [4, 10, 41, 50])
def test_sounds_of_a_list_all_differ(count: int) -> None:
    sounds = {synthesis.sound(i, count) for i in range(count)}
    assert len({(s.kind, round(s.centre, 3)) for s in sounds}) == count
    assert {s.kind for s in sounds} == set(synthesis.KINDS)


@pytest.mark.parametrize("index", range(8))
@pytest.mark.parametrize("rate", [8_000, 44_100])
def test_events_are_loud_finite_and_repeatable(index: int, rate: int) -> None:
    what = synthesis.sound(index, 8)
    one, other = (synthesis.event(what, 0.5, rate, generator(0, index)) for _ in range(2))
    np.testing.assert_array_equal(one, other)
    assert one.dtype == np.float32
    assert one.shape == (rate // 2,)
    assert 0.2 < np.max(np.abs(one)) <= 0.5


def test_a_tone_lies_at_its_centre() -> None:
    what = synthesis.sound(4, 8)
    assert what.kind == "tone"
    wave = synthesis.event(what, 2.0, 16_000, generator(0))
    hertz, power = welch(wave, 16_000, nperseg=8_192)
    assert hertz[np.argmax(power)] == pytest.approx(what.centre, rel=0.06)


def test_scenes_have_channels_that_differ() -> None:
    left, right = synthesis.scene(synthesis.place(3, 15), 1.0, 44_100, generator(0), channels=2)
    assert left.shape == right.shape == (44_100,)
    assert 0.05 < np.corrcoef(left, right)[0, 1] < 0.99


@pytest.mark.parametrize("seconds", [0.0, 1 / 8_000, 0.01])
def test_no_length_is_too_short(seconds: float) -> None:
    samples = round(seconds * 8_000)
    rng = generator(0)
    assert synthesis.speech(Voice(), (0, 1), seconds, 8_000, rng).shape == (samples,)
    assert synthesis.noise(-3.0, seconds, 8_000, rng).shape == (samples,)
    assert synthesis.scene(synthesis.place(0, 3), seconds, 8_000, rng, 2).shape == (2, samples)
    for index in range(4):
        assert synthesis.event(synthesis.sound(index, 4), seconds, 8_000, rng).shape == (samples,)


@pytest.mark.parametrize(("subtype", "step"), [("PCM_16", 2**-15), ("PCM_24", 2**-23)])
def test_waves_below_full_scale_are_written_as_they_are(
    tmp_path: Path, subtype: str, step: float
) -> None:
    wave = np.random.default_rng(0).uniform(-0.9, 0.9, (2, 500)).astype(np.float32)
    synthesis.write_wav(tmp_path / "new folder" / "x.wav", wave, 44_100, subtype)
    found, rate = soundfile.read(tmp_path / "new folder" / "x.wav")
    assert rate == 44_100
    assert soundfile.info(tmp_path / "new folder" / "x.wav").subtype == subtype
    np.testing.assert_allclose(found.T, wave, rtol=0, atol=step)


def test_waves_above_full_scale_are_scaled_not_clipped(tmp_path: Path) -> None:
    wave = 3.0 * np.sin(np.arange(1_000) / 20, dtype=np.float32)
    synthesis.write_wav(tmp_path / "x.wav", wave, 8_000)
    found = soundfile.read(tmp_path / "x.wav")[0]
    np.testing.assert_allclose(found, wave * 0.99 / np.abs(wave).max(), rtol=0, atol=2**-15)

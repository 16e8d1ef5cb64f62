"""Synthetic sound for miniature corpora, made from shared latent factors.

A voice has a pitch, a vocal-tract length and a tilt; a mood changes how any voice speaks; a word is
a path through vowel formants; a sound or place has parameters of its own. Tasks that rest on the
same factor (speaker and sex, emotion and stress, digit and word) are therefore truly related, and
tasks that rest on different ones are not.

All waveforms are float32, full scale 1, and a function of their arguments and the generator alone.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import soundfile

Floats = npt.NDArray[np.float32]
Doubles = npt.NDArray[np.float64]

# First three formants in Hz of ten vowels, averages of men: Peterson & Barney, JASA 24 (1952).
VOWELS = (
    (270.0, 2290.0, 3010.0), (390.0, 1990.0, 2550.0), (530.0, 1840.0, 2480.0),
    (660.0, 1720.0, 2410.0), (730.0, 1090.0, 2440.0), (570.0, 840.0, 2410.0),
    (440.0, 1020.0, 2240.0), (300.0, 870.0, 2240.0), (640.0, 1190.0, 2390.0),
    (490.0, 1350.0, 1690.0),
)  # fmt: skip
KINDS = ("tone", "chirp", "burst", "pulses")
HIGHEST_HARMONIC = 4_500.0  # Hz


def generator(seed: int, *names: str | int) -> np.random.Generator:
    """Random numbers for one clip: a function of the seed and the clip's names, not of order."""
    text = "/".join(map(str, names)).encode()
    return np.random.default_rng([seed, *hashlib.sha256(text).digest()[:8]])


def latent(index: int, count: int, dimensions: int = 4) -> tuple[float, ...]:
    """Point `index` of `count` well-spread points in the unit cube (Hammersley's set).

    Out: `dimensions` numbers within 0..1; the first alone tells all points apart.
    """
    bases = (2, 3, 5, 7, 11)[: dimensions - 1]
    return ((index + 0.5) / count, *(_radical_inverse(index + 1, base) for base in bases))


def _radical_inverse(number: int, base: int) -> float:
    value, digit = 0.0, 1.0 / base
    while number:
        number, rest = divmod(number, base)
        value, digit = value + rest * digit, digit / base
    return value


def _between(low: float, high: float, share: float) -> float:
    """Geometric interpolation between two positive numbers."""
    return float(low * (high / low) ** share)


@dataclass(frozen=True)
class Voice:
    """Who speaks. pitch in Hz; formants scales vowel formants; tilt in dB per octave."""

    pitch: float = 120.0
    formants: float = 1.0
    tilt: float = -9.0
    vibrato: float = 0.01  # relative depth of a 5 Hz modulation of pitch
    breath: float = 0.003  # noise, root mean square relative to full scale


@dataclass(frozen=True)
class Mood:
    """How it is spoken: changes of pitch, its movement, loudness, tilt, tremor and pace."""

    pitch: float = 1.0  # factor
    glide: float = 0.0  # octaves from the first to the last sample
    tilt: float = 0.0  # dB per octave added
    gain: float = 0.0  # dB
    tremor: float = 4.0  # Hz, modulation of the envelope
    depth: float = 0.0  # of the tremor, 0..1


def voice(index: int, count: int, female: bool) -> Voice:
    """Speaker `index` of `count`: women speak higher and with shorter vocal tracts than men."""
    high, tract, dull, shake = latent(index, count)
    low, top, shift = (175.0, 265.0, 1.17) if female else (90.0, 145.0, 1.0)
    return Voice(_between(low, top, high), shift * _between(0.93, 1.07, tract),
                 -6.0 - 7.0 * dull, 0.003 + 0.02 * shake, 0.002 + 0.004 * tract)  # fmt: skip


def mood(index: int, count: int) -> Mood:
    """Mood `index` of `count`, 0 being neutral."""
    if index == 0:
        return Mood()
    level, bright, move, shake = latent(index, count)
    return Mood(_between(0.85, 1.5, level), 1.2 * move - 0.6, 12.0 * bright - 6.0,
                20.0 * level - 8.0, _between(3.0, 14.0, shake), 0.3 + 0.65 * level)  # fmt: skip


def word(index: int) -> tuple[int, int]:
    """Vowels of word `index`, distinct for 0..99; 0..9 are the ten digits everywhere."""
    first, turn = index % 10, index // 10
    return first, (3 * first + 4 + turn) % 10


def speech(
    who: Voice,
    vowels: tuple[int, ...],
    seconds: float,
    rate: int,
    rng: np.random.Generator,
    how: Mood | None = None,
) -> Floats:
    """Vowels in turn by one voice: harmonics of a gliding pitch under formant envelopes.

    Out: (samples,). Pitch, formants and level vary a little from clip to clip.
    """
    how = how or Mood()
    time = np.arange(round(seconds * rate)) / rate
    if not time.size:
        return np.zeros(0, np.float32)
    pitch = who.pitch * how.pitch * rng.uniform(0.96, 1.04)
    harmonics = max(1, int(min(HIGHEST_HARMONIC, 0.45 * rate) / (pitch * 1.3)))
    tract = replace(who, formants=who.formants * rng.uniform(0.98, 1.02), tilt=who.tilt + how.tilt)
    levels = np.stack([_envelope(tract, VOWELS[v], pitch, harmonics) for v in vowels])
    phase = _phase(time, rate, pitch, who, how, rng)
    parts = levels @ _harmonics(phase, harmonics)
    wave = np.sum(_turns(len(vowels), time.size) * parts, axis=0)
    wave *= 0.08 * 10 ** (how.gain / 20) / max(_rms(wave), 1e-9)
    wave = wave * _shape(time, how) + rng.normal(0.0, who.breath, time.size).astype(np.float32)
    return np.asarray(wave, np.float32)


def _phase(
    time: Doubles, rate: int, pitch: float, who: Voice, how: Mood, rng: np.random.Generator
) -> Doubles:
    """Phase of the fundamental, (samples,) in radians."""
    path = 2 ** (how.glide * (time / max(float(time[-1]), 1e-9) - 0.5))
    wobble = 1 + who.vibrato * np.sin(2 * np.pi * (5.0 * time + rng.uniform()))
    phase: Doubles = 2 * np.pi * pitch / rate * np.cumsum(path * wobble)
    return phase


def _harmonics(phase: Doubles, count: int) -> Floats:
    """sin(k phase) for k = 1..count, (count, samples), by Chebyshev's recurrence."""
    out = np.empty((count, phase.size), np.float32)
    twice = (2 * np.cos(phase)).astype(np.float32)
    before, now = np.zeros(phase.size, np.float32), np.sin(phase).astype(np.float32)
    for k in range(count):
        out[k] = now
        before, now = now, twice * now - before
    return out


def _envelope(who: Voice, formants: tuple[float, ...], pitch: float, count: int) -> Floats:
    """Amplitude of each harmonic: resonances of 120 Hz half width on a tilted source."""
    hertz = pitch * np.arange(1, count + 1)
    peaks = [1 / (1 + ((hertz - who.formants * f) / 120.0) ** 2) for f in formants]
    tilt = 10 ** (who.tilt * np.log2(hertz / pitch) / 20)
    return np.asarray((0.02 + np.sum(peaks, axis=0)) * tilt, np.float32)


def _turns(count: int, samples: int) -> Floats:
    """Weights (count, samples) that fade from one vowel to the next and sum to 1."""
    place = np.linspace(-0.5, count - 0.5, samples)
    return np.asarray(
        [np.clip(1.0 - 2 * (abs(np.clip(place, 0, count - 1) - k) - 0.25), 0, 1)
         for k in range(count)], np.float32
    )  # fmt: skip


def _shape(time: Doubles, how: Mood) -> Floats:
    """Level over time: a fade of 20 ms at both ends and the mood's tremor."""
    fade = np.minimum(1.0, np.minimum(time, time[::-1]) / 0.02)
    tremor = 1 - how.depth * (0.5 + 0.5 * np.sin(2 * np.pi * how.tremor * time))
    return np.asarray(fade * tremor, np.float32)


def noise(tilt: float, seconds: float, rate: int, rng: np.random.Generator) -> Floats:
    """Gaussian noise of `tilt` dB per octave (0 white, -3 pink, -6 brown), rms 0.1, (samples,)."""
    size = round(seconds * rate)
    bins = np.fft.rfftfreq(max(size, 1), 1 / rate)
    gain = (np.maximum(bins, 50.0) / 1_000.0) ** (tilt / 6.0206)
    spectrum = gain * (rng.normal(size=bins.size) + 1j * rng.normal(size=bins.size))
    wave = np.fft.irfft(spectrum, max(size, 1))[:size]
    return np.asarray(0.1 * wave / max(_rms(wave), 1e-9), np.float32)


def _rms(wave: npt.NDArray[np.floating]) -> float:
    return float(np.sqrt(np.mean(np.square(wave)))) if wave.size else 0.0


@dataclass(frozen=True)
class Sound:
    """A source of sound events. centre in Hz; bend in octaves; repeats in Hz; decay in seconds."""

    kind: str  # one of KINDS
    centre: float
    bend: float
    repeats: float
    decay: float


def sound(index: int, count: int) -> Sound:
    """Sound `index` of `count`: kinds take turns, and parameters tell sounds of one kind apart."""
    where, bend, often, long = latent(index, count)
    return Sound(KINDS[index % len(KINDS)], _between(200.0, 3_400.0, where), 2.0 * bend - 1.0,
                 _between(2.0, 12.0, often), _between(0.05, 0.6, long))  # fmt: skip


def event(what: Sound, seconds: float, rate: int, rng: np.random.Generator) -> Floats:
    """The sound, repeated for `seconds`, peak about 0.5, (samples,)."""
    size = round(seconds * rate)
    if not size:
        return np.zeros(0, np.float32)
    time = np.arange(size) / rate
    centre = what.centre * 2 ** rng.uniform(-0.06, 0.06)
    since = np.mod(time + rng.uniform(0, 0.02), 1 / what.repeats)  # since the last onset
    wave = _carrier(what, centre, time, since, rng) * np.exp(-since / what.decay)
    edge = np.minimum(1.0, np.minimum(time, time[::-1]) / 0.005)
    return np.asarray(0.5 * wave * edge / max(float(np.max(np.abs(wave))), 1e-9), np.float32)


def _carrier(
    what: Sound, centre: float, time: Doubles, since: Doubles, rng: np.random.Generator
) -> Doubles:
    if what.kind == "tone":
        parts = [np.sin(2 * np.pi * k * centre * time) / k for k in (1, 2, 3)]
        return np.asarray(np.sum(parts, axis=0))
    if what.kind == "chirp":
        bend = what.bend * what.repeats
        return np.asarray(np.sin(2 * np.pi * centre * since * 2 ** (bend * since)))
    slow = rng.normal(size=int(time[-1] * centre / 2) + 2)
    band = np.interp(time * centre / 2, np.arange(slow.size), slow)
    if what.kind == "burst":
        return np.asarray(band * np.sin(2 * np.pi * centre * time))
    return np.asarray(np.exp(-since * 120.0) * np.sin(2 * np.pi * centre * since))


@dataclass(frozen=True)
class Place:
    """An acoustic scene: coloured noise, a hum, and events now and then."""

    tilt: float  # of the noise, dB per octave
    hum: float  # Hz
    loud: float  # the hum's amplitude
    what: Sound
    often: float  # events per second


def place(index: int, count: int) -> Place:
    """Scene `index` of `count`."""
    tilt, hum, loud, often = latent(index, count)
    return Place(2.0 - 11.0 * tilt, _between(50.0, 400.0, hum), 0.15 * loud,
                 sound(index, count), _between(0.5, 3.0, often))  # fmt: skip


def scene(
    where: Place, seconds: float, rate: int, rng: np.random.Generator, channels: int = 1
) -> Floats:
    """A stretch of the scene, (channels, samples): events lie at one direction each."""
    size = round(seconds * rate)
    time = np.arange(size) / rate
    gain = rng.uniform(0.7, 1.4)
    hum = where.loud * np.sin(2 * np.pi * where.hum * rng.uniform(0.98, 1.02) * time)
    wave = np.stack([hum + noise(where.tilt, seconds, rate, rng) for _ in range(channels)])
    for _ in range(rng.poisson(where.often * seconds)):
        length = min(0.25, seconds)
        start = int(rng.uniform(0, max(seconds - length, 0)) * rate)
        heard = event(where.what, length, rate, rng)[: size - start]
        pan = rng.uniform(0.2, 0.8, size=(channels, 1))
        wave[:, start : start + heard.size] += 0.5 * pan * heard
    return np.asarray(gain * wave, np.float32)


def write_wav(path: Path, samples: npt.ArrayLike, rate: int, subtype: str = "PCM_16") -> None:
    """Writes (samples,) or (channels, samples); a wave above full scale is scaled to just below it.

    Folders are made; the suffix chooses the container (`.ogg` with subtype `VORBIS`).
    """
    wave = np.atleast_2d(np.asarray(samples, np.float32))
    peak = float(np.max(np.abs(wave), initial=0.0))
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, (wave * min(1.0, 0.99 / max(peak, 1e-9))).T, rate, subtype=subtype)

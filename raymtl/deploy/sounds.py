"""Pieces of sound as the network's signal wants them, from memory or from files."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from torch import Tensor

from raymtl.errors import AudioError, DecodingError
from raymtl.extraction import riff
from raymtl.extraction.audio import Segments, Signal, kept_channels
from raymtl.extraction.resampling import resample_many
from raymtl.extraction.signals import ClipRow, Decoding, Floats
from raymtl.extraction.sound import Recording, check, finite, open_recording

_AT_ONCE = 64  # spans of a waveform that are resampled at a time
_VALUES = 1 << 22  # samples of a long recording in memory at a time
_FULL_SCALE = {np.dtype(np.int16): 2**15, np.dtype(np.int32): 2**31}
_MARGIN = 1e-6  # seconds by which sums of seconds may be off


@dataclass(frozen=True, eq=False)
class Piece:
    """wave: (channels, samples) float32 at the signal's rate, or an image or table; start, end:
    seconds in the recording, 0 for what is no sound. raised: as `Decoded.raised`."""

    wave: Floats
    start: float
    end: float
    raised: bool = False


Spans = list[tuple[float, float]]


def spans(seconds: float, window: float, hop: float) -> Spans:
    """Windows of a recording; the last one reaches its end, and no part is left out.

    A recording not longer than a window is one span.
    """
    if seconds <= window + _MARGIN:
        return [(0.0, seconds)]
    count = int((seconds - window) / hop + _MARGIN) + 1
    found = [(k * hop, k * hop + window) for k in range(count)]
    if found[-1][1] < seconds - _MARGIN:
        found.append((seconds - window, seconds))
    return found


def of_segments(seconds: float, segments: Segments) -> Spans:
    """Windows as long as the segments that the network learnt from.

    Raises:
        AudioError: for a recording shorter than one, where training padded none.
    """
    if seconds < segments.seconds - _MARGIN and segments.partial != "pad":
        raise AudioError(
            f"lasts {seconds:.3f} s; the network learnt from segments of {segments.seconds:g} s "
            "and none were padded. Give it longer recordings."
        )
    return spans(seconds, segments.seconds, segments.hop or segments.seconds)


def whole(signal: Decoding) -> Decoding:
    """The signal without its cutting into segments, which is done here."""
    return replace(signal, segments=None) if isinstance(signal, Signal) else signal


def from_memory(
    waveform: npt.NDArray[Any], rate: int, signal: Signal, at: Spans
) -> Iterator[Piece]:
    """The given spans of a waveform, (samples,) or (channels, samples), as `checked` takes it.

    Raises:
        AudioError: for another shape, other integers, NaN, or channels or a rate that the signal
            refuses.
    """
    native = _downmixed(checked(waveform, rate), signal)
    for first in range(0, len(at), _AT_ONCE):
        some = at[first : first + _AT_ONCE]
        cut = [native[:, a:b] for a, b in (_samples(span, rate) for span in some)]
        yield from _resampled(cut, some, rate, signal)


def from_file(
    path: Path, signal: Decoding, at: Spans | None, key: str | None = None
) -> Iterator[Piece]:
    """The given spans of a recording, decoded as in training; None: a file that is no sound, of
    which the key says which clip is meant.

    Raises:
        DecodingError: why it cannot be decoded.
    """
    plain = whole(signal)
    if at is None:
        clip = path.name if key is None else f"{path.name}/{key}"
        yield from _decoded([ClipRow(clip, str(path))], plain, [(0.0, 0.0)], signal)
        return
    if len(at) == 1 and at[0][0] == 0.0:  # the fast way: read at once
        yield from _decoded([ClipRow(path.name, str(path))], plain, at, signal)
        return
    assert isinstance(signal, Signal)
    recording = open_recording(str(path), whole=False)
    try:
        yield from _streamed(recording, signal, at)
    finally:
        recording.close()


def _streamed(recording: Recording, signal: Signal, at: Spans) -> Iterator[Piece]:
    """Windows of a recording that is read once, forwards: seeking in MP3 gives other samples."""
    mono, rate = signal.channels == "mono", recording.rate
    kept = kept_channels(recording.channels, signal.channels)
    held, begin = np.empty((kept, 0), np.float32), 0
    for some in _groups(at, _VALUES / rate / kept):
        first, last = _samples(some[0], rate)[0], min(_samples(some[-1], rate)[1], recording.frames)
        while begin + held.shape[1] < last:
            end = begin + held.shape[1]
            held = held[:, max(min(first - begin, held.shape[1]), 0) :]
            begin = end - held.shape[1]
            more = recording.read(end, min(end + _VALUES, last), mono, kept)
            held = np.concatenate([held, more], axis=1)
        cut = [held[:, a - begin : b - begin] for a, b in (_samples(span, rate) for span in some)]
        yield from _resampled(cut, some, rate, signal)


def _groups(at: Spans, most: float) -> Iterator[Spans]:
    """Spans that follow each other, together no longer than so many seconds, if not one alone."""
    group: Spans = []
    for span in at:
        if group and span[1] - group[0][0] > most:
            yield group
            group = []
        group.append(span)
    yield group


def _samples(span: tuple[float, float], rate: int) -> tuple[int, int]:
    """The first sample of a span, and the one behind its last; never none."""
    first = round(span[0] * rate)
    return first, max(round(span[1] * rate), first + 1)


def _resampled(cut: Sequence[Floats], at: Spans, rate: int, signal: Signal) -> Iterator[Piece]:
    """Spans at their native rate to pieces at the signal's."""
    wanted = signal.rate or rate
    most = None if signal.seconds is None else round(signal.seconds * rate)
    brief = [np.ascontiguousarray(wave[:, :most]) for wave in cut]
    waves = resample_many(brief, [rate] * len(cut), wanted)
    for wave, (start, end) in zip(waves, at, strict=True):
        assert wave is not None
        yield Piece(_exactly(wave, signal, wanted), start, end, rate < wanted)


def _decoded(
    rows: Sequence[ClipRow], plain: Decoding, at: Sequence[tuple[float, float]], signal: Decoding
) -> Iterator[Piece]:
    decoded = plain.decode_many(rows)
    for wave, (start, end), raised in zip(decoded.waves, at, decoded.raised, strict=True):
        if wave is None:
            raise DecodingError(decoded.skipped[0].reason)
        if isinstance(signal, Signal):
            wave = _exactly(wave, signal, decoded.rate)
        yield Piece(wave, start, end, raised)


def checked(waveform: npt.NDArray[Any] | Tensor, rate: float) -> Floats:
    """A waveform of the caller's as (channels, samples) float32.

    Floats are taken at full scale 1. Integers of 16 and 32 bits are divided by 2^15 and 2^31, as
    libsndfile does; so what `scipy.io.wavfile.read` gives of 16, 24 and 32 bits is what
    `soundfile.read` gives.

    Raises:
        AudioError: for another shape, other integers, NaN, no samples, or a rate that is none.
    """
    given = waveform.detach().cpu() if isinstance(waveform, Tensor) else waveform
    given = given.float() if isinstance(given, Tensor) and given.is_floating_point() else given
    wave = np.atleast_2d(np.asarray(given))
    floats = np.issubdtype(wave.dtype, np.floating)
    if wave.ndim != 2 or not (floats or wave.dtype in _FULL_SCALE):
        raise AudioError(
            f"a waveform of {wave.dtype} and shape {np.shape(given)}; expected floats at full "
            "scale 1, or integers of 16 or 32 bits, (samples,) or (channels, samples). Divide "
            "other integers by their full scale."
        )
    if wave.shape[0] > wave.shape[1] > 0:
        raise AudioError(
            f"a waveform of {wave.shape[0]} channels and {wave.shape[1]} samples; expected "
            "(samples,) or (channels, samples). Transpose it."
        )
    if not wave.size:
        raise AudioError("a waveform without samples.")
    if rate != round(rate):
        raise AudioError(f"rate {rate} Hz; expected a whole number.")
    check(round(rate), *wave.shape)
    if not floats:
        return wave.astype(np.float32) * np.float32(1 / _FULL_SCALE[wave.dtype])
    return finite(wave.astype(np.float32, copy=False))


def _downmixed(wave: Floats, signal: Signal) -> Floats:
    """Channels as the signal asks for, as decoding does it."""
    mono, found = signal.channels == "mono", int(wave.shape[0])
    if isinstance(signal.channels, int) and found != signal.channels:
        raise AudioError(f"{found} channel(s), expected {signal.channels}, as in training.")
    kept = 1 if mono else 2 if signal.channels == "stereo" else found
    out = np.empty((kept, wave.shape[1]), np.float32)
    riff.downmix(np.ascontiguousarray(wave.T), np.float32(1), mono, out)
    return out


def _exactly(wave: Floats, signal: Signal, rate: int) -> Floats:
    """A segment of exactly its length, as in training."""
    if signal.segments is None:
        return wave
    missing = round(signal.segments.seconds * rate) - wave.shape[1]
    return (
        np.pad(wave, ((0, 0), (0, missing))) if missing > 0 else wave[:, : wave.shape[1] + missing]
    )

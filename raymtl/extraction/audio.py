"""From files to waveforms: which signal is wanted, and decoding it within bounds.

A recording that cannot be used is a value here (`Skipped`), for one bad file among many must not
end an extraction; what to do about it is decided above.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
import soundfile
import soxr
import torch

from raymtl.errors import AudioError, StudyError
from raymtl.extraction.resampling import resample_many
from raymtl.extraction.signals import ClipRow, Decoded, Decoding, Floats, Header, Skipped
from raymtl.extraction.small import mean_channel
from raymtl.extraction.sound import Recording, open_recording
from raymtl.reading.spans import LATE, beyond
from raymtl.spec import Spec

__all__ = ["ClipRow", "Decoded", "Segments", "Signal", "Skipped", "decode", "decode_many"]

_PACK = 240.0  # seconds of audio decoded and extracted at a time


MAX_SAMPLES = 2**28  # of one clip, all channels that are kept, before resampling: 1 GiB


@dataclass(frozen=True)
class Segments(Spec):
    """Cuts every clip into pieces of `seconds`, one every `hop` seconds (None: no overlap).

    partial: what becomes of a last piece that is not full: "drop", or "pad" with zeros.
    """

    seconds: float
    hop: float | None = None
    partial: str = "drop"

    def __post_init__(self) -> None:
        if self.seconds <= 0 or (self.hop is not None and self.hop <= 0):
            raise StudyError(f"{self}: seconds and hop must be above 0.")
        if self.partial not in ("drop", "pad"):
            raise StudyError(f"{self}: partial must be 'drop' or 'pad'.")


@dataclass(frozen=True)
class Signal(Decoding):
    """The waveform every extraction of a source starts from.

    rate: samples a second after resampling (soxr HQ); None keeps the native rate, which then must
        be the same in all files.
    channels: "mono" is the mean of all; "stereo" the first two (a mono file is doubled); "all"
        keeps what is there, which then must be the same in all files; a number asks for exactly
        that many.
    seconds: keep the first so many seconds of each clip. None: all.
    segments: cut clips (or what `seconds` left of them) into pieces.
    """

    media: ClassVar[str] = "audio"

    rate: int | None = 16_000
    channels: str | int = "mono"
    seconds: float | None = None
    segments: Segments | None = None

    def __post_init__(self) -> None:
        named = self.channels in ("mono", "stereo", "all")
        counted = isinstance(self.channels, int) and 1 <= self.channels <= 64
        if not (named or counted):
            raise StudyError(f"{self}: channels must be 'mono', 'stereo', 'all' or 1 to 64.")
        if self.rate is not None and not 1_000 <= self.rate <= 400_000:
            raise StudyError(f"{self}: rate must lie between 1,000 and 400,000 Hz.")
        if self.seconds is not None and self.seconds <= 0:
            raise StudyError(f"{self}: seconds must be above 0.")

    @property
    def looks(self) -> str:
        return "audio"

    def decode_many(self, rows: Sequence[ClipRow]) -> Decoded:
        return decode_many(rows, self)

    def header(self, path: Path) -> Header:
        recording = open_recording(str(path), whole=False)
        recording.close()
        return Header(recording.frames, recording.rate, recording.channels)

    def versions(self) -> dict[str, str]:
        return {
            "libsndfile": str(soundfile.__libsndfile_version__),
            "numpy": np.__version__.split(".")[0],
            "soxr": str(soxr.__version__),
            "torch": ".".join(str(torch.__version__).split(".")[:2]),
        }

    def pack(self, seconds: float) -> int:
        return max(int(_PACK / max(seconds, 0.05)), 1)

    def sizes(self, wave: Floats, rate: int) -> list[str]:
        return [f"{wave.shape[0]} channels", f"{wave.shape[1]} samples", f"{rate} Hz"]


def decode(
    path: Path, signal: Signal, start: float | None = None, end: float | None = None
) -> tuple[Floats, int]:
    """One clip: (channels, samples) float32 at full scale 1, and its rate.

    Raises:
        AudioError: when the file is missing, damaged, empty, truncated, holds NaN or infinite
            samples, or is beyond the bounds on rate, channels and duration.
    """
    decoded = decode_many([ClipRow(path.name, str(path), start, end)], signal)
    if decoded.skipped:
        raise AudioError(f"{path}: {decoded.skipped[0].reason}")
    wave = decoded.waves[0]
    assert wave is not None
    return wave, decoded.rate


def decode_many(rows: Sequence[ClipRow], signal: Signal) -> Decoded:
    """All clips of `rows`; adjacent rows of one file open it once."""
    natives, rates, skipped = _read_all(rows, signal)
    if signal.rate is not None:
        waves, rate = resample_many(natives, rates, signal.rate), signal.rate
    else:
        waves, rate = natives, _only(rates, rows)
    if signal.segments is not None:
        waves = [None if w is None else _exactly(w, signal.segments, rate) for w in waves]
    return Decoded(waves, rate, skipped, [0 < native < rate for native in rates])


def _read_all(
    rows: Sequence[ClipRow], signal: Signal
) -> tuple[list[Floats | None], list[int], list[Skipped]]:
    waves: list[Floats | None] = [None] * len(rows)
    rates, skipped = [0] * len(rows), []
    left = []
    brief = signal.channels == "mono" and signal.seconds is None
    for at, row in enumerate(rows):
        whole = brief and row.start is None and row.end is None
        found = mean_channel(row.path) if whole else None
        if found is None:
            left.append(at)
        else:
            waves[at], rates[at] = found
    for at, (row, recording) in zip(left, _opened([rows[at] for at in left]), strict=True):
        try:
            if isinstance(recording, AudioError):
                raise recording
            waves[at], rates[at] = _read(recording, row, signal), recording.rate
        except AudioError as error:
            skipped.append(Skipped(row.id, row.path, str(error)))
    return waves, rates, skipped


def _opened(rows: Sequence[ClipRow]) -> Iterator[tuple[ClipRow, Recording | AudioError]]:
    """Each row with its open file, or with the reason why it cannot be opened."""
    path: str | None = None
    recording: Recording | AudioError = AudioError("nothing opened")
    try:
        for row in rows:
            if row.path != path:
                if isinstance(recording, Recording):
                    recording.close()
                path, recording = row.path, _open(row)
            yield row, recording
    finally:
        if isinstance(recording, Recording):
            recording.close()


def _open(row: ClipRow) -> Recording | AudioError:
    try:
        return open_recording(row.path, whole=row.start is None and row.end is None)
    except AudioError as error:
        return error


def _read(recording: Recording, row: ClipRow, signal: Signal) -> Floats:
    """The clip's part of a recording, downmixed, at the native rate."""
    first, last = _range(recording, row, signal)
    kept = kept_channels(recording.channels, signal.channels)
    if (last - first) * kept > MAX_SAMPLES:
        raise AudioError(
            f"{(last - first) / recording.rate:.0f} s of {kept} channel(s) at {recording.rate} Hz "
            f"in one clip; at most {MAX_SAMPLES:,} samples. Cut it with Signal(segments=...), "
            "or keep its beginning with Signal(seconds=...)."
        )
    return recording.read(first, last, signal.channels == "mono", kept)


def _range(recording: Recording, row: ClipRow, signal: Signal) -> tuple[int, int]:
    """First frame and the one behind the last."""
    rate, frames = recording.rate, recording.frames
    first = round((row.start or 0.0) * rate)
    last = frames if row.end is None else round(row.end * rate)
    if last - frames > LATE * rate or first >= frames or first < 0 or first >= last:
        raise AudioError(beyond(row.start, row.end, frames / rate))
    if signal.seconds is not None:
        last = min(last, first + round(signal.seconds * rate))
    return first, min(last, frames)


def kept_channels(found: int, wanted: str | int) -> int:
    """Channels of a decoded recording, of those found in its file.

    Raises:
        AudioError: when it does not have as many as are wanted.
    """
    if wanted == "mono":
        return 1
    if wanted == "stereo":
        return 2
    if isinstance(wanted, int) and wanted != found:
        raise AudioError(
            f"{found} channel(s), expected {wanted}. Use Signal(channels='mono') to average them."
        )
    return found


def _only(rates: Sequence[int], rows: Sequence[ClipRow]) -> int:
    """The one native rate of files that are not resampled."""
    found = sorted({rate for rate in rates if rate})
    if len(found) > 1:
        raise AudioError(
            f"{rows[0].path} and others: rates {', '.join(map(str, found))} Hz in "
            "one source. Set Signal(rate=...) to resample them."
        )
    return found[0] if found else 0


def _exactly(wave: Floats, segments: Segments, rate: int) -> Floats:
    """A segment of exactly its length: rounding is evened out, padding (if any) is zeros."""
    missing = round(segments.seconds * rate) - wave.shape[1]
    if missing <= 0:
        return wave[:, : wave.shape[1] + missing]
    return np.pad(wave, ((0, 0), (0, missing)))

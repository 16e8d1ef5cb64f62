"""One open recording: header checked against bounds, frames read as float32.

Plain RIFF files are read by our own parser in one system call; all else by libsndfile, in blocks,
so that a file that lies about its length costs no more memory than it has content.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import soundfile

from raymtl.errors import AudioError
from raymtl.extraction import riff

Floats = npt.NDArray[np.float32]

RATES = (1_000, 400_000)  # Hz
CHANNELS = (1, 64)
HOURS = 48  # longest plausible recording; a header that claims more lies
PEAK = 1e6  # a float file beyond ±1e6 is not audio at full scale 1
_BLOCK = 2**18  # frames that libsndfile decodes at a time
_WHOLE = 2**22  # bytes: files up to here are read in one call


@dataclass(frozen=True, eq=False)
class Recording:
    """An open file. `read` gives (channels, frames) float32 of a range of frames."""

    rate: int
    frames: int
    channels: int
    _frames: Callable[[int, int, bool, int], Floats]
    close: Callable[[], None]

    @staticmethod
    def open(path: str, whole: bool = True) -> Recording:
        """Opens and checks the header. `whole`: all of it is going to be read.

        Raises:
            AudioError: saying what is wrong, without the path.
        """
        try:
            return _open(path, whole)
        except FileNotFoundError:
            raise AudioError("no such file") from None
        except OSError as error:
            raise AudioError(f"cannot be read: {error.strerror or error}") from None

    def read(self, first: int, last: int, mono: bool, kept: int) -> Floats:
        """Frames [first, last), averaged to one channel or the first `kept` ones.

        A mono file asked for two channels gives them twice.

        Raises:
            AudioError: for fewer frames than the header promised, NaN or infinite samples.
        """
        wave = self._frames(first, last, mono, min(kept, self.channels))
        if wave.shape[0] < kept:
            wave = np.repeat(wave, kept, axis=0)
        return wave


def _open(path: str, whole: bool) -> Recording:
    fd = os.open(path, os.O_RDONLY | getattr(os, "O_CLOEXEC", 0))
    try:
        size = os.fstat(fd).st_size
        if not size:
            raise AudioError("the file is empty (0 bytes)")
        head = os.read(fd, size if whole and size <= _WHOLE else min(size, 2**16))
        layout = riff.parse(head, size)
        if layout is not None:
            return _riff_recording(fd, head, layout)
    except BaseException:
        os.close(fd)
        raise
    os.close(fd)
    return _other_recording(path)


def _riff_recording(fd: int, head: bytes, layout: riff.Layout) -> Recording:
    check(layout.rate, layout.channels, layout.frames)

    def frames(first: int, last: int, mono: bool, kept: int) -> Floats:
        width = layout.channels * layout.bits // 8
        begin, count = layout.data + first * width, (last - first) * width
        if begin + count <= len(head):
            data = memoryview(head)[begin : begin + count]
        else:
            data = memoryview(os.pread(fd, count, begin))
        if len(data) != count:
            raise AudioError("the file became shorter while it was read")
        wave = riff.to_float(data, layout, mono, kept)
        return finite(wave) if layout.floating else wave

    return Recording(layout.rate, layout.frames, layout.channels, frames, lambda: os.close(fd))


def _other_recording(path: str) -> Recording:
    try:
        file = soundfile.SoundFile(path)
    except soundfile.LibsndfileError as error:
        raise AudioError(f"not a recording that can be decoded: {error.error_string}") from None
    try:
        check(file.samplerate, file.channels, file.frames)
    except AudioError:
        file.close()
        raise

    def frames(first: int, last: int, mono: bool, kept: int) -> Floats:
        try:
            if file.tell() != first:
                file.seek(first)
            return finite(_blocks(file, last - first, mono, kept))
        except soundfile.LibsndfileError as error:
            raise AudioError(f"damaged or truncated: {error.error_string}") from None

    return Recording(file.samplerate, file.frames, file.channels, frames, file.close)


def _blocks(file: soundfile.SoundFile, wanted: int, mono: bool, kept: int) -> Floats:
    parts: list[Floats] = []
    got = 0
    while got < wanted:
        block = file.read(min(_BLOCK, wanted - got), dtype="float32", always_2d=True)
        if not len(block):
            break
        parts.append(_downmix(block, mono, kept))
        got += len(block)
    if not parts or wanted - got > _slack(file.format, wanted):
        raise AudioError(f"truncated: {got} of {wanted} frames could be read")
    return parts[0] if len(parts) == 1 else np.concatenate(parts, axis=1)


def _slack(kind: str, wanted: int) -> int:
    """Frames that may be missing: an MPEG header gives the length only roughly."""
    return max(2_304, wanted // 100) if kind == "MP3" else 0


def _downmix(block: Floats, mono: bool, kept: int) -> Floats:
    """(frames, channels) to (kept, frames)."""
    if mono and block.shape[1] == 2:
        return np.multiply(np.add(block[:, 0], block[:, 1]), np.float32(0.5))[None]
    if mono and block.shape[1] > 2:
        share = np.full(block.shape[1], 1 / block.shape[1], np.float32)
        return (block @ share)[None]
    return np.ascontiguousarray(block[:, :kept].T)


def check(rate: int, channels: int, frames: int) -> None:
    """Whether a header is believable.

    Raises:
        AudioError: when it is not, or when there is nothing behind it.
    """
    if not RATES[0] <= rate <= RATES[1]:
        raise AudioError(f"rate {rate} Hz; expected {RATES[0]:,} to {RATES[1]:,}")
    if not CHANNELS[0] <= channels <= CHANNELS[1]:
        raise AudioError(f"{channels} channels; expected {CHANNELS[0]} to {CHANNELS[1]}")
    if frames <= 0:
        raise AudioError("empty: a header but no samples")
    if frames > HOURS * 3600 * rate:
        raise AudioError(f"claims {frames / rate / 3600:,.0f} hours; more than {HOURS} is taken "
                         "for a damaged header")


def finite(wave: Floats) -> Floats:
    """`wave` itself, if all samples are finite and near full scale."""
    peak = max(-float(wave.min(initial=0)), float(wave.max(initial=0)))  # NaN compares as false
    if not peak <= PEAK or np.isnan(wave.sum()):
        found = "NaN or infinite samples" if not np.isfinite(wave).all() else f"a peak of {peak:g}"
        raise AudioError(f"holds {found}; full scale is 1")
    return wave

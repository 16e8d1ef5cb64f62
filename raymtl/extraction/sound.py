"""One open recording: header checked against bounds, frames read as float32.

Plain RIFF files are read by our own parser in one system call; all else by libsndfile, in blocks,
so that a file that lies about its length costs no more memory than it has content. Whole FLAC files
go to miniaudio (dr_flac, 1.7 times as fast) where it has a wheel; the samples are the same.
"""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from importlib import import_module
from importlib.util import find_spec
from io import BytesIO
from typing import Any

import numpy as np
import numpy.typing as npt
import soundfile

from raymtl.errors import AudioError, StoreError
from raymtl.extraction import members, riff

Floats = npt.NDArray[np.float32]

RATES = (1_000, 400_000)  # Hz
CHANNELS = (1, 64)
HOURS = 48  # longest plausible recording; a header that claims more lies
PEAK = 1e6  # a float file beyond ±1e6 is not audio at full scale 1
_BLOCK = 2**18  # frames that libsndfile decodes at a time
_WHOLE = 2**17  # bytes: files up to here are read in one call
_PIECE = 2**18  # bytes of larger ones that are read at a time
_DR_FLAC = find_spec("miniaudio") is not None


class Recording(ABC):
    """An open file: `rate` in Hz, `frames` as the header says, `channels`."""

    rate: int
    frames: int
    channels: int

    @abstractmethod
    def read(self, first: int, last: int, mono: bool, kept: int) -> Floats:
        """Frames [first, last), averaged to one channel or the first `kept` ones.

        Out: (1 or kept, frames) float32 at full scale 1.

        Raises:
            AudioError: for fewer frames than the header promised, NaN or infinite samples.
        """

    @abstractmethod
    def close(self) -> None: ...


def open_recording(path: str, whole: bool = True) -> Recording:
    """Opens a file and checks its header. `whole`: all of it is going to be read.

    Raises:
        AudioError: saying what is wrong with the recording, without the path.
        StoreError: when it cannot be reached: a fault of the machine, which is never stored.
    """
    try:
        return _open_any(path, whole)
    except OSError as error:
        raise StoreError(
            f"{path}: cannot be read ({error.strerror or error}). Mend its permissions, or mount "
            "the data on this machine, and run again."
        ) from None


def _open_any(path: str, whole: bool) -> Recording:
    """A file, or a stretch of one; files cost nothing more for it."""
    try:
        return _open(path, whole)
    except (FileNotFoundError, NotADirectoryError):
        member = members.parse(path)
        if member is None:
            raise
    return _open_member(members.read(member))


def _open_member(content: bytes) -> Recording:
    if not content:
        raise AudioError("the file is empty (0 bytes)")
    layout = riff.parse(content, len(content))
    return _Coded(BytesIO(content)) if layout is None else _Riff(None, content, layout)


def _open(path: str, whole: bool) -> Recording:
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        size = os.fstat(fd).st_size
        if not size:
            raise AudioError("the file is empty (0 bytes)")
        head = os.read(fd, size if whole and size <= _WHOLE else min(size, 2**13))
        layout = riff.parse(head, size)
        if layout is not None:
            return _Riff(fd, head, layout)
    except BaseException:
        os.close(fd)
        raise
    os.close(fd)
    return _Coded(path)


class _Riff(Recording):
    """Plain samples behind an open file's `head`; without a file (None), all are in that."""

    def __init__(self, fd: int | None, head: bytes, layout: riff.Layout) -> None:
        check(layout.rate, layout.channels, layout.frames)
        self.rate, self.frames, self.channels = layout.rate, layout.frames, layout.channels
        self._fd, self._head, self._layout = fd, head, layout

    def read(self, first: int, last: int, mono: bool, kept: int) -> Floats:
        layout = self._layout
        width = layout.channels * layout.bits // 8
        begin, end = layout.data + first * width, layout.data + last * width
        wave = np.empty((1 if mono else kept, last - first), np.float32)
        if self._fd is None or end <= len(self._head):
            riff.decode(memoryview(self._head)[begin:end], layout, mono, wave)
        else:
            self._blocks(self._fd, begin, width, mono, wave)
        return finite(wave) if layout.floating else wave

    def _blocks(self, fd: int, begin: int, width: int, mono: bool, wave: Floats) -> None:
        """Reads and converts as much at a time as stays in the cache."""
        step = max(_PIECE // width, 1)
        scratch = memoryview(bytearray(step * width))
        for at in range(0, wave.shape[1], step):
            part = wave[:, at : at + step]
            data = scratch[: part.shape[1] * width]
            if os.preadv(fd, [data], begin + at * width) != len(data):
                raise AudioError("the file became shorter while it was read")
            riff.decode(data, self._layout, mono, part)

    def close(self) -> None:
        if self._fd is not None:
            os.close(self._fd)


def unreadable(error: soundfile.LibsndfileError) -> str:
    """What libsndfile found, said of the recording: its own words can name a cause that is none."""
    return f"not a recording that libsndfile can read: {error.error_string}"


class _Coded(Recording):
    """A file, or the content of one, for libsndfile."""

    def __init__(self, source: str | BytesIO) -> None:
        try:
            self._file = soundfile.SoundFile(source)
        except soundfile.LibsndfileError as error:
            raise AudioError(unreadable(error)) from None
        self.rate, self.channels = self._file.samplerate, self._file.channels
        self.frames, self._source = self._file.frames, source
        try:
            check(self.rate, self.channels, self.frames)
        except AudioError:
            self.close()
            raise

    def read(self, first: int, last: int, mono: bool, kept: int) -> Floats:
        if (
            _DR_FLAC
            and isinstance(self._source, str)
            and self._file.format == "FLAC"
            and first == 0
            and last == self.frames
        ):
            return self._dr_flac(self._source, mono, kept)
        try:
            if self._file.tell() != first:
                self._file.seek(first)
            return finite(self._blocks(last - first, mono, kept))
        except soundfile.LibsndfileError as error:
            raise AudioError(f"damaged or truncated: {error.error_string}") from None

    def close(self) -> None:
        self._file.close()

    def _blocks(self, wanted: int, mono: bool, kept: int) -> Floats:
        parts: list[Floats] = []
        got = 0
        while got < wanted:
            count = min(_BLOCK, wanted - got)
            block = self._file.read(count, dtype="float32", always_2d=True)
            if not len(block):
                break
            parts.append(_mixed(block, np.float32(1), mono, kept))
            got += len(block)
        if not parts or wanted - got > self._slack(wanted):
            raise AudioError(f"truncated: {got} of {wanted} frames could be read")
        return parts[0] if len(parts) == 1 else np.concatenate(parts, axis=1)

    def _slack(self, wanted: int) -> int:
        """Frames that may be missing: an MPEG header gives the length only roughly."""
        return max(2_304, wanted // 100) if self._file.format == "MP3" else 0

    def _dr_flac(self, path: str, mono: bool, kept: int) -> Floats:
        miniaudio: Any = import_module("miniaudio")
        narrow = self._file.subtype in ("PCM_16", "PCM_S8")
        read = miniaudio.flac_read_file_s16 if narrow else miniaudio.flac_read_file_s32
        try:
            found = read(path)
        except (miniaudio.DecodeError, MemoryError) as error:
            raise AudioError(f"damaged or truncated: {error}") from None
        if found.num_frames != self.frames or found.nchannels != self.channels:
            raise AudioError(f"truncated: {found.num_frames} of {self.frames} frames could be read")
        samples = np.asarray(found.samples).reshape(-1, self.channels)
        scale = np.float32(2.0**-15 if narrow else 2.0**-31)
        return _mixed(samples, scale, mono, kept)


def _mixed(frames: npt.NDArray[np.generic], scale: np.float32, mono: bool, kept: int) -> Floats:
    wave = np.empty((1 if mono else kept, len(frames)), np.float32)
    riff.downmix(frames, scale, mono, wave)
    return wave


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
        raise AudioError(
            f"claims {frames / rate / 3600:,.0f} hours; more than {HOURS} is taken "
            "for a damaged header"
        )


def finite(wave: Floats) -> Floats:
    """`wave` itself, if all samples are finite and near full scale."""
    peak = max(-float(wave.min(initial=0)), float(wave.max(initial=0)))  # NaN compares as false
    if not peak <= PEAK or np.isnan(wave.sum()):
        found = "NaN or infinite samples" if not np.isfinite(wave).all() else f"a peak of {peak:g}"
        raise AudioError(f"holds {found}; full scale is 1")
    return wave

"""Plain RIFF/WAVE: where the samples lie, and samples to float32 in one pass.

Microsoft/IBM "Multimedia Programming Interface and Data Specifications 1.0" (1991) and
WAVE_FORMAT_EXTENSIBLE: PCM of 16, 24 and 32 bits and float of 32. Everything else is left to
libsndfile.
"""

from __future__ import annotations

import struct
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from raymtl.errors import AudioError

Floats = npt.NDArray[np.float32]

_PCM, _FLOAT, _EXTENSIBLE = 1, 3, 0xFFFE
_ROWS = 16_384  # frames downmixed at a time
_STREAMED = 0x7FFF0000  # sizes from here on are written by programs that do not know the length


class Layout(NamedTuple):
    """data: byte at which the samples begin; frames: how many there are."""

    rate: int
    channels: int
    bits: int
    floating: bool
    data: int
    frames: int


def parse(head: bytes, size: int) -> Layout | None:
    """Layout of a file of `size` bytes that begins with `head`; None: not for this module.

    Raises:
        AudioError: for a file that is shorter than its header says.
    """
    if head[:4] != b"RIFF" or head[8:12] != b"WAVE":
        return None
    if head[12:20] == b"fmt \x10\0\0\0" and head[36:40] == b"data":  # by far the most frequent
        form = _format(head, 20, 16)
        length = int.from_bytes(head[40:44], "little")
        return None if form is None or len(head) < 44 else _layout(form, 44, length, size)
    at, form = 12, None
    while at + 8 <= len(head):
        name, length = struct.unpack_from("<4sI", head, at)
        if name == b"fmt " and at + 24 <= len(head):
            form = _format(head, at + 8, length)
            if form is None:
                return None
        if name == b"data":
            return None if form is None else _layout(form, at + 8, length, size)
        at += 8 + length + (length & 1)
    return None


def _format(head: bytes, at: int, length: int) -> tuple[int, int, int, bool] | None:
    """Rate, channels, bits, floating; None when it is something unusual."""
    kind, channels, rate, _, align, bits = struct.unpack_from("<HHIIHH", head, at)
    if kind == _EXTENSIBLE and length >= 40 and at + 26 <= len(head):
        kind = struct.unpack_from("<H", head, at + 24)[0]
    usual = (kind == _PCM and bits in (16, 24, 32)) or (kind == _FLOAT and bits == 32)
    if not usual or align != channels * bits // 8 or not channels:
        return None
    return rate, channels, bits, kind == _FLOAT


def _layout(form: tuple[int, int, int, bool], data: int, length: int, size: int) -> Layout:
    rate, channels, bits, floating = form
    there = size - data
    if length >= _STREAMED:
        length = there
    if length > there:
        raise AudioError(
            f"truncated: the header promises {length:,} bytes of samples, the file holds {there:,}"
        )
    return Layout(rate, channels, bits, floating, data, length // (channels * bits // 8))


def decode(data: memoryview, layout: Layout, mono: bool, out: Floats) -> None:
    """Interleaved samples into `out`, (channels wanted, frames), at full scale 1."""
    scale = np.float32(1.0 if layout.floating else 2.0 ** (1 - min(layout.bits, 32)))
    if layout.bits == 24:
        samples = _from_24(data)
        scale = np.float32(2.0**-31)
    else:
        kind = {16: "<i2", 32: "<f4" if layout.floating else "<i4"}[layout.bits]
        samples = np.frombuffer(data, kind)
    downmix(samples.reshape(-1, layout.channels), scale, mono, out)


def downmix(frames: npt.NDArray[np.generic], scale: np.float32, mono: bool, out: Floats) -> None:
    """(frames, channels) of any type, times `scale`, into `out` (channels wanted, frames).

    The first channels, or the mean of all (mono); one channel asked for as two is given twice.
    """
    channels = frames.shape[1]
    if mono and channels > 1:
        share = np.full(channels, scale / channels, np.float32)
        for at in range(0, len(frames), _ROWS):  # a product in blocks that stay in the cache
            block = frames[at : at + _ROWS].astype(np.float32, copy=False)
            np.matmul(block, share, out=out[0, at : at + len(block)])
        return
    for channel, row in enumerate(out):
        np.multiply(frames[:, min(channel, channels - 1)], scale, out=row, casting="same_kind")


def _from_24(data: memoryview) -> npt.NDArray[np.int32]:
    """24-bit samples in the upper bytes of 32-bit ones."""
    wide = np.zeros((len(data) // 3, 4), np.uint8)
    wide[:, 1:] = np.frombuffer(data, np.uint8).reshape(-1, 3)
    return wide.view("<i4")[:, 0]

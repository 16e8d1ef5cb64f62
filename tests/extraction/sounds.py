"""Sounds and files for the tests of extraction."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import numpy.typing as npt
import soundfile

Floats = npt.NDArray[np.float32]


def voice(samples: int, rate: int = 16_000, channels: int = 1, seed: int = 0) -> Floats:
    """(samples, channels): harmonics that decay, over faint noise."""
    rng = np.random.default_rng(seed)
    time = np.arange(samples) / rate
    pitch = rng.uniform(90, 300)
    tones = sum(np.sin(2 * np.pi * pitch * h * time) / h for h in range(1, 9))
    sound = 0.2 * np.asarray(tones)[:, None] * np.exp(-2 * time)[:, None]
    sound = sound + rng.normal(0, 0.005, (samples, channels))
    return np.clip(sound, -1, 1).astype(np.float32)


def write(
    path: Path,
    samples: int = 8_000,
    rate: int = 16_000,
    channels: int = 1,
    seed: int = 0,
    subtype: str = "PCM_16",
) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, voice(samples, rate, channels, seed), rate, subtype=subtype)
    return path


def riff(
    data: bytes,
    *,
    kind: int = 1,
    channels: int = 1,
    rate: int = 16_000,
    bits: int = 16,
    data_size: int | None = None,
    before: bytes = b"",
) -> bytes:
    """A wav file by hand, for headers that no library would write."""
    align = channels * bits // 8 & 0xFFFF
    form = struct.pack("<HHIIHH", kind, channels, rate, rate * align & 0xFFFFFFFF, align, bits)
    size = len(data) if data_size is None else data_size
    body = b"WAVE" + before + b"fmt " + struct.pack("<I", len(form)) + form
    body += b"data" + struct.pack("<I", size) + data
    return b"RIFF" + struct.pack("<I", len(body) & 0xFFFFFFFF) + body

"""Decoding files to their end, to find those that are silent, cut off or broken."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile

_BLOCK = 2**20  # samples decoded at a time, all channels together


@dataclass(frozen=True)
class Heard:
    """What decoding every sample of some files showed, sorted by path.

    silent: files whose samples are all zero.
    failed: (file, reason) of those that cannot be decoded to their end or hold no numbers.
    """

    silent: tuple[Path, ...]
    failed: tuple[tuple[Path, str], ...]


def listen(paths: Iterable[Path], threads: int = 2) -> Heard:
    """Decodes files to their end, a bounded piece at a time; what fails is a value, not an error.

    A file is silent when it has samples and all are zero.
    """
    files = sorted(set(paths))
    with ThreadPoolExecutor(max(threads, 1)) as pool:
        found = list(pool.map(_listen, files))
    pairs = list(zip(files, found, strict=True))
    return Heard(
        tuple(path for path, (_, silent) in pairs if silent),
        tuple((path, reason) for path, (reason, _) in pairs if reason),
    )


def _listen(path: Path) -> tuple[str | None, bool]:
    """Why the file cannot be used, if so, and whether it is silent."""
    read, loud = 0, False
    try:
        with soundfile.SoundFile(path) as file:
            step = max(1, _BLOCK // file.channels)
            while (block := file.read(step, dtype="float32", always_2d=True)).size:
                read += len(block)
                if not np.isfinite(block).all():
                    return "holds samples that are not finite numbers", False
                loud = loud or bool(block.any())
            declared = file.frames
    except (OSError, RuntimeError) as error:  # libsndfile's errors are RuntimeErrors
        return f"cannot be decoded: {error}", False
    if read < declared:
        return f"ends after {read} of {declared} frames", False
    return ("holds no samples", False) if not read else (None, not loud)

"""What a feature set is addressed by: all that can change a number in it, and nothing else."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
import scipy
import soundfile
import soxr

from raymtl.extraction.audio import ClipRow, Signal
from raymtl.extraction.features import Extraction
from raymtl.extraction.inspection import FileFacts
from raymtl.spec import digest

FORMAT = 1  # of shards and manifests; raise it when older ones must not be read


def versions() -> dict[str, str]:
    """Libraries whose release can change a feature."""
    return {
        "libsndfile": str(soundfile.__libsndfile_version__),
        "numpy": np.__version__.split(".")[0],
        "scipy": ".".join(scipy.__version__.split(".")[:2]),
        "soxr": str(soxr.__version__),
    }


def content_digest(rows: Iterable[ClipRow], facts: Mapping[Path, FileFacts]) -> str:
    """SHA-256 over (id, content of the file, start, end) of the rows, sorted by id; no paths."""
    total = hashlib.sha256()
    for row in sorted(rows, key=lambda row: row.id):
        content = facts[Path(row.path)].sha256
        total.update(f"{row.id}\0{content}\0{row.start!r}\0{row.end!r}\n".encode())
    return total.hexdigest()


def feature_address(
    signal: Signal,
    extraction: Extraction,
    rows: Sequence[ClipRow],
    facts: Mapping[Path, FileFacts],
) -> str:
    """Name of a feature set: a digest (64 hex characters) of its recipe and its input."""
    parts = {
        "format": FORMAT,
        "signal": signal,
        "extraction": extraction,
        "clips": content_digest(rows, facts),
        "versions": versions(),
    }
    return digest(parts)

"""A feature set in memory, with the methods of `extraction.store.FeatureSet`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

from raymtl.errors import StoreError
from raymtl.tasks import Floats

Rows = npt.NDArray[np.int64]


class MemoryFeatures:
    """Matrices (channels, frames, features) by clip id."""

    def __init__(self, matrices: dict[str, Floats]) -> None:
        self.ids = sorted(matrices)
        self.matrices = [np.asarray(matrices[i], np.float32) for i in self.ids]
        self.frames = np.array([m.shape[1] for m in self.matrices], np.int64)
        self.channels, _, self.features = self.matrices[0].shape
        self.read: set[str] = set()  # ids whose values were looked at

    def row(self, ids: Sequence[str]) -> Rows:
        place = {i: row for row, i in enumerate(self.ids)}
        try:
            return np.array([place[i] for i in ids], np.int64)
        except KeyError as error:
            raise StoreError(f"no features of {error}") from error

    def matrix(self, row: int) -> Floats:
        self.read.add(self.ids[row])
        return self.matrices[row]

    def gather(
        self,
        rows: Rows,
        frames: int | None = None,
        pad: float = 0.0,
        starts: Rows | None = None,
        out: Floats | None = None,
    ) -> tuple[Floats, Rows]:
        starts = np.zeros(len(rows), np.int64) if starts is None else starts
        parts = [self.matrix(int(r))[:, s:] for r, s in zip(rows, starts, strict=True)]
        longest = max((p.shape[1] for p in parts), default=1) if frames is None else frames
        batch = np.full((len(rows), self.channels, longest, self.features), pad, np.float32)
        for row, part in zip(batch, parts, strict=True):
            row[:, : min(part.shape[1], longest)] = part[:, :longest]
        return batch, np.array([min(p.shape[1], longest) for p in parts], np.int64)

    def blocks(self, rows: Rows) -> Iterator[Floats]:
        for start in range(0, len(rows), 3):
            chosen = [self.matrix(int(r)) for r in rows[start : start + 3]]
            yield np.concatenate(chosen, axis=1)


def random_features(
    seed: int,
    clips: int,
    frames: tuple[int, int] = (3, 9),
    channels: int = 1,
    features: int = 4,
    prefix: str = "clip",
) -> MemoryFeatures:
    """Clips of `frames` (least, most) frames, features of unlike scales."""
    rng = np.random.default_rng(seed)
    scale, shift = 10.0 ** rng.uniform(-1, 1, features), rng.normal(0, 5, features)
    return MemoryFeatures(
        {
            f"{prefix}/{i:03d}": (
                rng.normal(0, 1, (channels, int(rng.integers(frames[0], frames[1] + 1)), features))
                * scale
                + shift
            ).astype(np.float32)
            for i in range(clips)
        }
    )

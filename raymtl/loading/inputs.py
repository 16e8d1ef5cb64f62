"""Network inputs and targets of one part of one source, joined on the clip id."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from raymtl.loading.fitted import FittedStages
from raymtl.loading.stages import Features
from raymtl.models.model import InputShape
from raymtl.tasks import Floats, Targets

Rows = npt.NDArray[np.int64]
BUDGET = 128 << 20  # bytes of one part's inputs that may stay in memory
_BLOCK = 512  # clips gathered at a time when making inputs resident


class Inputs:
    """Rows for the network: clips, or windows of clips, with the fitted stages applied.

    Below `budget` bytes all rows are made once and kept as one tensor on `device`; above it every
    batch is gathered from the memory map.

    Attributes:
        clips: (rows,) which of `ids` each row comes from.
        lengths: (rows,) real frames of each row; the rest is padding.
        shape: of one row; frames is None where rows differ.
    """

    def __init__(
        self,
        features: Features,
        ids: Sequence[str],
        fitted: FittedStages,
        budget: int = BUDGET,
        device: str = "cpu",
    ) -> None:
        at = np.asarray(features.row(list(ids)), np.int64)
        frames = features.frames[at]
        self.clips, self._starts = fitted.rows(frames)
        self.lengths = fitted.lengths(frames[self.clips], self._starts)
        self._features, self._fitted, self._device = features, fitted, device
        self._at = at[self.clips]
        size = fitted.frames_out
        if size is None and _always_equal(features):
            size = int(features.frames[0])
        self.shape = InputShape(features.channels, size, features.features)
        longest = size if size is not None else int(self.lengths.max(initial=1))
        each = 4 * features.channels * longest * features.features
        self._resident = self._all(longest) if each * len(self) <= budget else None

    def __len__(self) -> int:
        """Number of rows, not of clips."""
        return len(self.clips)

    @property
    def nbytes(self) -> int:
        """Bytes held in memory: 0 when batches are gathered from the map."""
        return self._resident.nbytes if self._resident is not None else 0

    def batch(self, rows: Rows, out: Floats | None = None) -> dict[str, Tensor]:
        """``features`` (B, channels, T, features) float32 and ``lengths`` (B,) int64.

        T is the shape's frames or, where rows differ, the longest row's of this batch.

        In: rows, (B,) below len(self); out, a buffer for a gathered batch, free to be overwritten.
        """
        lengths = self.lengths[rows]
        frames = self.shape.frames or int(lengths.max(initial=1))
        if self._resident is not None:
            index = torch.from_numpy(rows).to(self._resident.device)
            features = self._resident.index_select(0, index)[:, :, :frames]
        else:
            features = torch.from_numpy(self._gathered(rows, frames, out)).to(self._device)
        return {"features": features, "lengths": torch.from_numpy(lengths).to(self._device)}

    def _gathered(self, rows: Rows, frames: int, out: Floats | None = None) -> Floats:
        starts = self._starts[rows] if self._fitted.windows else None
        batch, _ = self._features.gather(self._at[rows], frames, 0.0, starts, out)
        return self._fitted.apply(batch, self.lengths[rows], starts)

    def _all(self, frames: int) -> Tensor:
        shape = (len(self), self.shape.channels, frames, self.shape.features)
        values = np.empty(shape, np.float32)
        for start in range(0, len(self), _BLOCK):
            rows = np.arange(start, min(start + _BLOCK, len(self)))
            values[rows[0] : rows[-1] + 1] = self._gathered(rows, frames)
        return torch.from_numpy(values).to(self._device)


def _always_equal(features: Features) -> bool:
    """Whether every clip of the feature set, test clips too, has the same number of frames."""
    return len(features.frames) > 0 and bool((features.frames == features.frames[0]).all())


@dataclass(frozen=True, eq=False)
class PartData:
    """One part (training, validation or test) of one source.

    ids: clips; targets: task name -> `Targets`, row i of clip ids[i]. Inputs may have several
    rows a clip (`inputs.clips`).
    """

    source: str
    ids: list[str]
    inputs: Inputs
    targets: dict[str, Targets]

    def __len__(self) -> int:
        return len(self.ids)

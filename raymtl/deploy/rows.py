"""From pieces of sound to rows of the network, the same way as from stored features in training."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from raymtl.deploy.recipe import Front
from raymtl.deploy.sounds import Piece
from raymtl.errors import AudioError
from raymtl.extraction.features import Extraction, extract_shared
from raymtl.models.model import InputShape
from raymtl.tasks import Floats

Ints = npt.NDArray[np.int64]
_VALUES = 1 << 19  # input values in one forward pass
_MOST = 1024  # rows in one forward pass


@dataclass(frozen=True, eq=False)
class Row:
    """One row of the network: features (channels, frames, features), not yet scaled; `begin`: its
    first frame in the piece; start and end: its seconds in the recording; piece: its number."""

    features: Floats
    begin: int
    start: float
    end: float
    piece: int = 0


def rows_of(
    pieces: Sequence[Piece], front: Front, extraction: Extraction, shape: InputShape
) -> list[Row]:
    """Features of the pieces, cut into rows as the fitted stages say.

    Raises:
        AudioError: for features of another shape than the network was made for.
    """
    waves, raised = [piece.wave for piece in pieces], [piece.raised for piece in pieces]
    matrices = extract_shared([extraction], waves, front.rate, raised)[0]
    return cut_rows(matrices, [(p.start, p.end) for p in pieces], front, extraction, shape)


def cut_rows(
    matrices: Sequence[Floats],
    heard: Sequence[tuple[float, float]],
    front: Front,
    extraction: Extraction,
    shape: InputShape,
) -> list[Row]:
    """Features, (channels, frames, features) each, cut into rows as the fitted stages say.

    heard: seconds of the recording that each was made of.

    Raises:
        AudioError: for features of another shape than the network was made for.
    """
    frames = np.array([matrix.shape[1] for matrix in matrices], np.int64)
    clips, starts = front.stages.rows(frames)
    lengths = front.stages.lengths(frames[clips], starts)
    found = []
    for clip, start, length in zip(clips.tolist(), starts.tolist(), lengths.tolist(), strict=True):
        _check(matrices[clip], front, shape)
        values = matrices[clip][:, start : start + length]
        begin, end = heard[clip]
        seconds = _seconds(begin, end, start, length, front, extraction)
        found.append(Row(values, start, *seconds, clip))
    return found


def batches(
    rows: Sequence[Row], front: Front, shape: InputShape
) -> Iterator[tuple[list[int], dict[str, Tensor]]]:
    """Places of rows, and the network's input for them; rows of like length together."""
    order = list(range(len(rows)))
    if shape.frames is None:
        order.sort(key=lambda at: rows[at].features.shape[1])
    longest = shape.frames or max((row.features.shape[1] for row in rows), default=1)
    size = _VALUES // max(shape.channels * longest * shape.features, 1)
    size = min(max(size, 1), _MOST)
    for first in range(0, len(order), size):
        places = order[first : first + size]
        yield places, _batch([rows[at] for at in places], front, shape)


def _batch(rows: Sequence[Row], front: Front, shape: InputShape) -> dict[str, Tensor]:
    lengths = np.array([row.features.shape[1] for row in rows], np.int64)
    frames = shape.frames or int(lengths.max(initial=1))
    values = np.zeros((len(rows), shape.channels, frames, shape.features), np.float32)
    for line, row in zip(values, rows, strict=True):
        line[:, : row.features.shape[1]] = row.features
    starts = np.array([row.begin for row in rows], np.int64) if front.stages.windows else None
    values = front.stages.apply(values, lengths, starts)
    return {"features": torch.from_numpy(values), "lengths": torch.from_numpy(lengths)}


def _check(matrix: Floats, front: Front, shape: InputShape) -> None:
    if (matrix.shape[0], matrix.shape[2]) != (shape.channels, shape.features):
        raise AudioError(
            f"gives {matrix.shape[0]} channels x {matrix.shape[2]} features; the network takes "
            f"{shape.channels} x {shape.features}. Give it sound like that it learnt from."
        )
    if front.stages.frames_out is None and shape.frames not in (None, matrix.shape[1]):
        raise AudioError(
            f"gives {matrix.shape[1]} frames; the network takes exactly {shape.frames}, about "
            f"{front.longest:g} s. Ask for windows of that length."
        )


def _seconds(
    begin: float, end: float, start: int, length: int, front: Front, extraction: Extraction
) -> tuple[float, float]:
    """What a row heard of the recording, of which its piece is from `begin` to `end`."""
    rate = extraction.frame_rate(front.rate) if front.rate else 0.0
    if not rate:
        return begin, end
    first = begin + start / rate
    return first, min(first + length / rate, end)

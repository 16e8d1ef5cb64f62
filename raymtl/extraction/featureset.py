"""A feature set opened by memory map: matrices are slices of files, not copies."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from raymtl.errors import StoreError

Floats = npt.NDArray[np.float32]
Rows = npt.NDArray[np.int64]

_BLOCK = 2**18  # values in a block of `blocks`: 1 MiB


class FeatureSet:
    """Read-only features of one source. Rows are sorted by clip id.

    ids: clip ids; frames: (N,) int64; channels, features: the same for all.
    skipped: clip id -> why it has no features.
    """

    def __init__(self, address: str, paths: Sequence[Path], skipped: Mapping[str, str]) -> None:
        self.address = address
        self.skipped = dict(skipped)
        self._flats: list[Floats] = []
        ids: list[str] = []
        frames, homes, offsets = [], [], []
        self.channels = self.features = 0
        for path in paths:
            for batch in self._batches(path):
                values = batch.column("values")
                ids += batch.column("id").to_pylist()
                frames.append(batch.column("frames").to_numpy())
                offsets.append(values.offsets.to_numpy()[:-1])
                homes.append(np.full(batch.num_rows, len(self._flats), np.int64))
                self._flats.append(values.values.to_numpy(zero_copy_only=True))
        order = np.array(sorted(range(len(ids)), key=ids.__getitem__), np.int64)
        self.ids = [ids[at] for at in order]
        empty = [np.zeros(0, np.int64)]
        self.frames: Rows = np.concatenate(frames or empty)[order]
        self._home: Rows = np.concatenate(homes or empty)[order]
        self._offset: Rows = np.concatenate(offsets or empty)[order]

    def _batches(self, path: Path) -> Iterator[pa.RecordBatch]:
        try:
            reader = pa.ipc.open_file(pa.memory_map(str(path), "r"))
        except (OSError, pa.ArrowInvalid) as error:
            raise StoreError(
                f"{path}: not a feature shard ({error}). Delete its folder and run the sweep again."
            ) from error
        metadata = reader.schema.metadata
        self.channels, self.features = int(metadata[b"channels"]), int(metadata[b"features"])
        for number in range(reader.num_record_batches):
            yield reader.get_batch(number)

    def __len__(self) -> int:
        return len(self.ids)

    @cached_property
    def known(self) -> dict[str, int]:
        """Clip id to row."""
        return {clip: row for row, clip in enumerate(self.ids)}

    def row(self, ids: Sequence[str]) -> Rows:
        """Rows of clips, (len(ids),) int64.

        Raises:
            StoreError: when a clip has no features, with the reason if it was skipped.
        """
        try:
            return np.fromiter((self.known[clip] for clip in ids), np.int64, len(ids))
        except KeyError as error:
            clip = str(error.args[0])
            reason = self.skipped.get(clip, "it is not among the clips extracted")
            raise StoreError(
                f"feature set {self.address[:12]}: no features of {clip!r}: {reason}. "
                "Leave it out, or extract again."
            ) from None

    def matrix(self, row: int) -> Floats:
        """(channels, frames, features) of one clip, a view of the file."""
        count = int(self.frames[row])
        size = self.channels * count * self.features
        at = int(self._offset[row])
        flat = self._flats[int(self._home[row])]
        return flat[at : at + size].reshape(self.channels, count, self.features)

    def gather(
        self,
        rows: Rows,
        frames: int | None = None,
        pad: float = 0.0,
        starts: Rows | None = None,
        out: Floats | None = None,
    ) -> tuple[Floats, Rows]:
        """A batch (B, channels, T, features) float32 and its real lengths (B,) int64, at most T.

        Args:
            frames: T; longer clips are cut. None: the longest of the batch.
            pad: value behind the end of a clip.
            starts: (B,) first frame of each; 0 without.
            out: buffer to fill, at least (B, channels, T, features); a view of it is returned.
        """
        rows = np.asarray(rows, np.int64)
        lengths = self.frames[rows] if starts is None else self.frames[rows] - starts
        longest = int(lengths.max(initial=0)) if frames is None else frames
        lengths = np.clip(lengths, 0, longest)
        shape = (len(rows), self.channels, longest, self.features)
        batch = np.empty(shape, np.float32) if out is None else _view(out, shape)
        begins = [0] * len(rows) if starts is None else starts.tolist()
        if self.channels == 1:
            self._fill_mono(batch, rows, lengths, begins, pad)
        else:
            for at, (row, count, first) in enumerate(zip(rows, lengths, begins, strict=True)):
                batch[at, :, :count] = self.matrix(row)[:, first : first + count]
                batch[at, :, count:] = pad
        return batch, lengths

    def _fill_mono(
        self, batch: Floats, rows: Rows, lengths: Rows, begins: Sequence[int], pad: float
    ) -> None:
        """The usual case as one flat copy a clip."""
        width, size = self.features, batch.shape[2] * self.features
        flat = batch.reshape(len(batch), -1)
        homes, offsets = self._home[rows].tolist(), self._offset[rows].tolist()
        places = zip(flat, homes, offsets, lengths.tolist(), begins, strict=True)
        for line, home, offset, count, first in places:
            begin, values = offset + first * width, count * width
            line[:values] = self._flats[home][begin : begin + values]
            if values < size:
                line[values:] = pad

    def blocks(self, rows: Rows) -> Iterator[Floats]:
        """The frames of many clips, (channels, total frames, features), about 1 MiB at a time.

        Clips come in the order they lie on disk; neighbours of one channel are not copied.
        """
        rows = np.asarray(rows, np.int64)
        rows = rows[np.lexsort((self._offset[rows], self._home[rows]))]
        sizes = self.frames[rows] * self.channels * self.features
        cuts = np.flatnonzero(np.diff(np.cumsum(sizes) // _BLOCK)) + 1
        for group in np.split(rows, cuts):
            if len(group):
                yield self._joined(group)

    def _joined(self, rows: Rows) -> Floats:
        """(channels, frames of all, features)."""
        sizes = self.frames[rows] * self.features
        homes, offsets = self._home[rows], self._offset[rows]
        adjacent = (
            self.channels == 1
            and homes[0] == homes[-1]
            and bool((offsets[1:] == offsets[:-1] + sizes[:-1]).all())
        )
        if adjacent:
            flat = self._flats[int(homes[0])]
            return flat[offsets[0] : offsets[-1] + sizes[-1]].reshape(1, -1, self.features)
        return np.concatenate([self.matrix(row) for row in rows.tolist()], axis=1)


def _view(out: Floats, shape: tuple[int, ...]) -> Floats:
    """The front of a buffer in another shape."""
    size = int(np.prod(shape))
    if not out.flags.c_contiguous or out.size < size:
        raise ValueError(f"buffer {out.shape} cannot hold a batch {shape}")
    return out.reshape(-1)[:size].reshape(shape)

"""Fitted stages: plain arrays and numbers that travel as JSON."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from raymtl.durable import open_sealed, seal, write_durably
from raymtl.errors import StoreError
from raymtl.loading.summaries import Doubles
from raymtl.tasks import Floats

Frames = npt.NDArray[np.int64]
FORMAT = 1  # raise it when equal requests start to give other fits


@dataclass(frozen=True, eq=False)
class Affine:
    """(value - shift) * gain; both (channels, places, features) float64.

    Frame t uses place min(t, places - 1): one place serves every frame; with one place a frame,
    the last one serves all frames beyond the longest training clip.
    """

    shift: Doubles
    gain: Doubles

    def then(self, after: Affine) -> Affine:
        """This one and then `after`, as one."""
        places = max(self.shift.shape[1], after.shift.shape[1])
        shift, gain = _places(self.shift, places), _places(self.gain, places)
        more, times = _places(after.shift, places), _places(after.gain, places)
        return Affine(shift + more / gain, gain * times)

    def at(self, start: int, frames: int) -> tuple[Doubles, Doubles]:
        """shift and gain of frames start..start+frames, (channels, frames or 1, features)."""
        places = self.shift.shape[1]
        if places == 1:
            return self.shift, self.gain
        index = np.minimum(np.arange(start, start + frames), places - 1)
        return self.shift[:, index], self.gain[:, index]

    @cached_property
    def digest(self) -> str:
        text = json.dumps(self.to_plain(), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()

    def to_plain(self) -> dict[str, Any]:
        return {"kind": "affine", "shift": self.shift.tolist(), "gain": self.gain.tolist()}


@dataclass(frozen=True)
class Cut:
    """Clips cut or padded to `frames`; padding holds `pad`."""

    frames: int
    pad: float

    @property
    def digest(self) -> str:
        return f"cut/{self.frames}/{self.pad}"

    def to_plain(self) -> dict[str, Any]:
        return {"kind": "cut", "frames": self.frames, "pad": self.pad}


@dataclass(frozen=True)
class Framing:
    """Windows of `frames` every `hop`."""

    frames: int
    hop: int
    pad: float

    @property
    def digest(self) -> str:
        return f"windows/{self.frames}/{self.hop}/{self.pad}"

    def to_plain(self) -> dict[str, Any]:
        return {"kind": "windows", "frames": self.frames, "hop": self.hop, "pad": self.pad}


Fitted: TypeAlias = Affine | Cut | Framing


@dataclass(frozen=True, eq=False)
class FittedStages:
    """All stages of one source in one run, fitted. Values and lengths commute (see stages.py)."""

    parts: tuple[Fitted, ...]

    @cached_property
    def affine(self) -> Affine | None:
        """All value stages as one, or None."""
        found = [part for part in self.parts if isinstance(part, Affine)]
        whole = found[0] if found else None
        for part in found[1:]:
            whole = whole.then(part) if whole else part
        return whole

    @cached_property
    def cut(self) -> Cut | None:
        return next((part for part in self.parts if isinstance(part, Cut)), None)

    @cached_property
    def windows(self) -> Framing | None:
        return next((part for part in self.parts if isinstance(part, Framing)), None)

    @property
    def frames_out(self) -> int | None:
        """Frames of every row, or None when each clip keeps its own."""
        last = self.windows or self.cut
        return last.frames if last else None

    @property
    def pad(self) -> float:
        """What padded frames hold."""
        last = self.windows or self.cut
        return last.pad if last else 0.0

    def rows(self, frames: Frames) -> tuple[Frames, Frames]:
        """The rows that clips of the given lengths become: (clip index, first frame) of each."""
        clips = np.arange(len(frames), dtype=np.int64)
        if self.windows is None:
            return clips, np.zeros(len(frames), np.int64)
        size, hop = self.windows.frames, self.windows.hop
        length = np.minimum(frames, self.cut.frames) if self.cut else frames
        count = np.maximum(length - size, 0) // hop + 1
        clip = np.repeat(clips, count)
        first = np.repeat(np.cumsum(count) - count, count)
        return clip, (np.arange(len(clip), dtype=np.int64) - first) * hop

    def lengths(self, frames: Frames, starts: Frames) -> Frames:
        """Real frames in each row: of a clip of `frames` from `starts` on."""
        stop = np.minimum(frames, self.cut.frames) if self.cut else frames
        size = self.frames_out
        rest = stop - starts
        return np.minimum(rest, size) if size is not None else rest

    def apply(self, batch: Floats, lengths: Frames, starts: Frames | None = None) -> Floats:
        """Transforms (B, channels, T, features) in place: real frames scaled, the rest padded."""
        if self.affine is not None:
            _scale(self.affine, batch, starts)
        for row in np.flatnonzero(lengths < batch.shape[2]):
            batch[row, :, lengths[row] :] = self.pad
        return batch

    def to_plain(self) -> list[dict[str, Any]]:
        """As JSON data: numbers come back bit for bit."""
        return [part.to_plain() for part in self.parts]

    @staticmethod
    def from_plain(parts: list[dict[str, Any]]) -> FittedStages:
        """Raises:
        StoreError: when `parts` is not what `to_plain` gives.
        """
        try:
            return FittedStages(tuple(_from_plain(part) for part in parts))
        except (ValueError, KeyError, TypeError) as error:
            raise StoreError(
                f"fitted stages: {error!r} in {str(parts)[:80]}; expected what "
                "raymtl writes. Delete the file to fit again."
            ) from error

    def to_json(self) -> str:
        return json.dumps(self.to_plain())

    @staticmethod
    def from_json(text: str) -> FittedStages:
        return FittedStages.from_plain(json.loads(text))


def _scale(affine: Affine, batch: Floats, starts: Frames | None) -> None:
    if affine.shift.shape[1] == 1 or starts is None or not starts.any():
        shift, gain = affine.at(0, batch.shape[2])
        batch -= shift.astype(np.float32)
        batch *= gain.astype(np.float32)
        return
    for row, start in zip(batch, starts, strict=True):
        shift, gain = affine.at(int(start), batch.shape[2])
        row -= shift.astype(np.float32)
        row *= gain.astype(np.float32)


def _places(values: Doubles, places: int) -> Doubles:
    more = places - values.shape[1]
    return np.pad(values, ((0, 0), (0, more), (0, 0)), mode="edge") if more else values


def _from_plain(part: dict[str, Any]) -> Fitted:
    kind = part["kind"]
    if kind == "affine":
        return Affine(np.asarray(part["shift"], np.float64), np.asarray(part["gain"], np.float64))
    if kind == "cut":
        return Cut(int(part["frames"]), float(part["pad"]))
    if kind == "windows":
        return Framing(int(part["frames"]), int(part["hop"]), float(part["pad"]))
    raise KeyError(kind)


def save_fit(folder: Path, address: str, fitted: FittedStages) -> None:
    """Writes ``<folder>/<address>.json``, whole or not at all.

    Raises:
        StoreError: when the folder cannot be written.
    """
    content = {"address": address, "format": FORMAT, "fitted": fitted.to_plain()}
    write_durably(folder / f"{address}.json", seal(content))


def load_fit(folder: Path, address: str) -> FittedStages:
    """Reads what `save_fit` wrote.

    Raises:
        StoreError: when it is missing, damaged, or the fit of something else.
    """
    path = folder / f"{address}.json"
    content = open_sealed(path)
    if content["address"] != address or content["format"] != FORMAT:
        raise StoreError(
            f"{path}: holds the fit {content['address']} of format "
            f"{content['format']}; expected {address} of format {FORMAT}. "
            "Delete it to fit again."
        )
    return FittedStages.from_plain(content["fitted"])

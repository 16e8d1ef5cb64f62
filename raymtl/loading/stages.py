"""Stages between features and the network, measured on training clips only.

Value stages (`Standardise`, `MinMax`) change numbers; length stages (`FixedLength`, `Windows`)
change how many frames a row has. The two kinds commute:

- a value stage is measured on, and applied to, every real frame of a clip, whatever the length
  stages cut away; a second value stage is measured on values the first has transformed;
- padding is put in last and holds the length stage's `pad` as the network will see it. It is
  never measured.

Statistics are kept per channel and feature.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import ClassVar, Literal, Protocol

import numpy as np
import numpy.typing as npt

from raymtl.errors import StudyError
from raymtl.loading.fitted import Affine, Cut, Fitted, Framing
from raymtl.loading.measuring import extremes, moments
from raymtl.loading.summaries import Extremes, Lengths, Moments
from raymtl.spec import Spec
from raymtl.tasks import Floats

Rows = npt.NDArray[np.int64]
Scope = Literal["source", "combination"]
Over = Literal["feature", "cell"]
_EPS = float(np.finfo(np.float64).eps)


class Features(Protocol):
    """What a stage or an input needs of a feature set (`extraction.store.FeatureSet`)."""

    ids: list[str]
    frames: Rows
    channels: int
    features: int

    def row(self, ids: Sequence[str]) -> Rows: ...

    def gather(
        self,
        rows: Rows,
        frames: int | None = None,
        pad: float = 0.0,
        starts: Rows | None = None,
        out: Floats | None = None,
    ) -> tuple[Floats, Rows]: ...

    def blocks(self, rows: Rows) -> Iterator[Floats]: ...


@dataclass(frozen=True, kw_only=True)
class Stage(Spec, ABC):
    """scope: measured over the source alone, or over all sources of the combination."""

    values: ClassVar[bool]  # changes values (True) or lengths (False)

    scope: Scope = "source"

    def __post_init__(self) -> None:
        if self.scope not in ("source", "combination"):
            raise StudyError(
                f"{type(self).__name__}: scope={self.scope!r}, expected source or combination."
            )

    @property
    def measured(self) -> bool:
        """Whether anything is learnt from the training clips."""
        return True

    @abstractmethod
    def measure(
        self, features: Features, rows: Rows, before: Affine | None = None
    ) -> Moments | Extremes | Lengths:
        """A mergeable summary of the clips in `rows`, their values transformed by `before`."""

    @abstractmethod
    def fit(self, summary: Moments | Extremes | Lengths | None) -> Fitted:
        """The fitted stage from the merged summary; None for a stage that is not measured."""


@dataclass(frozen=True)
class Standardise(Stage):
    """To mean 0 and deviation 1 (population); constant features are only shifted.

    over: ``feature`` pools all frames; ``cell`` keeps each frame index apart. Frames beyond the
    longest training clip use the pooled statistics.
    """

    values: ClassVar[bool] = True

    over: Over = "feature"

    def measure(self, features: Features, rows: Rows, before: Affine | None = None) -> Moments:
        return moments(features, rows, self.over == "cell", before)

    def fit(self, summary: Moments | Extremes | Lengths | None) -> Affine:
        assert isinstance(summary, Moments)
        if self.over == "cell":
            one = summary.pooled()
            summary = Moments(
                np.append(summary.count, one.count),
                np.concatenate([summary.mean, one.mean], 1),
                np.concatenate([summary.spread, one.spread], 1),
            )
        count = np.maximum(summary.count, 1)[:, None]
        variance = summary.spread / count
        noise = (count * summary.mean * _EPS) ** 2  # rounding, not spread: as scikit-learn
        constant = variance <= count * _EPS * variance + noise
        deviation = np.sqrt(np.where(constant, 1.0, variance))
        return Affine(summary.mean, 1 / deviation)


@dataclass(frozen=True)
class MinMax(Stage):
    """The training clips' range to [low, high]; a constant feature goes to `low`.

    over: as in `Standardise`. Values outside the training range leave [low, high].
    """

    values: ClassVar[bool] = True

    over: Over = "feature"
    low: float = 0.0
    high: float = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.low < self.high:
            raise StudyError(f"MinMax: low={self.low}, high={self.high}; expected low < high.")

    def measure(self, features: Features, rows: Rows, before: Affine | None = None) -> Extremes:
        return extremes(features, rows, self.over == "cell", before)

    def fit(self, summary: Moments | Extremes | Lengths | None) -> Affine:
        assert isinstance(summary, Extremes)
        low, high = summary.low, summary.high
        if self.over == "cell":
            one = summary.pooled()
            low, high = np.concatenate([low, one.low], 1), np.concatenate([high, one.high], 1)
        width = high - low
        width[width < 10 * _EPS] = 1.0  # as scikit-learn
        gain = (self.high - self.low) / width
        return Affine(low - self.low / gain, gain)


@dataclass(frozen=True)
class FixedLength(Stage):
    """Every clip to the same number of frames: the first ones are kept, missing ones are padded.

    frames: a number, or the median (rounded down), minimum or maximum over the training clips.
    pad: what padded frames hold, after all scaling: with `Standardise`, 0 is the mean.
    """

    values: ClassVar[bool] = False

    frames: int | Literal["median", "minimum", "maximum"] = "median"
    pad: float = 0.0
    scope: Scope = field(default="combination", kw_only=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        named = self.frames in ("median", "minimum", "maximum")
        if not named and (isinstance(self.frames, str) or self.frames < 1):
            raise StudyError(
                f"FixedLength: frames={self.frames!r}, expected a number of 1 or "
                "more, 'median', 'minimum' or 'maximum'."
            )

    @property
    def measured(self) -> bool:
        return isinstance(self.frames, str)

    def measure(self, features: Features, rows: Rows, before: Affine | None = None) -> Lengths:
        frames, clips = np.unique(features.frames[rows], return_counts=True)
        return Lengths(frames.astype(np.int64), clips.astype(np.int64))

    def fit(self, summary: Moments | Extremes | Lengths | None) -> Cut:
        if not isinstance(self.frames, str):
            return Cut(self.frames, self.pad)
        assert isinstance(summary, Lengths)
        ends = {"minimum": int(summary.frames[0]), "maximum": int(summary.frames[-1])}
        return Cut(max(ends.get(self.frames, summary.median()), 1), self.pad)


@dataclass(frozen=True)
class Windows(Stage):
    """Several rows a clip: windows of `frames` every `hop`. They inherit the clip's targets.

    Only whole windows of real frames; what is left at the end is dropped. A clip shorter than one
    window becomes one, padded. Scores are averaged over a clip's windows before any metric.
    """

    values: ClassVar[bool] = False

    frames: int
    hop: int
    pad: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.frames < 1 or self.hop < 1:
            raise StudyError(f"Windows: frames={self.frames}, hop={self.hop}; expected both >= 1.")

    @property
    def measured(self) -> bool:
        return False

    def measure(self, features: Features, rows: Rows, before: Affine | None = None) -> Lengths:
        raise NotImplementedError("windows learn nothing from the data")

    def fit(self, summary: Moments | Extremes | Lengths | None) -> Framing:
        return Framing(self.frames, self.hop, self.pad)


def check_stages(stages: Sequence[Spec]) -> tuple[Stage, ...]:
    """The stages, when their kinds and order make sense.

    Raises:
        StudyError: otherwise, with what to change.
    """
    kept: list[Stage] = []
    for stage in stages:
        if not isinstance(stage, Stage):
            raise StudyError(
                f"stages: {stage!r} is not a stage. Use Standardise, MinMax, "
                "FixedLength or Windows."
            )
        kept.append(stage)
    for kind in (FixedLength, Windows):
        if sum(isinstance(stage, kind) for stage in kept) > 1:
            raise StudyError(f"stages: {kind.__name__} appears twice. Keep one.")
    kinds = [type(stage) for stage in kept]
    if Windows in kinds and FixedLength in kinds[kinds.index(Windows) :]:
        raise StudyError(
            "stages: FixedLength after Windows, whose rows already have one length. "
            "Put FixedLength first, or drop it."
        )
    return tuple(kept)

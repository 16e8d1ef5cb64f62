"""How a source is split: official parts, folds, hold-out, or any splitter of scikit-learn."""

from __future__ import annotations

import inspect
import warnings
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt

from raymtl.errors import StudyError
from raymtl.loading.splits.dealing import Deal, Doubles, Ints, deal, shuffled
from raymtl.loading.splits.view import FREE, OUT, SIDE_OF, TEST, TRAIN, Sides, View
from raymtl.spec import Spec


@dataclass(frozen=True)
class Validation(Spec):
    """The part of the training clips that chooses the epoch: whole groups, stratified.

    An official validation part is used where the splitter is `Official` and the source has one.
    A fraction of 0 leaves the validation part empty.
    """

    fraction: float = 0.15

    def __post_init__(self) -> None:
        if not 0 <= self.fraction < 1:
            raise StudyError(f"Validation({self.fraction}): expected a fraction from 0 to below 1.")


@dataclass(frozen=True)
class Splitter(Spec, ABC):
    """Gives one or several splits of a source into training and test clips."""

    first: ClassVar[bool] = False  # decided before the sources whose splitters are free to choose

    @abstractmethod
    def splits(self, view: View) -> int:
        """How many splits it gives.

        Raises:
            StudyError: when it cannot split this source.
        """

    @abstractmethod
    def assign(self, view: View, taken: Sides, seed: int) -> Sides:
        """Side of each clip in each split, (N, folds).

        taken: (C, folds) sides that other sources have settled, FREE elsewhere; `folds` is
            `splits(view)`, or more when it gives one split that serves every fold.
        """


@dataclass(frozen=True)
class KFold(Splitter):
    """Every group is tested in one of `folds` folds; `stratify` spreads all labels evenly."""

    folds: int = 5
    stratify: bool = True

    def __post_init__(self) -> None:
        if self.folds < 2:
            raise StudyError(f"KFold({self.folds}): expected at least 2 folds, or HoldOut.")

    def splits(self, view: View) -> int:
        if view.components < self.folds:
            raise StudyError(
                f"source {view.name}: its {len(view.ids)} clips form {view.components} groups, "
                f"which cannot fill {self.folds} folds. Use KFold({max(view.components, 2)}) or "
                "fewer, or set which kinds of groups are kept together (groups=)."
            )
        return self.folds

    def assign(self, view: View, taken: Sides, seed: int) -> Sides:
        counts, free = view.counts(), (taken == FREE).all(axis=1)
        held = _held(counts[~free], taken[~free] == TEST)
        bins = deal(
            Deal(
                counts[free],
                shuffled(view.base, seed, "folds")[free],
                np.full(self.folds, 1 / self.folds),
                held,
                view.spread(self.stratify),
                tested=tuple(range(self.folds)),
            )
        )
        sides = np.where(taken == FREE, TRAIN, taken).astype(np.int8)
        sides[np.flatnonzero(free), bins] = TEST
        return sides[view.component]


@dataclass(frozen=True)
class HoldOut(Splitter):
    """A share of the clips, in whole groups, is tested; `repeats` draws it anew."""

    test: float = 0.2
    repeats: int = 1
    stratify: bool = True

    def __post_init__(self) -> None:
        if not 0 < self.test < 1 or self.repeats < 1:
            raise StudyError(
                f"HoldOut(test={self.test}, repeats={self.repeats}): expected a share between "
                "0 and 1 and at least one repeat."
            )

    def splits(self, view: View) -> int:
        if view.components < 2:
            raise StudyError(
                f"source {view.name}: its {len(view.ids)} clips form one group, which cannot be "
                "both trained and tested. Set which kinds of groups are kept together (groups=)."
            )
        return self.repeats

    def assign(self, view: View, taken: Sides, seed: int) -> Sides:
        counts, sides = view.counts(), taken.copy()
        for repeat in range(self.repeats):
            here = slice(None) if self.repeats == 1 else slice(repeat, repeat + 1)
            free = (taken[:, here] == FREE).all(axis=1)
            tested = (taken[~free, here] == TEST).mean(axis=1, keepdims=True)
            bins = deal(
                Deal(
                    counts[free],
                    shuffled(view.base, seed, f"holdout/{repeat}")[free],
                    np.array([1 - self.test, self.test]),
                    _held(counts[~free], np.hstack([1 - tested, tested])),
                    view.spread(self.stratify),
                    tested=(1,),
                )
            )
            sides[free, here] = np.where(bins == 1, TEST, TRAIN)[:, None]
        return np.where(sides == FREE, TRAIN, sides).astype(np.int8)[view.component]


def _held(counts: Doubles, member: npt.NDArray[Any]) -> Doubles:
    """(bins, labels) from counts (groups, labels) and membership (groups, bins)."""
    held: Doubles = member.astype(np.float64).T @ counts
    return held


@dataclass(frozen=True)
class Official(Splitter):
    """The corpus' own parts, kept as they are even where they separate a group.

    by: the column that says so. ``auto`` takes ``split`` when all clips have one or none has a
        fold, else ``fold``, which gives one split a fold. Clips without an official split are left
        out; without a fold they train in every split, unless they are officially test clips.
    """

    by: Literal["auto", "split", "fold"] = "auto"

    first: ClassVar[bool] = True

    def splits(self, view: View) -> int:
        if self._by(view) == "split":
            return 1
        folds = sorted({fold for fold in view.fold if fold is not None})
        if folds != list(range(1, len(folds) + 1)) or len(folds) < 2:
            raise StudyError(
                f"source {view.name}: official folds {folds}; expected 1, 2, ... without a gap. "
                "Check that the corpus is complete, or use KFold."
            )
        return len(folds)

    def assign(self, view: View, taken: Sides, seed: int) -> Sides:
        parts = np.array([OUT if part is None else SIDE_OF[part] for part in view.split], np.int8)
        if self._by(view) == "split":
            return np.repeat(parts[:, None], taken.shape[1], axis=1)
        fold = np.array([0 if fold is None else fold for fold in view.fold])
        always = np.where(parts == OUT, TRAIN, np.where(parts == TEST, OUT, parts))
        train = np.where(fold > 0, TRAIN, always)
        tested = fold[:, None] == np.arange(1, taken.shape[1] + 1)
        return np.where(tested, TEST, train[:, None]).astype(np.int8)

    def _by(self, view: View) -> str:
        has_split = any(part is not None for part in view.split)
        has_fold = any(fold is not None for fold in view.fold)
        whole = all(part is not None for part in view.split)
        by = self.by if self.by != "auto" else "split" if whole or not has_fold else "fold"
        if not (has_split if by == "split" else has_fold):
            raise StudyError(
                f"source {view.name}: the corpus has no official {by}. Use KFold or HoldOut."
            )
        return by


@dataclass(frozen=True)
class SplitWith(Splitter):
    """Any splitter of scikit-learn, by class path and arguments; see `SplitWith.of`.

    It gets the first task's classes (or label matrix) as y and group numbers as groups, rows in
    the order of clip ids. A splitter that separates a group is refused. A random state left open
    is set from the study's seed.
    """

    splitter: str
    params: tuple[tuple[str, Any], ...] = ()

    @staticmethod
    def of(splitter: Any) -> SplitWith:
        """From an instance, such as ``StratifiedGroupKFold(n_splits=5, shuffle=True)``."""
        kind = type(splitter)
        state = {**getattr(splitter, "cvargs", {}), **vars(splitter)}
        names = [n for n in inspect.signature(kind).parameters if n in state]
        return SplitWith(
            _public(kind),
            tuple((name, _plain(state[name])) for name in names),
        )

    def splits(self, view: View) -> int:
        return int(self._call(view, "get_n_splits", np.arange(len(view.ids)), 0))

    def assign(self, view: View, taken: Sides, seed: int) -> Sides:
        sides = taken[view.component]
        free = np.flatnonzero((sides == FREE).all(axis=1))
        found = list(self._call(view, "split", free, seed)) if len(free) else []
        for fold in range(taken.shape[1]):
            if found:
                train, test = found[fold if len(found) > 1 else 0]
                sides[free, fold] = OUT
                sides[free[train], fold], sides[free[test], fold] = TRAIN, TEST
                self._check(view, sides[:, fold], fold)
        return np.where(sides == FREE, TRAIN, sides).astype(np.int8)

    def _call(self, view: View, method: str, rows: Ints, seed: int) -> Any:
        splitter = self._make()
        state = vars(splitter)
        if state.get("random_state", 0) is None and state.get("shuffle", True):
            splitter.random_state = int(shuffled(view.base[:1], seed, "splitter")[0] >> 33)
        arguments = (np.zeros((len(rows), 1)), view.strata[rows], view.component[rows])
        try:
            with warnings.catch_warnings():
                warnings.simplefilter(
                    "ignore"
                )  # rare classes: checked for all splitters, as errors
                result = getattr(splitter, method)(*arguments)
                return result if isinstance(result, int) else list(result)
        except (ValueError, TypeError) as error:
            raise StudyError(
                f"source {view.name}: {self.splitter} cannot split its {len(rows)} clips: {error}"
            ) from error

    def _make(self) -> Any:
        module, _, name = self.splitter.rpartition(".")
        try:
            return getattr(import_module(module), name)(**dict(self.params))
        except (ImportError, AttributeError, ValueError, TypeError) as error:
            raise StudyError(
                f"SplitWith({self.splitter!r}): {error}. Expected the path of a splitter class, "
                "such as 'sklearn.model_selection.StratifiedGroupKFold', and its arguments."
            ) from error

    def _check(self, view: View, sides: Sides, fold: int) -> None:
        tested = np.unique(view.component[sides == TEST])
        both = np.intersect1d(np.unique(view.component[sides == TRAIN]), tested)
        if len(both):
            shown = ", ".join(view.names[i] for i in both[:5])
            raise StudyError(
                f"source {view.name}, split {fold + 1}: {self.splitter} puts {len(both)} groups on "
                f"both sides (those of clips {shown}). Use a splitter that respects groups, such "
                "as StratifiedGroupKFold or GroupShuffleSplit."
            )


def _public(kind: type) -> str:
    """The shortest path at which a class is found: its public one, as a rule."""
    parts = kind.__module__.split(".")
    for n in range(1, len(parts)):
        module = ".".join(parts[:n])
        if getattr(import_module(module), kind.__name__, None) is kind:
            return f"{module}.{kind.__name__}"
    return f"{kind.__module__}.{kind.__qualname__}"


def _plain(value: Any) -> Any:
    """A parameter as a spec can hold it."""
    if isinstance(value, np.ndarray | list | tuple):
        return tuple(_plain(part) for part in value)
    if isinstance(value, Mapping):
        return tuple(sorted((str(key), _plain(part)) for key, part in value.items()))
    if isinstance(value, np.generic):
        return value.item()
    if value is None or isinstance(value, bool | int | float | str):
        return value
    raise StudyError(
        f"{value!r} cannot be part of a splitter; give numbers, such as random_state=0."
    )

"""Which clips of a corpus a source takes: by label, by column, by duration.

What these leave out is neither inspected (durations aside) nor extracted. A label that no clip is
left of stays an output of its task; give the source a task without it where that is not meant.
"""

from __future__ import annotations

import difflib
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Protocol

import numpy as np
import numpy.typing as npt

from raymtl.errors import StudyError
from raymtl.reading.clips import ABOUT, TARGET, ClipTable
from raymtl.spec import Spec

Bools = npt.NDArray[np.bool_]


class Length(Protocol):
    """What is known of a recording (`extraction.inspection.FileFacts`)."""

    @property
    def error(self) -> str | None: ...

    @property
    def seconds(self) -> float: ...


@dataclass(frozen=True)
class Choice(Spec, ABC):
    """Tells which clips to take."""

    measured: ClassVar[bool] = False  # whether recordings must have been inspected

    @abstractmethod
    def of(self, table: ClipTable, facts: Mapping[Path, Length]) -> Bools:
        """(N,) True where the clip is taken; `facts` are of every file if `measured`, else empty.

        Raises:
            StudyError: for a name that the table does not have.
        """


@dataclass(frozen=True)
class Labels(Choice):
    """Clips that have one of the labels `keep`, and none of the labels `drop`.

    column: the corpus' own task; labels are the corpus' own, before aliases. Clips without a target
        are dropped where `keep` is given. Of several labels one is enough.
    """

    column: str
    keep: tuple[str, ...] = ()
    drop: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        _check_lists(self, self.keep, self.drop)

    def of(self, table: ClipTable, facts: Mapping[Path, Length]) -> Bools:
        name = TARGET + self.column
        if name not in table.table.column_names:
            raise StudyError(_unknown(self, self.column, _names(table, TARGET)))
        found = [_labels(value) for value in table.table.column(name).to_pylist()]
        return _taken(self, found, self.keep, self.drop)


@dataclass(frozen=True)
class Values(Choice):
    """Clips by what the corpus says of them beside its targets.

    column: ``split``, ``fold``, ``audio``, a kind of group (``speaker``: values are the part behind
        the colon) or a column of the corpus (`Clip.about`). Values are compared as text; a clip
        without one is dropped where `keep` is given.
    """

    column: str
    keep: tuple[str, ...] = ()
    drop: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        _check_lists(self, self.keep, self.drop)

    def of(self, table: ClipTable, facts: Mapping[Path, Length]) -> Bools:
        return _taken(self, self._values(table), self.keep, self.drop)

    def _values(self, table: ClipTable) -> list[tuple[str, ...]]:
        if self.column in ("split", "fold", "audio"):
            found = table.table.column(self.column).to_pylist()
            return [() if value is None else (str(value),) for value in found]
        if ABOUT + self.column in table.table.column_names:
            found = table.table.column(ABOUT + self.column).to_pylist()
            return [() if value is None else (value,) for value in found]
        kinds = {group.split(":")[0] for groups in table.groups() for group in groups}
        if self.column not in kinds:
            known = ["split", "fold", "audio", *sorted(kinds), *_names(table, ABOUT)]
            raise StudyError(_unknown(self, self.column, known))
        start = f"{self.column}:"
        return [
            tuple(group.removeprefix(start) for group in groups if group.startswith(start))
            for groups in table.groups()
        ]


@dataclass(frozen=True)
class Duration(Choice):
    """Clips that last from `least` to `most` seconds (None: however long), both included.

    Recordings that cannot be opened are kept, so that they are reported.
    """

    measured: ClassVar[bool] = True

    least: float = 0.0
    most: float | None = None

    def __post_init__(self) -> None:
        if self.least < 0 or (self.most is not None and self.most < self.least):
            raise StudyError(f"{self}: expected 0 <= least <= most, in seconds.")

    def of(self, table: ClipTable, facts: Mapping[Path, Length]) -> Bools:
        timeless = [p for p in table.paths() if not (facts[p].error or facts[p].seconds)]
        if timeless:
            raise StudyError(
                f"{self}: {timeless[0]} lasts no time, as images and tables do. Choose its clips "
                "by Labels or Values."
            )
        spans = (table.table.column(name).to_pylist() for name in ("start", "end"))
        seconds = [
            np.nan
            if facts[path].error
            else (facts[path].seconds if end is None else end) - (a or 0)
            for path, a, end in zip(table.paths(), *spans, strict=True)
        ]
        lasting = np.array(seconds, np.float64)
        inside = (lasting >= self.least) & (self.most is None or lasting <= self.most)
        return np.asarray(inside | np.isnan(lasting))


def choose(
    table: ClipTable,
    choices: Sequence[Choice],
    source: str,
    facts: Mapping[Path, Length] | None = None,
) -> ClipTable:
    """The clips that every choice takes: the measured ones with `facts`, the others without.

    Raises:
        StudyError: for a name that the table does not have, or when no clip is left.
    """
    masks = [c.of(table, facts or {}) for c in choices if c.measured == (facts is not None)]
    taken: Bools = np.logical_and.reduce([np.ones(len(table), np.bool_), *masks])
    if not taken.any():
        shown = ", ".join(map(str, choices))
        raise StudyError(f"source {source}: none of its {len(table)} clips is left by {shown}.")
    return table if taken.all() else table.where(taken)


def _check_lists(choice: Choice, *lists: Sequence[str]) -> None:
    for names in lists:
        if isinstance(names, str):
            raise StudyError(f"{choice}: {names!r} is one string; expected a list: ({names!r},).")


def _taken(
    choice: Choice, found: Sequence[Iterable[str]], keep: Sequence[str], drop: Sequence[str]
) -> Bools:
    known = {value for values in found for value in values}
    for value in (*keep, *drop):
        if str(value) not in known:
            raise StudyError(_unknown(choice, value, sorted(known)))
    wanted, unwanted = set(map(str, keep)), set(map(str, drop))
    return np.array(
        [
            (not wanted or not wanted.isdisjoint(values)) and unwanted.isdisjoint(values)
            for values in map(tuple, found)
        ],
        np.bool_,
    )


def _labels(value: Any) -> tuple[str, ...]:
    """Labels of a target: one, several, or those of events; yes and no for True and False."""
    if value is None:
        return ()
    if isinstance(value, bool):
        return ("yes",) if value else ("no",)
    if isinstance(value, list):
        return tuple(v["label"] if isinstance(v, dict) else v for v in value)
    return (str(value),)


def _names(table: ClipTable, start: str) -> list[str]:
    names = table.table.column_names
    return [name.removeprefix(start) for name in names if name.startswith(start)]


def _unknown(choice: Choice, name: object, known: Sequence[str], most: int = 20) -> str:
    near = difflib.get_close_matches(str(name), known, n=3)
    hint = f" Did you mean {' or '.join(map(repr, near))}?" if near else ""
    shown = ", ".join(map(repr, known[:most])) + (", ..." if len(known) > most else "")
    return f"{choice}: no {str(name)!r} in this corpus; it has {shown or 'none'}.{hint}"

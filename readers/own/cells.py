"""From what a table says of a clip to targets, groups, times: cells with a place and a meaning."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Protocol

import pyarrow as pa

from raymtl.errors import ReaderError, StudyError
from raymtl.reading.tables import Row
from raymtl.spec import Spec
from raymtl.tasks import Task

Key = str | int  # a column by name or, without a header, by number from 0
Value = str | list[str] | None


class Line(Protocol):
    """What one line says. `where` is ``path:line``; None is what it does not say."""

    @property
    def where(self) -> str: ...

    def value(self, key: Key) -> Value: ...


@dataclass(frozen=True, slots=True)
class Cells:
    """A row of a table and where its columns are; cells that it lacks say nothing."""

    row: Row
    at: Mapping[Key, int]

    @property
    def where(self) -> str:
        return self.row.where

    def value(self, key: Key) -> str:
        place = self.at[key]
        return self.row.cells[place] if place < len(self.row) else ""


@dataclass(frozen=True)
class Column(Spec):
    """A target: the column it is in, its task, and how a cell is to be read.

    column: its name, its number from 0 in a table without a header, or dotted keys in JSON.
    task: `OneOf`, `AnyOf`, `YesNo` or one of numbers; None when the labels are not known yet:
        reading lists them, to be pasted.
    separator: between the labels of one cell, for `AnyOf`; each part loses the blanks around it.
    none: cells that say that no label applies, for `AnyOf`.
    yes, no: cells that say so, of any case, for `YesNo`.
    """

    column: Key
    task: Task | None = None
    separator: str = ""
    none: tuple[str, ...] = ()
    yes: tuple[str, ...] = ("1", "yes", "true")
    no: tuple[str, ...] = ("0", "no", "false")

    @property
    def name(self) -> str:
        return self.task.name if self.task is not None else str(self.column)

    @property
    def kind(self) -> str:
        """``one``, ``any``, ``flag`` or ``number``: the form of the task's targets.

        Raises:
            StudyError: for a task whose targets no cell can say.
        """
        if self.task is None:
            return "any" if self.separator else "one"
        column = self.task.column
        if column == pa.string():
            return "one"
        if column == pa.list_(pa.string()):
            return "any"
        if pa.types.is_boolean(column):
            return "flag"
        if pa.types.is_floating(column) or pa.types.is_integer(column):
            return "number"
        raise StudyError(
            f"Column({self.column!r}): a cell cannot hold the targets of {self.task.name!r}, which "
            f"are {column}. Write a reader for them."
        )


@cache
def _written(decimal: str) -> re.Pattern[str]:
    """How a number is written with that decimal mark."""
    mark = re.escape(decimal)
    return re.compile(rf"[+-]?(\d+({mark}\d*)?|{mark}\d+)([eE][+-]?\d+)?", re.ASCII)


@dataclass(frozen=True)
class Reading:
    """How cells are to be read. decimal: point or comma; blanks: cells that say nothing."""

    decimal: str = "."
    blanks: tuple[str, ...] = ("",)

    def text(self, line: Line, key: Key) -> str | None:
        """One string without blanks around it; None where the cell says nothing.

        Raises:
            ReaderError: for a list.
        """
        value = line.value(key)
        if isinstance(value, list):
            raise ReaderError(
                f"{line.where}: {key!r} is a list {value!r:.100}, expected one value. "
                "Only targets of AnyOf and groups may be lists."
            )
        value = None if value is None else value.strip()
        return None if value is None or value in self.blanks else value

    def needed(self, line: Line, key: Key, what: str) -> str:
        """As `text`, where there must be one.

        Raises:
            ReaderError: when the cell says nothing.
        """
        found = self.text(line, key)
        if found is None:
            raise ReaderError(
                f"{line.where}: no {what} in {key!r}. Fill it in, or remove the line."
            )
        return found

    def number(self, line: Line, key: Key) -> float | None:
        """A finite number with the declared decimal mark.

        Raises:
            ReaderError: for anything else.
        """
        found = self.text(line, key)
        if found is None:
            return None
        plain = _written(self.decimal).fullmatch(found)
        value = float(found.replace(self.decimal, ".")) if plain else math.nan
        if not math.isfinite(value):
            raise ReaderError(
                f"{line.where}: {key!r} is {found!r}, expected a number such as "
                f"3{self.decimal}5. {self._remedy(found)}"
            )
        return value

    def _remedy(self, found: str) -> str:
        other = "," if self.decimal == "." else "."
        if re.fullmatch(rf"[+-]?\d+{re.escape(other)}\d+", found):
            return f"Say decimal={other!r}."
        return (
            f"Mend it, or if it means that nothing is known, say blanks={(*self.blanks, found)!r}."
        )

    def labels(self, line: Line, column: Column) -> list[str] | None:
        """Labels in a cell, each once, in order; None where it says nothing."""
        value = line.value(column.column)
        if isinstance(value, str):
            if value.strip() in column.none:
                return []
            if value.strip() in self.blanks:
                return None
            value = value.split(column.separator) if column.separator else [value]
        if value is None:
            return None
        return [part for part in dict.fromkeys(part.strip() for part in value) if part]

    def flag(self, line: Line, column: Column) -> bool | None:
        """Yes or no.

        Raises:
            ReaderError: for a cell that is neither.
        """
        found = self.text(line, column.column)
        if found is None:
            return None
        folded = found.casefold()
        for answer, words in ((True, column.yes), (False, column.no)):
            if folded in (word.casefold() for word in words):
                return answer
        raise ReaderError(
            f"{line.where}: {column.column!r} is {found!r}, expected one of {column.yes!r} or "
            f"{column.no!r}. Say what it means with yes=, no= or blanks=."
        )

    def target(self, line: Line, column: Column, kind: str) -> Any:
        """The target in the form that the column's task takes; `kind` is that of the column."""
        match kind:
            case "one":
                return self.text(line, column.column)
            case "any":
                return self.labels(line, column)
            case "flag":
                return self.flag(line, column)
            case _:
                return self.number(line, column.column)


_NAMED = re.compile(r"\{([^{}]*)\}")


def fill(template: Key, line: Line, reading: Reading) -> str:
    """The column itself, or a text in which ``{column}`` stands for its cell.

    Raises:
        ReaderError: where a cell says nothing.
    """
    if isinstance(template, int) or "{" not in template:
        return reading.needed(line, template, "recording")

    def cell(match: re.Match[str]) -> str:
        return reading.needed(line, _key(match[1]), "part of the recording's path")

    return _NAMED.sub(cell, template)


def keys_of(template: Key) -> Sequence[Key]:
    """The columns that a template names."""
    if isinstance(template, int) or "{" not in template:
        return (template,)
    return [_key(name) for name in _NAMED.findall(template)]


def _key(name: str) -> Key:
    return int(name) if name.isascii() and name.isdigit() else name

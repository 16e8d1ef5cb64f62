"""Tables with one clip a line: commas, semicolons or tabs, with or without a header."""

from __future__ import annotations

import codecs
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from raymtl.errors import ReaderError, StudyError
from raymtl.reading.tables import Row, rows
from readers.own.cells import Cells, Key, Line
from readers.own.corpus import parts_of
from readers.own.listing import Listed


@dataclass(frozen=True)
class Csv(Listed):
    """A corpus with a table of its clips; columns as `Listed` says.

    table: its path below `at`, or (path, part) pairs for a table a part.
    delimiter: comma, semicolon, tab or another character. Cells may be quoted; blanks around them
        are dropped.
    header: whether the first line names the columns; without, they are numbers from 0.
    encoding: of the text; a byte-order mark, CRLF and bare CR are no matter.
    """

    table: str | tuple[tuple[str, str], ...] = field(kw_only=True)
    delimiter: str = field(default=",", kw_only=True)
    header: bool = field(default=True, kw_only=True)
    encoding: str = field(default="utf-8", kw_only=True)

    def __post_init__(self) -> None:
        super().__post_init__()
        check_table(self.table, self.delimiter, self.encoding)
        wrong = [key for key in self.asked() if isinstance(key, int) is self.header]
        if wrong:
            expected = "names" if self.header else "numbers from 0"
            raise StudyError(
                f"Csv({self.at!r}): column {wrong[0]!r}; with header={self.header} columns are "
                f"{expected}."
            )
        for column in self.columns:
            if column.kind == "any" and not column.separator:
                raise StudyError(
                    f"Column({column.column!r}): no separator; say what stands between the labels "
                    f"of {column.name!r} in one cell, as in separator=';'."
                )

    def lines(self, root: Path) -> Sequence[tuple[str | None, Line]]:
        tables = self.table if isinstance(self.table, tuple) else ((self.table, None),)
        return [
            (part, line)
            for name, part in tables
            for line in _lines(self, read_rows(root / name, self.delimiter, self.encoding))
        ]


def check_table(table: str | tuple[tuple[str, str], ...], delimiter: str, encoding: str) -> None:
    """Refuses what no table can have.

    Raises:
        StudyError: saying what was expected.
    """
    if isinstance(table, tuple):
        parts_of(table, "table")
    if len(delimiter) != 1 or delimiter in '\r\n"':
        raise StudyError(f"delimiter={delimiter!r}: expected one character: ',', ';' or '\\t'.")
    try:
        codecs.lookup(encoding)
    except LookupError as error:
        raise StudyError(
            f"encoding={encoding!r}: unknown. Expected one such as 'utf-8', 'latin-1', 'utf-16'."
        ) from error


def codec(encoding: str) -> str:
    """The codec that drops a byte-order mark."""
    return "utf-8-sig" if codecs.lookup(encoding).name == "utf-8" else encoding


def read_rows(path: Path, delimiter: str, encoding: str) -> list[Row]:
    """Rows of a table of one's own.

    Raises:
        ReaderError: as `rows`, with what could be declared otherwise.
    """
    try:
        return rows(path, delimiter, encoding=codec(encoding))
    except ReaderError as error:
        raise ReaderError(
            f"{error} It was read with delimiter={delimiter!r}, encoding={encoding!r}; if the "
            "table is in another form, say so."
        ) from error


def _lines(own: Csv, found: Sequence[Row]) -> list[Cells]:
    first, width = found[0], len(found[0])
    names: list[Key] = [cell.strip() for cell in first.cells] if own.header else list(range(width))
    body = found[1:] if own.header else found
    if not body:
        raise ReaderError(f"{first.path}: holds no rows below its header.")
    lost = [key for key in own.asked() if key not in names]
    if lost:
        raise ReaderError(f"{first.where}: {_no_column(lost[0], first, own)}")
    twice = [key for key, n in Counter(names).items() if n > 1 and key in own.asked()]
    if twice:
        raise ReaderError(f"{first.where}: two columns are named {twice[0]!r}. Rename one.")
    for row in body:
        if len(row) != width:
            raise ReaderError(
                f"{row.where}: {len(row)} columns, expected {width} as in line {first.line}. "
                f"Mend the line; quote cells that hold {own.delimiter!r}."
            )
    at = {key: place for place, key in enumerate(names)}
    return [Cells(row, at) for row in body]


def _no_column(key: Key, first: Row, own: Csv) -> str:
    """What is wrong, and the likely reason: another delimiter."""
    line = own.delimiter.join(first.cells)
    other = [d for d in (",", ";", "\t") if d != own.delimiter and line.count(d) > len(first) - 1]
    if other:
        return f"one line is {line!r:.200}. Say delimiter={other[0]!r}."
    if not own.header:
        return f"no column {key!r}; there are {len(first)}, counted from 0."
    return f"no column {key!r}; it has {', '.join(map(repr, first.cells))}. Mend the name."

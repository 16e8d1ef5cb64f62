"""From tables to arrays: a row of columns a clip, or a bag of words.

Several clips share one file; a clip's row is found by its key, the last part of its id.
"""

from __future__ import annotations

import csv
import os
import sqlite3
from abc import abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import groupby
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from raymtl.errors import DecodingError, StudyError
from raymtl.extraction.databases import DATABASES, asked, database, quoted, strings
from raymtl.extraction.signals import ClipRow, Decoded, Decoding, Floats, Header, Skipped


@dataclass(frozen=True)
class TableDecoding(Decoding):
    """What all tables have in common: files are taken one after the other, not clip by clip."""

    media: ClassVar[str] = "table"

    @abstractmethod
    def read(self, path: Path, keys: Sequence[str]) -> Iterable[Floats | str]:
        """For each key its (1, rows, columns) float32, or why there is none.

        Raises:
            DecodingError: when the file as a whole is none of use.
        """

    def decode_many(self, rows: Sequence[ClipRow]) -> Decoded:
        waves: list[Floats | None] = []
        skipped = []
        for name, group in groupby(rows, key=lambda row: row.path):
            clips = list(group)
            for row, found in zip(clips, self._all(Path(name), clips), strict=True):
                waves.append(None if isinstance(found, str) else found)
                if isinstance(found, str):
                    skipped.append(Skipped(row.id, row.path, found))
        return Decoded(waves, 0, skipped, [False] * len(rows))

    def keys(self, path: Path) -> list[str]:
        """Keys of all clips that a file holds; none where a file is one clip.

        Raises:
            DecodingError: when the file is none of use.
        """
        return []

    def content(self, row: ClipRow, sha256: str) -> str:
        """A row of a file, not the file: clips that share one are not the same."""
        return f"{sha256}@{row.key}"

    def versions(self) -> dict[str, str]:
        return {}

    def _all(self, path: Path, clips: Sequence[ClipRow]) -> Iterable[Floats | str]:
        try:
            return list(self.read(path, [row.key for row in clips]))
        except DecodingError as error:
            return [str(error)] * len(clips)


@dataclass(frozen=True)
class Words(TableDecoding):
    """How often each word of a vocabulary occurs in a clip: (1, 1, words), from an SQLite file.

    The defaults are those of the musiXmatch lyrics of the Million Song Dataset.

    counts: table with one row a clip and word, in the columns `key`, `word` and `count`.
    vocabulary: table with the column `word`; the order of its rows is that of the features.
    most: take the first so many words. None: all. Others are not counted.
    """

    counts: str = "lyrics"
    key: str = "track_id"
    word: str = "word"
    count: str = "count"
    vocabulary: str = "words"
    most: int | None = None

    def __post_init__(self) -> None:
        if self.most is not None and self.most < 1:
            raise StudyError(f"Words: most={self.most}; expected 1 or more, or None.")

    def header(self, path: Path) -> Header:
        """Words of the vocabulary that are used, 0, 1."""
        with database(path) as base:
            base.execute(f"{self._select} LIMIT 0")
            return Header(len(self._vocabulary(base)), 0, 1)

    def keys(self, path: Path) -> list[str]:
        with database(path) as base:
            return strings(base, f"SELECT DISTINCT {quoted(self.key)} FROM {quoted(self.counts)}")

    def pack(self, seconds: float) -> int:
        return 2_000

    def read(self, path: Path, keys: Sequence[str]) -> Iterator[Floats | str]:
        with database(path) as base:
            places = {word: place for place, word in enumerate(self._vocabulary(base))}
            found = dict(self._bags(base, keys, places))
        for key in keys:
            yield found.get(key, f"no words of {key} in table {self.counts!r}")

    @property
    def _select(self) -> str:
        names = ", ".join(map(quoted, (self.key, self.word, self.count)))
        return f"SELECT {names} FROM {quoted(self.counts)}"

    def _vocabulary(self, base: sqlite3.Connection) -> list[str]:
        query = f"SELECT {quoted(self.word)} FROM {quoted(self.vocabulary)} ORDER BY rowid LIMIT ?"
        words = [str(word) for (word,) in base.execute(query, (self.most or -1,))]
        if not words or len(set(words)) < len(words):
            raise DecodingError(
                f"the vocabulary {self.vocabulary!r} is empty or names a word twice. Restore it."
            )
        return words

    def _bags(
        self, base: sqlite3.Connection, keys: Sequence[str], places: dict[str, int]
    ) -> Iterator[tuple[str, Floats]]:
        bags: dict[str, Floats] = {}
        for key, word, count in asked(base, self._select, self.key, keys):
            if key not in bags:
                bags[key] = np.zeros((1, 1, len(places)), np.float32)
            if word in places:
                bags[key][0, 0, places[word]] += float(count)
        yield from bags.items()


@dataclass(frozen=True)
class Columns(TableDecoding):
    """Number columns of a row a clip: (1, 1, columns), from a CSV, Parquet or SQLite file.

    columns: their names, in the order of the features.
    key: the column that names the clip.
    table: of an SQLite file.
    delimiter: of a text file; empty means runs of blanks.
    missing: stands for an empty cell, null or NaN. None: a clip that lacks a value is skipped.
    """

    columns: tuple[str, ...]
    key: str
    table: str = ""
    delimiter: str = ","
    missing: float | None = None

    def __post_init__(self) -> None:
        if not self.columns or len(set(self.columns)) < len(self.columns):
            raise StudyError(f"Columns: columns={self.columns!r}; expected names, none twice.")

    def header(self, path: Path) -> Header:
        """1 row, 0, and 1 channel; the columns must be there."""
        if path.suffix.lower() in DATABASES:
            with database(path) as base:
                base.execute(f"{self._select} LIMIT 0")
        else:
            _loaded(self, str(path), *_state(path))
        return Header(1, 0, 1)

    def keys(self, path: Path) -> list[str]:
        if path.suffix.lower() not in DATABASES:
            return list(_loaded(self, str(path), *_state(path))[0])
        with database(path) as base:
            return strings(base, f"SELECT {quoted(self.key)} FROM {quoted(self.table)}")

    def read(self, path: Path, keys: Sequence[str]) -> Iterator[Floats | str]:
        if path.suffix.lower() in DATABASES:
            with database(path) as base:
                rows = {str(row[0]): row[1:] for row in asked(base, self._select, self.key, keys)}
            wanted = [rows.get(key) for key in keys]
        else:
            index, cells = _loaded(self, str(path), *_state(path))
            wanted = [cells[index[key]] if key in index else None for key in keys]
        for key, row in zip(keys, wanted, strict=True):
            yield f"no row {key!r}" if row is None else self._array(row)

    @property
    def _select(self) -> str:
        if not self.table:
            raise StudyError("Columns: an SQLite file needs the name of its table: table=...")
        names = ", ".join(map(quoted, (self.key, *self.columns)))
        return f"SELECT {names} FROM {quoted(self.table)}"

    def _array(self, cells: Sequence[Any]) -> Floats | str:
        return filled([_number(cell) for cell in cells], self.missing, self.columns)


def filled(values: Sequence[float], missing: float | None, names: Sequence[str]) -> Floats | str:
    """(1, 1, columns) float32 with `missing` for NaN, or why that cannot be."""
    row = np.array(values, np.float32)
    bad = np.isinf(row) if missing is not None else ~np.isfinite(row)
    if bad.any():
        return f"no number in column {names[int(bad.argmax())]!r}; missing=... fills it"
    if missing is not None:
        row = np.nan_to_num(row, nan=missing)
    return row[None, None]


def _number(cell: Any) -> float:
    """A cell as a number: NaN when empty, infinite when it holds something else."""
    if cell is None or (isinstance(cell, str) and cell.strip().lower() in ("", "nan")):
        return float("nan")
    try:
        return float(cell)
    except (TypeError, ValueError):
        return float("inf")


def _state(path: Path) -> tuple[int, int]:
    try:
        status = os.stat(path)  # noqa: PTH116
    except OSError as error:
        raise DecodingError(f"cannot be read: {error.strerror}") from error
    return status.st_size, status.st_mtime_ns


@lru_cache(maxsize=2)
def _loaded(spec: Columns, path: str, size: int, time: int) -> tuple[dict[str, int], list[Any]]:
    """Key to row, and the cells of every row; kept while the file stays as it is."""
    header, body = (_parquet if path.lower().endswith(".parquet") else _text)(path, spec)
    lost = [name for name in (spec.key, *spec.columns) if name not in header]
    if lost:
        raise DecodingError(f"no column {lost[0]!r}; it has {', '.join(header)[:500]}.")
    at = [header.index(name) for name in spec.columns]
    key = header.index(spec.key)
    index = {str(row[key]): number for number, row in enumerate(body)}
    if len(index) < len(body):
        raise DecodingError(f"column {spec.key!r} names a row twice. Choose another key.")
    return index, [[row[place] for place in at] for row in body]


def _parquet(path: str, spec: Columns) -> tuple[list[str], list[Any]]:
    try:
        names = pq.read_schema(path).names
        wanted = [name for name in names if name in (spec.key, *spec.columns)]
        table = pq.read_table(path, columns=wanted)
    except (OSError, pa.ArrowException) as error:
        raise DecodingError(f"no Parquet file that can be read ({error}).") from error
    return wanted, list(zip(*(column.to_pylist() for column in table.columns), strict=True))


def _text(path: str, spec: Columns) -> tuple[list[str], list[Any]]:
    try:
        text = Path(path).read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise DecodingError(f"no table in UTF-8 text ({error}).") from error
    lines = [line for line in text.splitlines() if line.strip()]
    if spec.delimiter:
        rows = list(csv.reader(lines, delimiter=spec.delimiter, skipinitialspace=True))
    else:
        rows = [line.split() for line in lines]
    if not rows:
        raise DecodingError("an empty table.")
    header = [cell.strip() for cell in rows[0]]
    ragged = next((at for at, row in enumerate(rows) if len(row) != len(header)), None)
    if ragged is not None:
        raise DecodingError(f"row {ragged} has {len(rows[ragged])} cells, expected {len(header)}.")
    return header, rows[1:]

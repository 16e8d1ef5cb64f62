"""SQLite files that are read and never written."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

from raymtl.errors import DecodingError

DATABASES = (".db", ".sqlite", ".sqlite3")
_ASKED = 500  # keys in one query: below SQLite's least limit of 999


@contextmanager
def database(path: Path) -> Iterator[sqlite3.Connection]:
    """An SQLite file that nobody writes: opened read-only, without locks or journals beside it.

    Raises:
        DecodingError: when it is none, or lacks a table or column that is asked for.
    """
    uri = f"file:{quote(str(path.resolve()))}?mode=ro&immutable=1"
    try:
        with closing(sqlite3.connect(uri, uri=True)) as base:
            yield base
    except sqlite3.Error as error:
        raise DecodingError(f"no SQLite file with what is asked for ({error}).") from error


def quoted(identifier: str) -> str:
    return '"' + identifier.replace('"', '""') + '"'


def strings(base: sqlite3.Connection, query: str) -> list[str]:
    return [str(value) for (value,) in base.execute(query)]


def asked(
    base: sqlite3.Connection, select: str, key: str, keys: Sequence[str]
) -> Iterator[tuple[Any, ...]]:
    """The rows of the keys, a few keys a query."""
    for at in range(0, len(keys), _ASKED):
        some = keys[at : at + _ASKED]
        marks = ", ".join("?" * len(some))
        yield from base.execute(f"{select} WHERE {quoted(key)} IN ({marks})", some)

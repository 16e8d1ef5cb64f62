"""Metadata tables as text: rows of strings that know their line, so that errors can name it.

Nothing is guessed: `NA`, `None` and `01` stay the strings they are. A byte-order mark, CRLF and
bare CR are accepted; text that is not UTF-8 is an error unless another encoding is named.
"""

from __future__ import annotations

import csv
import gc
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from raymtl.errors import ReaderError


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a table. `where` is ``path:line`` for messages."""

    path: Path
    line: int
    cells: tuple[str, ...]

    @property
    def where(self) -> str:
        return f"{self.path}:{self.line}"

    def __str__(self) -> str:
        return self.where

    def __getitem__(self, index: int) -> str:
        return self.cells[index]

    def __len__(self) -> int:
        return len(self.cells)


@dataclass(frozen=True, slots=True)
class Record:
    """One line of a table with a header. `places` is where each column is, one for all lines."""

    row: Row
    places: Mapping[str, int]

    @property
    def where(self) -> str:
        return self.row.where

    def __str__(self) -> str:
        return self.where

    @property
    def line(self) -> int:
        return self.row.line

    @property
    def cells(self) -> dict[str, str]:
        """Cells by column name."""
        return {name: self.row.cells[at] for name, at in self.places.items()}

    def __getitem__(self, column: str) -> str:
        return self.row.cells[self.places[column]]


def rows(
    path: Path,
    delimiter: str | None = ",",
    widths: Sequence[int] = (),
    encoding: str = "utf-8-sig",
) -> list[Row]:
    """Rows of a table without header; blank lines are left out.

    delimiter: one character (with CSV quoting, blanks after it dropped), or None for runs of
        blanks (no quoting).
    widths: allowed numbers of cells; empty allows any.

    Raises:
        ReaderError: when the file is missing, empty or not text, or a row has another width.
    """
    text = read_text(path, encoding)
    found = list(_split(path, text, delimiter))
    if not found:
        raise ReaderError(f"{path}: holds no rows. Restore it from the corpus.")
    for row in found if widths else ():
        if len(row) not in widths:
            raise ReaderError(
                f"{row.where}: {len(row)} columns {row.cells!r:.200}, expected "
                f"{' or '.join(map(str, widths))}. Restore the file."
            )
    return found


def records(
    path: Path,
    columns: Sequence[str],
    delimiter: str = ",",
    encoding: str = "utf-8-sig",
) -> list[Record]:
    """Rows of a table whose first line names the columns; more columns than asked for are fine.

    Raises:
        ReaderError: as `rows`, and when a column is missing.
    """
    header, *body = rows(path, delimiter, encoding=encoding)
    names = [cell.strip() for cell in header.cells]
    missing = [name for name in columns if name not in names]
    if missing:
        raise ReaderError(
            f"{header.where}: no column {', '.join(missing)}; it has "
            f"{', '.join(names)}. Restore the file from the corpus."
        )
    if not body:
        raise ReaderError(f"{path}: holds no rows below its header. Restore it from the corpus.")
    for row in body:
        if len(row.cells) != len(names):
            raise ReaderError(
                f"{row.where}: {len(row)} columns, expected {len(names)} as in the "
                "header. Restore the file."
            )
    places = {name: at for at, name in enumerate(names)}
    with uncollected():
        return [Record(row, places) for row in body]


@contextmanager
def uncollected() -> Iterator[None]:
    """Without garbage collection: building a large table makes no cycles, and while it grows the
    collector would walk over all of it again and again, which doubles the time.
    """
    collects = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collects:
            gc.enable()


def read_text(path: Path, encoding: str = "utf-8-sig") -> str:
    """The whole text, lines ending in LF.

    Raises:
        ReaderError: when the file is missing, is not text of that encoding or holds NUL bytes.
    """
    try:
        text = path.read_bytes().decode(encoding)
    except OSError as error:
        raise ReaderError(
            f"{path}: cannot be read ({error.strerror}). "
            "Expected metadata of the corpus; check that it is unpacked."
        ) from error
    except UnicodeDecodeError as error:
        raise ReaderError(
            f"{path}: byte {error.start} is not {encoding.removesuffix('-sig')} text. "
            "Restore the file from the corpus."
        ) from error
    if "\0" in text:
        raise ReaderError(f"{path}: holds NUL bytes, not text. Restore the file from the corpus.")
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _split(path: Path, text: str, delimiter: str | None) -> Iterator[Row]:
    if delimiter is None:
        for line, content in enumerate(text.split("\n"), start=1):
            if content.strip():
                yield Row(path, line, tuple(content.split()))
        return
    *lines, last = text.split("\n")  # of which a list takes less memory than io.StringIO
    whole = chain((f"{line}\n" for line in lines), [last] if last else [])
    reader = csv.reader(whole, delimiter=delimiter, skipinitialspace=True, strict=True)
    try:
        for cells in reader:
            if any(map(str.strip, cells)):
                yield Row(path, reader.line_num, tuple(cells))
    except csv.Error as error:
        raise ReaderError(
            f"{path}:{reader.line_num}: not a table ({error}). Restore the file from the corpus."
        ) from error


def audio_files(root: Path, suffixes: Sequence[str] = (".wav",)) -> list[str]:
    """Paths of all audio files below `root`, relative, with `/`, sorted.

    Hidden files and folders (`.DS_Store`, AppleDouble `._x.wav`, `__MACOSX`) are left out. A
    missing folder has no files. Linked folders are followed only where they stay inside `root`.

    Raises:
        ReaderError: for a link that leads outside `root`.
    """
    found: list[str] = []
    real, ends, left = os.path.realpath(root), tuple(suffixes), [""]
    while left:
        inside = left.pop()
        for entry in _entries(os.path.join(root, inside)):  # noqa: PTH118
            name = inside + entry.name
            if entry.is_symlink() and not _stays(entry, real):
                continue
            if entry.is_dir():
                left.append(f"{name}/")
            elif name.lower().endswith(ends):
                found.append(name)
    return sorted(found)


def _entries(folder: str) -> list[os.DirEntry[str]]:
    """What lies in a folder and is not hidden; nothing where it is no folder."""
    try:
        with os.scandir(folder) as found:
            return [entry for entry in found if not _hidden(entry.name)]
    except (FileNotFoundError, NotADirectoryError):
        return []


def _hidden(name: str) -> bool:
    return name.startswith(".") or name == "__MACOSX"


def _stays(link: os.DirEntry[str], real: str) -> bool:
    """True; False for a link to a folder above itself, which is not followed.

    Raises:
        ReaderError: for a link that leads outside.
    """
    target = os.path.realpath(link.path)
    if os.path.commonpath([real, target]) != real:
        raise ReaderError(
            f"{link.path}: a link that leads outside the corpus, to {target}. "
            "Copy the file into the corpus, or link the corpus folder as a whole."
        )
    here = os.path.realpath(os.path.dirname(link.path))  # noqa: PTH120
    return os.path.commonpath([here, target]) != target


def require(names: Iterable[str], present: Iterable[str], root: Path, by: str) -> None:
    """Checks that every audio file that metadata names is there.

    names: relative paths; `present` as `audio_files` gives them; `by` says which metadata.

    Raises:
        ReaderError: naming the first 20 missing files and how many there are.
    """
    there = set(present)
    missing = sorted({name for name in names if name not in there})
    if missing:
        shown = ", ".join(missing[:20])
        more = f" (+{len(missing) - 20} more)" if len(missing) > 20 else ""
        raise ReaderError(
            f"{root}: {len(missing)} audio files that {by} lists are missing: "
            f"{shown}{more}. Unpack the corpus again."
        )


def extra(names: Iterable[str], present: Iterable[str], by: str) -> tuple[str, ...]:
    """A note on audio files that lie there but that no metadata mentions; empty when none."""
    listed = set(names)
    left = sorted(name for name in present if name not in listed)
    if not left:
        return ()
    return (f"{len(left)} audio files are not in {by} and are left out, first {left[0]}",)

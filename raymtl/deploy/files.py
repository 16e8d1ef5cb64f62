"""Answers for many clips: files, folders, standard input. A bad one does not end it."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import NamedTemporaryFile

from raymtl.deploy.answers import Answer
from raymtl.deploy.predictor import Predictor, Window
from raymtl.errors import RaymtlError, StudyError

STDIN = "-"
SUFFIXES = (".wav", ".flac", ".mp3", ".ogg", ".oga", ".opus", ".aif", ".aiff", ".aifc", ".au",
            ".caf", ".w64", ".rf64", ".snd")  # fmt: skip
_SUFFIXES = {
    "audio": SUFFIXES,
    "image": (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp"),
    "table": (".csv", ".tsv", ".txt", ".parquet", ".db", ".sqlite", ".sqlite3", ".h5", ".hdf5"),
}
_NAMES = {"audio": "recordings", "image": "images", "table": "tables"}


@dataclass(frozen=True)
class Result:
    """A clip's answers by task, or why there are none. file: its path; behind it, for a row of a
    table, ``/`` and the row's key."""

    file: str
    answers: dict[str, Answer] = field(default_factory=dict)
    error: str = ""


def results(
    predictor: Predictor,
    names: Sequence[str],
    *,
    window: Window = "auto",
    hop: float | None = None,
    source: str | None = None,
) -> Iterator[Result]:
    """One result a clip, in the order given; of a folder all files below it, sorted, links
    followed; of a table with keys all rows.

    Args:
        names: files, folders, or ``-`` for one file on standard input.

    Raises:
        StudyError: when it is not clear whose stages to use, or for windows that are none: before
            any file is read.
    """
    media = {predictor.recipe.fronts[name].signal.media for name in predictor.fronts(source)}
    if media != {"audio"} and (hop is not None or isinstance(window, int | float)):
        raise StudyError(
            f"windows of {' and '.join(sorted(media))}s; only sound is heard in windows. "
            "Leave --window and --hop out."
        )
    for number in (window, hop):
        if isinstance(number, int | float) and not 0 < number < float("inf"):
            raise StudyError(f"window {window}, hop {hop}; expected seconds above 0.")
    for name in names:
        for file in _expanded(name, media):
            if isinstance(file, Result):
                yield file
            elif file != STDIN:
                yield from _clips(predictor, file, file, window, hop, source)
            else:
                with NamedTemporaryFile(prefix="raymtl-") as copy:
                    shutil.copyfileobj(sys.stdin.buffer, copy)
                    copy.flush()
                    yield from _clips(predictor, copy.name, file, window, hop, source)


def _clips(
    predictor: Predictor,
    path: str,
    shown: str,
    window: Window,
    hop: float | None,
    source: str | None,
) -> Iterator[Result]:
    """Of every clip that a file holds. shown: what to call the file."""
    try:
        keys: Sequence[str | None] = predictor.keys(path, source) or [None]
    except RaymtlError as error:
        yield Result(shown, error=_said(error, path, shown))
        return
    for key in keys:
        name = shown if key is None else f"{shown}/{key}"
        try:
            found = predictor.predict_file(path, key=key, window=window, hop=hop, source=source)
            yield Result(name, found)
        except RaymtlError as error:
            yield Result(name, error=_said(error, path, shown))


def _said(error: RaymtlError, path: str, shown: str) -> str:
    """The message without the name of the file, which stands before it already."""
    return str(error).removeprefix(f"{path}: ").replace(path, shown)


def _expanded(name: str, media: set[str]) -> Iterator[str | Result]:
    path = Path(name)
    if name == STDIN or (path.exists() and not path.is_dir()):
        yield name
    elif path.is_dir():
        suffixes = tuple(ending for kind in sorted(media) for ending in _SUFFIXES[kind])
        found = list(_below(path, suffixes))
        yield from sorted(found, key=lambda one: one.file if isinstance(one, Result) else one)
        if not found:
            what = " or ".join(_NAMES[kind] for kind in sorted(media))
            yield Result(name, error=f"holds no {what} ({', '.join(suffixes)}).")
    else:
        yield Result(name, error="no such file or folder.")


def _below(folder: Path, suffixes: tuple[str, ...]) -> Iterator[str | Result]:
    """Files below a folder but hidden ones, and what cannot be looked into. Links are followed, a
    linked folder once."""
    broken: list[Result] = []

    def unread(error: OSError) -> None:
        broken.append(Result(str(error.filename), error=f"cannot be read ({error.strerror})."))

    seen: set[str] = set()
    for inside, folders, files in os.walk(folder, onerror=unread, followlinks=True):
        real = os.path.realpath(inside)
        if real in seen:
            folders.clear()
            continue
        seen.add(real)
        folders[:] = sorted(each for each in folders if not _hidden(each))
        for file in files:
            if not _hidden(file) and file.lower().endswith(suffixes):
                path = Path(inside) / file
                gone = Result(str(path), error="a link to a file that is not there.")
                yield str(path) if path.exists() else gone
    yield from broken


def _hidden(name: str) -> bool:
    return name.startswith(".") or name == "__MACOSX"

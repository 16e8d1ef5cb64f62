"""`raymtl predict`: recordings in, labels, scores and times out."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TextIO

from raymtl.deploy import load
from raymtl.deploy.files import Result, results
from raymtl.deploy.predictor import Window
from raymtl.deploy.writing import audacity, csv_lines, json_line, text_lines
from raymtl.errors import PreflightError, StudyError
from raymtl.kept import Epoch


def predict(
    run: Path,
    files: Sequence[str],
    *,
    form: str | None,
    output: Path | None,
    window: str,
    hop: float | None,
    source: str | None,
    code: Sequence[str],
    epoch: Epoch | None = None,
) -> int:
    """Writes the answers; 1 when some recording gave none, said on standard error, else 0.

    form: None for text on a terminal, and JSON lines anywhere else.

    Raises:
        RaymtlError: for a run that cannot be loaded, or options that do not fit it.
    """
    size = window_of(window)
    form = form or ("text" if output is None and sys.stdout.isatty() else "jsonl")
    predictor = load(run, code, epoch)
    aloud = form != "text" or output is not None  # text says errors in their place
    found = Watched(results(predictor, files, window=size, hop=hop, source=source), aloud)
    if form == "audacity":
        _label_tracks(found, output, len(files) == 1 and Path(files[0]).is_file())
    else:
        _write(_written(found, form, predictor.epoch), output)
    if found.bad:
        print(f"{found.bad} of {found.seen} recordings gave no answer.", file=sys.stderr)
    return int(found.bad > 0)


def _written(found: Iterable[Result], form: str, epoch: int) -> Iterator[str]:
    """Lines of the answers."""
    if form == "text":
        return text_lines(found)
    return csv_lines(found, epoch) if form == "csv" else map(partial(json_line, epoch=epoch), found)


def window_of(text: str) -> Window:
    """Seconds, ``auto``, or ``clip`` (None).

    Raises:
        StudyError: for anything else.
    """
    if text in ("auto", "clip"):
        return "auto" if text == "auto" else None
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < float("inf"):
        raise StudyError(f"--window {text}: expected seconds above 0, 'auto' or 'clip'.")
    return seconds


class Watched:
    """Results as they pass; errors are counted, and said at once where they are to be."""

    def __init__(self, inner: Iterable[Result], aloud: bool = True) -> None:
        self._inner, self._aloud = inner, aloud
        self.seen = self.bad = 0

    def __iter__(self) -> Iterator[Result]:
        for result in self._inner:
            self.seen += 1
            if result.error:
                self.bad += 1
            if result.error and self._aloud:
                print(f"{result.file}: {result.error}", file=sys.stderr)
            yield result


def _write(lines: Iterable[str], output: Path | None) -> None:
    def all_to(stream: TextIO) -> None:
        for line in lines:
            print(line, file=stream, flush=stream is sys.stdout)

    _opened(output, all_to)


def _label_tracks(found: Iterable[Result], output: Path | None, single: bool) -> None:
    """One file a recording in a folder; a single recording may go to standard output."""
    if output is None and not single:
        raise StudyError(
            "--format audacity writes one file a recording. Say into which folder with --output."
        )
    taken: set[Path] = set()
    for result in found:
        if output is None:
            print(audacity(result), end="")
        elif not result.error:
            target = _free(output / f"{Path(result.file).stem or 'stdin'}.txt", taken)
            _opened(target, lambda stream, result=result: stream.write(audacity(result)))  # type: ignore[misc]


def _free(path: Path, taken: set[Path]) -> Path:
    """A name that no recording of this call has: clips of two folders may be called alike."""
    found, number = path, 2
    while found in taken:
        found, number = path.with_stem(f"{path.stem}-{number}"), number + 1
    taken.add(found)
    return found


def _opened(output: Path | None, write: Callable[[TextIO], object]) -> None:
    if output is None:
        write(sys.stdout)
        return
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        with output.open("w", newline="") as stream:
            write(stream)
    except OSError as error:
        raise PreflightError(
            f"{output}: cannot be written ({error.strerror}). Choose another --output."
        ) from error

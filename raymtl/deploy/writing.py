"""Answers as text for people, as JSON lines, as CSV and as labels for Audacity."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Iterator, Sequence
from textwrap import TextWrapper

from raymtl.deploy.answers import Said
from raymtl.deploy.files import Result

_WIDE = 80  # columns of a terminal
_TOP = 3  # scores shown of an answer
_SPANS = 12  # of a recording shown, where the answer changes
_REASON = TextWrapper(
    _WIDE, initial_indent="  no answer: ", subsequent_indent="    ", break_long_words=False
)
COLUMNS = ("file", "task", "start", "end", "label", "score", "error", "epoch")


def json_line(result: Result, epoch: int | None = None) -> str:
    """One recording: file, and tasks {name: labels, scores, start, end, windows} or error.

    epoch: of the weights that answered; left out when None.
    """
    said: dict[str, object] = {"file": result.file}
    if epoch is not None:
        said["epoch"] = epoch
    if result.error:
        said["error"] = result.error
    else:
        said["tasks"] = {task: each.to_plain() for task, each in result.answers.items()}
    return json.dumps(said, ensure_ascii=False, allow_nan=False)


def text_lines(results: Iterable[Result]) -> Iterator[str]:
    """A block a recording: its file, what was heard of it, and a line a task with the answer and
    its best scores; below it, of recordings heard in windows, what they say where they differ."""
    for result in results:
        spans = [(answer.start, answer.end) for answer in result.answers.values()]
        heard = (
            f"  {min(a for a, _ in spans):.2f}-{max(b for _, b in spans):.2f} s" if spans else ""
        )
        heard = heard if any(end > 0 for _, end in spans) else ""
        yield f"{_plain(result.file)}{heard}"
        if result.error:
            yield from _REASON.wrap(result.error)
        wide = max(map(len, result.answers), default=0)
        for task, whole in result.answers.items():
            yield _line(f"  {_plain(task):{wide}}  ", whole)
            yield from _changes(whole.windows, " " * 4)
        yield ""


def _changes(windows: Sequence[Said], indent: str) -> Iterator[str]:
    """Neighbouring windows of like answers together, where not all are alike."""
    found = _joined(windows)
    for start, end, label in found[:_SPANS] if len(found) > 1 else []:
        yield _fitting(f"{indent}{start:8.2f} - {end:8.2f} s  {_plain(label)}")
    if len(found) > _SPANS:
        yield f"{indent}... and {len(found) - _SPANS} more: --format csv has all of them"


def _line(begin: str, said: Said) -> str:
    """The answer, and behind it as many of the best scores as fit."""
    text = f"{begin}{_plain(said.label) or 'none of them'}"
    best = sorted(said.scores.items(), key=lambda item: -item[1])[:_TOP]
    shown = [f"{_plain(label)} {score:.2f}" for label, score in best]
    while shown and len(text) + len(", ".join(shown)) + 4 > _WIDE:
        shown.pop()
    return _fitting(text + (f"  ({', '.join(shown)})" if shown else ""))


def _fitting(text: str) -> str:
    return text if len(text) <= _WIDE else f"{text[: _WIDE - 3]}..."


def _plain(text: str) -> str:
    """Without what would steer a terminal, or end a line or column."""
    return "".join(char if char.isprintable() else "?" for char in text)


def csv_lines(results: Iterable[Result], epoch: int) -> Iterator[str]:
    """A header, then a row a (recording, task, window); columns as in `COLUMNS`.

    score: probability of the label; of several labels the least one's. epoch: of the weights.
    """
    yield _csv(COLUMNS)
    for result in results:
        if result.error:
            yield _csv((result.file, "", "", "", "", "", result.error, str(epoch)))
        for task, whole in result.answers.items():
            for each in whole.windows:
                yield _csv((result.file, task, f"{each.start:.6f}", f"{each.end:.6f}", each.label,
                            _score(each), "", str(epoch)))  # fmt: skip


def audacity(result: Result) -> str:
    """A label track: start, end and ``task: label`` in each line, adjacent equal ones joined.

    Windows in which no label holds have no line.
    """
    return "".join(
        f"{start:.6f}\t{end:.6f}\t{_plain(f'{task}: {label}')}\n"
        for task, whole in result.answers.items()
        for start, end, label in _joined(whole.windows)
    )


def _joined(windows: Sequence[Said]) -> list[tuple[float, float, str]]:
    found: list[tuple[float, float, str]] = []
    for each in windows:
        if not each.label:
            continue
        if found and found[-1][2] == each.label and each.start <= found[-1][1] + 1e-6:
            found[-1] = (found[-1][0], max(found[-1][1], each.end), each.label)
        else:
            found.append((each.start, each.end, each.label))
    return found


def _score(said: Said) -> str:
    if said.value is not None:
        return ""
    scores = [said.scores.get(label) for label in said.labels]
    known = [score for score in scores if score is not None]
    if said.labels == ("no",):
        known = [1 - next(iter(said.scores.values()))]
    return f"{min(known):.6f}" if known else ""


def _csv(values: Sequence[str]) -> str:
    line = io.StringIO()
    csv.writer(line, lineterminator="").writerow(values)
    return line.getvalue()

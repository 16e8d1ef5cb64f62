"""Answers as JSON lines, as CSV and as labels for Audacity."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Iterator, Sequence

from raymtl.deploy.answers import Said
from raymtl.deploy.files import Result

COLUMNS = ("file", "task", "start", "end", "label", "score", "error")


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


def csv_lines(results: Iterable[Result]) -> Iterator[str]:
    """A header, then a row a (recording, task, window); columns as in `COLUMNS`.

    score: probability of the label; of several labels the least one's.
    """
    yield _csv(COLUMNS)
    for result in results:
        if result.error:
            yield _csv((result.file, "", "", "", "", "", result.error))
        for task, whole in result.answers.items():
            for each in whole.windows:
                yield _csv((result.file, task, f"{each.start:.6f}", f"{each.end:.6f}", each.label,
                            _score(each), ""))  # fmt: skip


def audacity(result: Result) -> str:
    """A label track: start, end and ``task: label`` in each line, adjacent equal ones joined.

    Windows in which no label holds have no line.
    """
    return "".join(
        f"{start:.6f}\t{end:.6f}\t{label}\n"
        for task, whole in result.answers.items()
        for start, end, label in _joined(task, whole.windows)
    )


def _joined(task: str, windows: Sequence[Said]) -> list[tuple[float, float, str]]:
    found: list[tuple[float, float, str]] = []
    for each in windows:
        label = f"{task}: {each.label}"
        if not each.label:
            continue
        if found and found[-1][2] == label and each.start <= found[-1][1] + 1e-6:
            found[-1] = (found[-1][0], max(found[-1][1], each.end), label)
        else:
            found.append((each.start, each.end, label))
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

"""At most so many clips of a label."""

from __future__ import annotations

import difflib
import hashlib
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from raymtl.errors import StudyError
from raymtl.reading.clips import ClipTable
from raymtl.tasks import OneOf, Task

Bools = npt.NDArray[np.bool_]


def limit(
    table: ClipTable, tasks: Sequence[Task], limits: Sequence[tuple[str, int]], seed: int
) -> ClipTable:
    """Keeps at most `n` clips with each named label, drawn by seed and clip id; 0 drops the label.

    A label is named ``label``, or ``task:label`` where two tasks have it. Limits apply in turn, to
    what earlier ones kept, so a clip with several labels is dropped once.

    Raises:
        StudyError: for an unknown or ambiguous label, a negative number, or when no clip is left.
    """
    if not limits:
        return table
    kept = np.ones(len(table), np.bool_)
    order = _order(table.ids, seed)
    for name, most in limits:
        if most < 0:
            raise StudyError(f"limit {name!r}: {most}; expected the most clips to keep, 0 or more.")
        task, k = _find(tasks, name)
        has = _has(table, task, k) & kept
        having = [row for row in order if has[row]]
        kept[having[most:]] = False
    if not kept.any():
        raise StudyError(
            f"limits {dict(limits)} leave no clip of {len(table)}. Raise one, or drop fewer labels."
        )
    return table.where(kept)


def _order(ids: Sequence[str], seed: int) -> list[int]:
    """Rows in a random order that depends on seed and ids alone."""
    keys = [hashlib.sha256(f"{seed}/limit/{i}".encode()).digest() for i in ids]
    return sorted(range(len(keys)), key=keys.__getitem__)


def _has(table: ClipTable, task: Task, k: int) -> Bools:
    """(N,) which clips have label `k` of the task."""
    targets = task.encode(table.target(task.name))
    if isinstance(task, OneOf):
        return np.asarray(targets.valid & (targets.values == k))
    if task.outputs == 1 and len(task.labels_) == 2:
        return np.asarray(targets.valid[:, 0] & (targets.values[:, 0] == k))
    return np.asarray(targets.valid[:, k] & (targets.values[:, k] > 0))


def _find(tasks: Sequence[Task], name: str) -> tuple[Task, int]:
    """The task and the place of a label named ``label`` or ``task:label``."""
    full = {f"{t.name}:{label}": (t, k) for t in tasks for k, label in enumerate(t.labels_)}
    found = [full[f"{t.name}:{name}"] for t in tasks if name in t.labels_]
    found = found or ([full[name]] if name in full else [])
    if len(found) == 1:
        return found[0]
    if found:
        names = " or ".join(repr(f"{task.name}:{name}") for task, _ in found)
        raise StudyError(f"limit {name!r}: more than one task has this label. Write {names}.")
    known = [label for task in tasks for label in task.labels_]
    near = [n for n in known if n.strip().casefold() == name.strip().casefold()]
    near = near or difflib.get_close_matches(name, known, n=3)
    hint = f" Did you mean {' or '.join(map(repr, near))}?" if near else ""
    raise StudyError(
        f"limit {name!r}: no such label; the tasks have {', '.join(map(repr, known))}.{hint}"
    )

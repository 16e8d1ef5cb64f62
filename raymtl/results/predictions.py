"""What a network said of each test clip, as one table with the clip's id in every row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import numpy.typing as npt
import pyarrow as pa

if TYPE_CHECKING:
    from raymtl.tasks import Bools, Floats, Targets, Task

SCHEMA = pa.schema(
    [
        ("id", pa.string()),
        ("source", pa.string()),
        ("task", pa.string()),
        ("truth", pa.list_(pa.string())),
        ("decision", pa.list_(pa.string())),
        ("scores", pa.list_(pa.float32())),
    ]
)


class Predicted(Protocol):
    """Scores of N clips on one task: (N, outputs) probabilities beside ids and targets."""

    @property
    def ids(self) -> Sequence[str]: ...
    @property
    def scores(self) -> Floats: ...
    @property
    def targets(self) -> Targets: ...


def predictions_table(
    predictions: Mapping[tuple[str, str], Predicted], tasks: Mapping[str, Task]
) -> pa.Table:
    """One row a (clip, source, task); columns as in `SCHEMA`.

    truth, decision: names of the labels, one for one-of-many and yes/no, any number for
        multi-label; of a number its digits; a missing truth is null. scores: probabilities in the
        order of the labels, or the number.
    """
    parts = [
        _part(source, task, predicted, tasks[task])
        for (source, task), predicted in sorted(predictions.items(), key=lambda item: item[0])
    ]
    return pa.concat_tables(parts) if parts else SCHEMA.empty_table()


def _part(source: str, name: str, predicted: Predicted, task: Task) -> pa.Table:
    count, scores, targets = len(predicted.ids), predicted.scores, predicted.targets
    decided = task.decide(scores)
    known = np.ones(np.shape(decided), np.bool_)
    return pa.table(
        [
            pa.array(predicted.ids, pa.string()),
            pa.repeat(source, count),
            pa.repeat(name, count),
            named_labels(task.labels_, targets.values, targets.valid),
            named_labels(task.labels_, decided, known),
            _rows(np.full(count, scores.shape[1]), pa.array(scores.ravel(), pa.float32())),
        ],
        schema=SCHEMA,
    )


def named_labels(labels: Sequence[str], values: npt.NDArray[Any], valid: Bools) -> pa.ListArray:
    """Labels by name: of codes (N,), of flags (N, labels), or of one yes/no flag (N, 1); without
    labels, numbers (N, 1) as text."""
    if not labels:
        digits = pa.array([repr(float(value)) for value in values[valid]], pa.string())
        return _rows(valid[:, 0].astype(np.int64), digits, ~valid[:, 0])
    names = pa.array(labels, pa.string())
    if values.ndim == 2 and values.shape[1] == len(labels):
        flags = (values > 0.5) & valid
        known: Bools = np.asarray(valid.any(axis=1))
        return _rows(flags.sum(axis=1), names.take(pa.array(flags.nonzero()[1])), ~known)
    codes = values if values.ndim == 1 else (values[:, 0] > 0.5)
    known = valid if valid.ndim == 1 else valid[:, 0]
    chosen = pa.array(codes.astype(np.int64)[known])
    return _rows(known.astype(np.int64), names.take(chosen), ~known)


def _rows(sizes: npt.NDArray[Any], flat: pa.Array, missing: Bools | None = None) -> pa.ListArray:
    offsets = np.zeros(len(sizes) + 1, np.int32)
    np.cumsum(sizes, out=offsets[1:])
    mask = None if missing is None else pa.array(missing)
    return pa.ListArray.from_arrays(pa.array(offsets), flat, mask=mask)

"""The confusion matrix of a task's best cell, as the page shows it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from raymtl.results.report.drawings import confusion_picture
from raymtl.results.report.shown import Row, shown
from raymtl.results.state import SweepState

Counts = npt.NDArray[np.int64]
LARGEST = 30  # classes of a matrix with numbers; above it is a picture
MOST_CONFUSED = 12


def confusion(state: SweepState, best: Row, title: str, file: str) -> Row | None:
    """Counts of the best cell summed over its runs; None where no record holds any, or where
    records do not agree on the labels."""
    keys = [(record.run, best["source"], best["task"]) for record in state.records_of(best["cell"])]
    found = [state.confusions[key] for key in keys if key in state.confusions]
    if not found or len({matrix.shape for matrix in found}) > 1:
        return None
    matrix = np.asarray(np.sum(found, axis=0, dtype=np.int64))
    labels = [str(label) for label in state.tasks.get(best["task"], {}).get("labels", [])]
    if len(labels) != len(matrix):
        labels = [str(i) for i in range(len(matrix))]
    small = len(matrix) <= LARGEST
    return {
        "labels": labels,
        "rows": _shares(matrix, labels) if small else [],
        "runs": len(found),
        "picture": None if small else confusion_picture(matrix),
        "confused": _confused(matrix, labels),
        "table": _table(matrix, labels, title, file),
    }


def _shares(matrix: Counts, labels: Sequence[str]) -> list[tuple[str, list[tuple[int, int]]]]:
    """For each truth (clips, percent of the truth's clips) of each decision."""
    shares = 100 * matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    return [
        (label, list(zip(counts.tolist(), share.round().astype(int).tolist(), strict=True)))
        for label, counts, share in zip(labels, matrix, shares, strict=True)
    ]


def _table(matrix: Counts, labels: Sequence[str], title: str, file: str) -> Row:
    """CSV and Parquet hold a row for each pair that occurs; LaTeX the matrix, if it is small."""
    truths, decisions = np.nonzero(matrix)
    words = np.array(labels, dtype=object)
    data = pa.table(
        {
            "truth": pa.array(words[truths], pa.string()),
            "decided": pa.array(words[decisions], pa.string()),
            "clips": matrix[truths, decisions],
        }
    )
    name, caption = f"confusion-{file}", f"Confusion matrix, {title}: truth by row"
    if len(matrix) > LARGEST:
        return shown(name, f"Confusions, {title}", data)
    columns = {"truth": "Truth"} | {f"{at}": label for at, label in enumerate(labels)}
    rows = [
        {"truth": label} | {f"{at}": int(count) for at, count in enumerate(counts)}
        for label, counts in zip(labels, matrix, strict=True)
    ]
    return shown(name, caption, data, columns, rows) | {"more": 0}


def _confused(matrix: Counts, labels: Sequence[str]) -> list[tuple[str, str, int, int]]:
    """Most frequent mistakes: truth, decision, clips, percent of the truth's clips."""
    wrong = matrix.copy()
    np.fill_diagonal(wrong, 0)
    order = np.argsort(wrong, axis=None, kind="stable")[::-1][:MOST_CONFUSED]
    pairs = [divmod(int(at), len(matrix)) for at in order]
    return [
        (labels[i], labels[j], int(wrong[i, j]), round(100 * wrong[i, j] / matrix[i].sum()))
        for i, j in pairs
        if wrong[i, j]
    ]

"""Learning curves of a cell: a metric on validation, epoch by epoch, over its runs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from raymtl.results.records import METRICS, Record

Doubles = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Curve:
    """Mean and sample deviation (0 for one run) at each epoch, all (epochs,); `runs` in all.

    It ends where less than half of the runs are left: those that stop late are not like the rest.
    """

    epochs: Doubles
    mean: Doubles
    deviation: Doubles
    runs: int


def histories(sweep: Path, records: Iterable[Record]) -> list[pa.Table]:
    """metrics.parquet of each record; a run whose table cannot be read is left out."""
    found = []
    for record in records:
        try:
            found.append(pq.read_table(sweep / "runs" / record.run / METRICS))
        except (OSError, pa.ArrowException):
            continue
    return found


def curve(
    tables: Sequence[pa.Table], source: str, task: str, metric: str, part: str = "validation"
) -> Curve | None:
    """The curve over runs; None when no run has a number."""
    runs = [_points(table, source, task, metric, part) for table in tables]
    runs = [points for points in runs if points]
    if not runs:
        return None
    longest = sorted((max(points) for points in runs), reverse=True)[(len(runs) - 1) // 2]
    epochs = sorted({epoch for points in runs for epoch in points if epoch <= longest})
    values = [[points[epoch] for points in runs if epoch in points] for epoch in epochs]
    return Curve(
        np.array(epochs, np.float64),
        np.array([np.mean(v) for v in values]),
        np.array([np.std(v, ddof=1) if len(v) > 1 else 0.0 for v in values]),
        len(runs),
    )


def _points(table: pa.Table, source: str, task: str, metric: str, part: str) -> dict[int, float]:
    chosen = pc.and_(pc.equal(table["source"], source), pc.equal(table["task"], task))
    chosen = pc.and_(chosen, pc.equal(table["metric"], metric))
    rows = table.filter(pc.and_(chosen, pc.equal(table["part"], part)))
    return dict(zip(rows["epoch"].to_pylist(), rows["value"].to_pylist(), strict=True))

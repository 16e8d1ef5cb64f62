"""What both arms of a gain took: seconds, and epochs until they were nearly as good as they got."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from raymtl.results.records import METRICS
from raymtl.results.state import SweepState
from raymtl.results.transfer.gains import Gain

NEARLY = 0.95  # of the score at the epoch whose weights were kept
Asked = tuple[str, str, str]  # source, task, metric
Reached = Mapping[tuple[str, Asked], int | None]  # run and what is asked of it
_COLUMNS = ["epoch", "source", "task", "part", "metric", "value"]


def spent(state: SweepState, gain: Gain, reached: Reached) -> dict[str, float | None]:
    """Means over the runs of each arm: wall seconds of training and scoring, and epochs until the
    score on validation clips was first 95 % of that of the weights kept."""
    what: Asked = gain.what[:3]
    arms = {"": [p.run for p in gain.pairs], "base_": [p.base_run for p in gain.pairs]}
    found: dict[str, float | None] = {}
    for arm, runs in arms.items():
        seconds = [state.records[run].content.get("seconds") for run in runs]
        found[f"{arm}seconds"] = _mean(seconds)
        found[f"{arm}epochs"] = _mean([reached.get((run, what)) for run in runs])
    return found


def _mean(values: Sequence[float | None]) -> float | None:
    """None unless all are known."""
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known and len(known) == len(values) else None


def reached_epochs(state: SweepState, found: Iterable[Gain]) -> Reached:
    """By run and what is scored, the first epoch with `NEARLY` the final score, from 1.

    None where that score is not above 0, or no curve of it is recorded.
    """
    known, wanted = _known(state), dict[str, set[Asked]]()
    for gain in found:
        for pair in gain.pairs:
            for run in (pair.run, pair.base_run):
                if (run, gain.what[:3]) not in known:
                    wanted.setdefault(run, set()).add(gain.what[:3])

    def read(run: str) -> dict[tuple[str, Asked], int | None]:
        best = state.records[run].content.get("best_epoch")
        curves = _curves(state.sweep / "runs" / run / METRICS, wanted[run])
        return {(run, asked): reached(points, best) for asked, points in curves.items()}

    with ThreadPoolExecutor(2) as pool:
        for each in pool.map(read, wanted):
            known.update(each)
    return known


@lru_cache(maxsize=2)
def _known(state: SweepState) -> dict[tuple[str, Asked], int | None]:
    """What has been read of a sweep: several tables ask for the same."""
    return {}


def reached(points: Mapping[int, float], best: int | None) -> int | None:
    """First epoch of a curve (epoch -> score) that has `NEARLY` the score of epoch `best`."""
    final = points.get(best or 0, 0.0)
    if not final > 0:
        return None
    return min(epoch for epoch, score in points.items() if score >= NEARLY * final)


def _curves(path: Path, wanted: Iterable[Asked]) -> dict[Asked, dict[int, float]]:
    try:
        table = pq.ParquetFile(path).read(_COLUMNS, use_threads=False)
    except (OSError, pa.ArrowException):
        return {asked: {} for asked in wanted}
    table = table.filter(pc.equal(table["part"], "validation"))
    rows = zip(*(table[name].to_pylist() for name in _COLUMNS), strict=True)
    found: dict[Asked, dict[int, float]] = {asked: {} for asked in wanted}
    for epoch, source, task, _, metric, value in rows:
        if (source, task, metric) in found:
            found[source, task, metric][epoch] = value
    return found

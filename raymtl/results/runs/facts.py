"""Everything that is known of one run, as values; how it is shown is the command's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from raymtl.errors import StoreError
from raymtl.results.finding import Found
from raymtl.results.ledger import Entry, Ledger
from raymtl.results.records import HISTORY_SCHEMA, METRICS, Record, read_record, verify
from raymtl.results.state import ENVIRONMENT, PLAN, read_json

_BARS = "▁▂▃▄▅▆▇█"


@dataclass(frozen=True, eq=False)
class OneRun:
    """A run as it lies on disk.

    status: done, damaged, failed, diverged, unfinished (begun, to be gone on with), or planned.
    record, entry: None where there is none, or a damaged one.
    problems: what is wrong with its files, one line each.
    history: as `HISTORY_SCHEMA`; empty without a record.
    """

    found: Found
    status: str
    record: Record | None
    entry: Entry | None
    problems: Sequence[str]
    history: pa.Table
    plan: Mapping[str, Any]
    environment: Mapping[str, Any]

    @property
    def content(self) -> dict[str, Any]:
        return {} if self.record is None else self.record.content


def read_run(found: Found) -> OneRun:
    """The run's record, history and ledger entry, every file's digest compared."""
    problems: list[str] = []
    plan = read_json(found.sweep / PLAN, problems)
    environment = read_json(found.sweep / ENVIRONMENT, problems)
    entry = Ledger(found.sweep / "ledger").read().get(found.run)
    record, history = None, HISTORY_SCHEMA.empty_table()
    if found.folder.is_dir():
        problems += verify(found.folder)
        try:
            record = read_record(found.folder)
            history = pq.read_table(found.folder / METRICS)
        except (StoreError, OSError, pa.ArrowException):
            pass  # `verify` has said it
    status = _status(found, record, entry, problems)
    return OneRun(found, status, record, entry, problems, history, plan, environment)


def _status(
    found: Found, record: Record | None, entry: Entry | None, problems: Sequence[str]
) -> str:
    if found.folder.is_dir():
        whole = record is not None and not any(str(found.folder) in line for line in problems)
        return "done" if whole else "damaged"
    if entry is not None and not entry.done:
        return entry.status
    return "unfinished" if found.unfinished.is_dir() else "planned"


def varied(one: OneRun) -> dict[str, tuple[str, int]]:
    """What the sweep varies: axis -> this run's value and how many values the sweep has."""
    cells = {str(cell.get("name")): cell for cell in one.plan.get("cells", [])}
    runs = {str(run.get("run")): run for run in one.plan.get("runs", [])}
    own = runs.get(one.found.run, {})
    cell = cells.get(str(own.get("cell")), {})
    axes = {"combination": "sources", "extraction": "extraction", "model": "model"}
    found = {
        axis: (_text(cell.get(key)), len({_text(c.get(key)) for c in cells.values()}))
        for axis, key in axes.items()
    }
    found["control"] = (
        _text(cell.get("control", "")) or "none",
        len({_text(c.get("control", "")) for c in cells.values()}),
    )
    for axis in ("fold", "seed"):
        found[axis] = (_text(own.get(axis)), len({run.get(axis) for run in runs.values()}))
    return {axis: (value, count) for axis, (value, count) in found.items() if count > 1}


def curves(history: pa.Table) -> dict[str, list[float]]:
    """Name of each curve of a run -> its values, epoch by epoch."""
    found: dict[str, list[float]] = {}
    for row in history.sort_by("epoch").to_pylist():
        words = [row["part"], row["source"], row["task"], row["metric"]]
        name = " ".join(dict.fromkeys(word for word in words if word))
        found.setdefault(name, []).append(row["value"])
    return found


def sparkline(values: Sequence[float], width: int = 24) -> str:
    """A curve as a line of bars from its least to its greatest value, at most `width` of them."""
    if not values:
        return ""
    if len(values) > width:
        last = len(values) - 1
        values = [values[round(i * last / (width - 1))] for i in range(width)]
    low, high = min(values), max(values)
    step = (high - low) / (len(_BARS) - 1)
    return "".join(_BARS[round((v - low) / step) if step else 0] for v in values)


def _text(value: Any) -> str:
    return " + ".join(map(str, value)) if isinstance(value, list) else str(value)

"""A run as trackers of experiments know one: a name, parameters, curves, final numbers."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from raymtl.results.finding import runs_of
from raymtl.results.records import METRICS, Record, each_record
from raymtl.results.state import read_sweep
from raymtl.results.tracking.logdir import short_names


@dataclass(frozen=True, eq=False)
class Tracked:
    """A finished run. digest: its address; a tracker has it once.

    curves: (epoch, name) -> value. final: name -> value, on the test part.
    """

    name: str
    run: str
    digest: str
    sweep: str
    parameters: dict[str, str | int | float]
    curves: dict[tuple[int, str], float]
    final: dict[str, float]


def tracked(sweep: Path) -> Iterator[Tracked]:
    """Every run of a sweep that has a record, one by one."""
    names = {run: name for name, run in short_names(read_sweep(sweep)).items()}
    for run, record in each_record(sweep, runs_of(sweep)):
        if isinstance(record, Record):
            yield _tracked(sweep, names.get(run, run), record)


def _tracked(sweep: Path, name: str, record: Record) -> Tracked:
    content, cell = record.content, record.content["cell"]
    parameters: dict[str, Any] = {
        "combination": " + ".join(cell.get("combination", [])),
        "extraction": cell.get("extraction"),
        "model": cell.get("network") or cell.get("model"),
        "control": cell.get("control") or "none",
        "training": content.get("training"),
        **{n: content.get(n) for n in ("fold", "seed", "parameters", "best_epoch", "steps")},
    }
    rows = pq.read_table(sweep / "runs" / record.run / METRICS).to_pylist()
    curves = {
        (row["epoch"], _name(row["part"], row["source"], row["task"], row["metric"])): row["value"]
        for row in rows
    }
    final = {
        _name("test", score["source"], score["task"], metric): value
        for score in record.scores
        if score["part"] == "test"
        for metric, value in score["scalars"].items()
    }
    known = {key: value for key, value in parameters.items() if value is not None}
    return Tracked(name, record.run, content["digest"], sweep.name, known, curves, final)


def _name(*words: str) -> str:
    """Words joined by ``/``, of characters that every tracker takes."""
    return "/".join(re.sub(r"[^A-Za-z0-9_. -]", "_", part) for w in words if w
                    for part in w.split("/"))  # fmt: skip

"""What every cell costs, against how well it does each task: the points of the Pareto plot."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa

from raymtl.results.report.panels import Names, Row
from raymtl.results.report.shown import shown
from raymtl.results.state import SweepState, title

COSTS = {
    "parameters": "Parameters",
    "macs": "MACs a clip",
    "latency_ms": "Latency, ms",
    "seconds": "Seconds of training",
    "gpu_mib": "GPU memory, MiB",
}
MOST_POINTS = 4_000  # drawn, over all tasks


def costs(state: SweepState, rows: Sequence[Row], names: Names) -> Row | None:
    """The table of costs and the points of the plot; None where no record tells a cost.

    Args:
        rows: of the summary, primary metrics, best first for each task.
    """
    table = cost_table(state, rows)
    known = [name for name in COSTS if table.num_rows and table[name].null_count < table.num_rows]
    if not known:
        return None
    found = table.to_pylist()
    what = sorted({(row["source"], row["task"]) for row in found})
    room = max(1, MOST_POINTS // len(what))
    points = [point for one in what for point in _points(one, found, known, names)[:room]]
    columns = {"what": "Task", "partners": "With", "control": "Control", "method": "Method",
               "score": "Score", "deviation": "±", "runs": "Runs"}  # fmt: skip
    columns |= {name: COSTS[name] for name in known}
    return {
        "axes": [COSTS[name] for name in known],
        "tasks": [title(*one) for one in what],
        "points": [[what.index(one), *rest] for one, *rest in points],
        "unknown": [COSTS[name] for name in COSTS if name not in known],
        "table": shown(
            "costs",
            "Cost and score of every cell",
            table,
            columns,
            [
                row | {"what": title(row["source"], row["task"]), "method": names.method(row)}
                for row in found
            ],
        ),
    }


def cost_table(state: SweepState, rows: Sequence[Row]) -> pa.Table:
    """One row a (cell, task): its score and the means of its runs' costs, null where unknown."""
    spent = {row["cell"]: _spent(state, row["cell"]) for row in rows}
    names = ("cell", "source", "task", "metric", "extraction", "model")
    found = [
        {
            **{name: str(row[name]) for name in names},
            "partners": _partners(row),
            "control": row.get("control") or "",
            "score": row["mean"],
            "deviation": row["deviation"],
            "runs": row["n"],
            **spent[row["cell"]],
        }
        for row in rows
    ]
    numbers = {name: pa.float64() for name in ("score", "deviation", *COSTS)}
    words = (*names, "partners", "control")
    fields = [(name, pa.string()) for name in words] + [("runs", pa.int64()), *numbers.items()]
    return pa.Table.from_pylist(found, schema=pa.schema(fields))


def _partners(row: Row) -> str:
    return " + ".join(n for n in str(row["combination"]).split(" + ") if n != row["source"])


def _spent(state: SweepState, cell: str) -> dict[str, float | None]:
    found: dict[str, list[float]] = {name: [] for name in COSTS}
    for record in state.records_of(cell):
        for name, value in _of_record(record.content).items():
            if isinstance(value, (int, float)):
                found[name].append(float(value))
    return {name: sum(v) / len(v) if v else None for name, v in found.items()}


def _of_record(content: Mapping[str, Any]) -> dict[str, Any]:
    cost = content.get("cost")
    cost = cost if isinstance(cost, Mapping) else {}
    memory = cost.get("gpu_bytes")
    return {
        "parameters": content.get("parameters"),
        "macs": cost.get("macs"),
        "latency_ms": cost.get("latency_ms"),
        "seconds": content.get("seconds"),
        "gpu_mib": memory / 2**20 if isinstance(memory, (int, float)) else None,
    }


def _points(
    one: tuple[str, str], rows: Sequence[Row], known: Sequence[str], names: Names
) -> list[tuple[Any, ...]]:
    """(what, name, score, costs, control, metric) of a task's cells, best first."""
    return [
        (
            one,
            f"{row['partners'] or 'alone'}{_in_brackets(row['control'])} — {names.method(row)}",
            round(row["score"], 5),
            [None if row[name] is None else float(f"{row[name]:.5g}") for name in known],
            row["control"],
            row["metric"],
        )
        for row in rows
        if (row["source"], row["task"]) == one
    ]


def _in_brackets(control: str) -> str:
    return f" ({control})" if control else ""

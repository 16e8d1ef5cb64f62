"""The verdict matrix: tasks × partner sets, for every method and over all of them."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pyarrow as pa

from raymtl.results.report.panels import Names, Row
from raymtl.results.report.shown import shown
from raymtl.results.state import title
from raymtl.results.table import TOGETHER
from raymtl.results.transfer.verdicts import VERDICTS

SIGNS = {"helps": "+", "hurts": "−", "equivalent": "≈", "inconclusive": "?"}
MOST_CELLS = 6_000  # on the page, in all matrices together
_KINDS = {
    "shuffled": "shuffled partners",
    "compute": "equal compute",
    "parameters": "equal parameters",
}

Key = tuple[str, str, str, str, str]  # source, task, partners, extraction, model


def matrices(
    transfer: Sequence[Row], pooled: Sequence[Row], controls: Sequence[Row], names: Names
) -> list[Row]:
    """One matrix over all methods, where there are several, and one for each.

    Args:
        transfer, pooled, controls: rows of the tables of these names; see `transfer.answers`.
    """
    beside = _beside(controls)
    methods: dict[str, list[Row]] = defaultdict(list)
    for row in transfer:
        if not row["control"]:
            methods[names.method(row)].append(row)
    found = sorted(methods.items())
    if len(found) > 1 and pooled:
        found.insert(0, ("all methods together", list(pooled)))
    room = MOST_CELLS // max(1, len(found))
    return [
        _matrix(f"matrix-{number}", name, rows, beside, room)
        for number, (name, rows) in enumerate(found, start=1)
    ]


def counted(transfer: Iterable[Row]) -> list[tuple[str, str, int]]:
    """How many comparisons, controls left out, came to each verdict."""
    found = Counter(row["verdict"] for row in transfer if not row["control"])
    return [(verdict, SIGNS[verdict], found[verdict]) for verdict in VERDICTS]


def points(value: float | None, sign: bool = True) -> str:
    """A difference of scores in points, a hundredth of the metric's unit."""
    if value is None:
        return ""
    return (f"{100 * value:+.1f}" if sign else f"{100 * value:.1f}").replace("-", "−")


def reliability(row: Row) -> str:
    """Interval, runs and adjusted p of a gain in words."""
    if row["low"] is None:
        return f"n {row['n']}, {row['method']}"
    interval = f"{points(row['low'])} to {points(row['high'])}"
    if row["p_holm"] is None:
        return f"95% interval {interval}, n {row['n']}, {row['method']}"
    return f"95% interval {interval}, n {row['n']}, adjusted p {row['p_holm']:.2g}"


def _matrix(
    name: str, method: str, rows: Sequence[Row], beside: Mapping[Key, list[Row]], room: int
) -> Row:
    columns = sorted({(r["source"], r["task"]) for r in rows})
    cells = {(r["partners"], r["source"], r["task"]): _cell(r, beside) for r in rows}
    sets = sorted({r["partners"] for r in rows}, key=lambda p: (p.count(TOGETHER), p))
    drawn = sets[: max(1, room // max(1, len(columns)))]
    heads = [title(*column) for column in columns]
    body = [(partners, [cells.get((partners, *c)) for c in columns]) for partners in drawn]
    return {
        "id": name,
        "method": method,
        "tasks": heads,
        "rows": body,
        "more": len(sets) - len(drawn),
        "table": _table(name, method, body, heads, rows),
    }


def _table(
    name: str, method: str, body: Sequence[tuple[str, Any]], heads: Sequence[str], rows: Any
) -> Row:
    """CSV and Parquet hold a row for each cell of the matrix, LaTeX the matrix."""
    words = ("partners", "source", "task", "metric", "verdict")
    numbers = ("gain", "low", "high", "p_holm")
    kinds = [(n, pa.string()) for n in words] + [("n", pa.int64())]
    kinds += [(n, pa.float64()) for n in numbers]
    data = [{n: row[n] for n, _ in kinds} for row in rows]
    return shown(
        name,
        f"Gain in points over the source alone, {method}: + helps, − hurts, ≈ equivalent, "
        "? inconclusive.",
        pa.Table.from_pylist(data, schema=pa.schema(kinds)),
        {"partners": "With"} | {str(at): head for at, head in enumerate(heads)},
        [
            {"partners": partners}
            | {str(at): f"{c['gain']} {c['sign']}" if c else "" for at, c in enumerate(line)}
            for partners, line in body
        ],
    )


def _cell(row: Row, beside: Mapping[Key, list[Row]]) -> Row:
    return {
        "verdict": row["verdict"],
        "sign": SIGNS[row["verdict"]],
        "gain": points(row["gain"]),
        "tip": f"{title(row['source'], row['task'])} with {row['partners']}: {row['verdict']}, "
        f"gain {points(row['gain'])} points; {reliability(row)}{_fewer(row)}",
        "controls": [
            {
                "kind": _KINDS.get(control["control"], control["control"]),
                "gain": points(control["gain"]),
                "sign": SIGNS[control["verdict"]],
                "verdict": control["verdict"],
                "tip": reliability(control),
            }
            for control in beside.get(_key(row), [])
        ],
    }


def _fewer(row: Row) -> str:
    """Words for a gain whose two arms did not train on the same clips."""
    share = row.get("clips") or 1
    return f"; trained on {share:.1%} of the clips it has alone" if share < 1 else ""


def _beside(controls: Iterable[Row]) -> dict[Key, list[Row]]:
    found: dict[Key, list[Row]] = defaultdict(list)
    for row in controls:
        found[_key(row)].append(row)
    return found


def _key(row: Mapping[str, Any]) -> Key:
    return row["source"], row["task"], row["partners"], row["extraction"], row["model"]

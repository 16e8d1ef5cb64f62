"""The table of scores, and the best cells of each task."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any

import pyarrow as pa

from raymtl.results.report.matrix import SIGNS, points
from raymtl.results.report.panels import Names, Row
from raymtl.results.report.shown import shown, spread
from raymtl.results.state import BESIDE, SweepState, partners, title
from raymtl.results.table import TOGETHER, summary

MOST_ROWS = 3_000  # of the table of scores
_COLUMNS = {"task": "Task", "with": "Trained with", "extraction": "Extraction", "model": "Model",
            "metric": "Metric", "score": "Score", "n": "Runs", "gain": "Gain",
            "pairs": "Pairs"}  # fmt: skip
_BEST = {"what": "Task", "metric": "Metric", "with": "Trained with", "method": "Method",
         "best": "Score", "n": "Runs", "best_alone": "Best alone", "method_alone": "Method alone",
         "said": "Verdict", "points": "Gain, points"}  # fmt: skip
Ranked = Sequence[tuple[tuple[str, str], list[Row]]]  # (source, task): rows, best first


def ranked_rows(state: SweepState) -> Ranked:
    """Rows of each (source, task)'s primary metric, best first."""
    rows = [row for row in state.summed if row["metric"] == state.primary(row["task"])]
    rows.sort(key=lambda r: (r["source"], r["task"], -r["mean"], r["cell"]))
    return [
        (what, list(group)) for what, group in groupby(rows, key=lambda r: (r["source"], r["task"]))
    ]


def beside(state: SweepState) -> list[str]:
    """Metrics shown beside the primary one: those that some task of the study has."""
    found = {row["metric"] for row in state.summed}
    return [metric for metric in BESIDE if metric in found]


def score_rows(state: SweepState, ranked: Ranked, names: Names) -> Row:
    """The table of scores: where there are too many rows, the best of each task and those of the
    source alone. Its files hold every metric, and each label's where it has any."""
    metrics = beside(state)
    share = max(1, MOST_ROWS // max(1, len(ranked)))
    others = {(r["cell"], r["source"], r["task"], r["metric"]): r["mean"] for r in state.summed}
    rows = [
        _score(row, names, others, metrics)
        for _, found in ranked
        for place, row in enumerate(found)
        if place < share or row["combination"] == row["source"]
    ]
    columns = _COLUMNS | {f"beside-{at}": metric for at, metric in enumerate(metrics)}
    found = shown("scores", "Scores", summary(state.results), columns, rows, len(rows))
    return found | {"more": sum(len(found) for _, found in ranked) - len(rows)}


def _score(
    row: Row, names: Names, others: Mapping[tuple[Any, ...], float], metrics: Sequence[str]
) -> Row:
    beside = [others.get((row["cell"], row["source"], row["task"], metric)) for metric in metrics]
    return {
        "task": title(row["source"], row["task"]),
        "with": partners(str(row["combination"]), row["source"], row.get("control") or ""),
        "extraction": names.extractions[str(row["extraction"])],
        "model": names.models[str(row["model"])],
        "metric": row["metric"],
        "score": spread(row["mean"], row["deviation"]),
        "n": row["n"],
        **{f"beside-{at}": spread(value, None) for at, value in enumerate(beside)},
        "gain": spread(row["gain"], row["gain_deviation"], sign=True),
        "pairs": row["pairs"] or "",
    }


def best_cells(ranked: Ranked, names: Names, transfer: pa.Table | None) -> Row | None:
    """For each task the best cell, the best one without partners, and the verdict between."""
    verdicts = {_key(row): row for row in transfer.to_pylist()} if transfer else {}
    chosen = [[row for row in rows if not row.get("control")] for _, rows in ranked]
    found = [_best(rows, names, verdicts) for rows in chosen if rows]
    if not found:
        return None
    facts = pa.Table.from_pylist([{n: row[n] for n in _FACTS} for row in found])
    return shown("best-cells", "Best cell of each task", facts, _BEST, found)


_FACTS = ("source", "task", "metric", "combination", "extraction", "model", "score", "deviation",
          "runs", "alone", "alone_deviation", "alone_extraction", "alone_model", "gain", "low",
          "high", "verdict")  # fmt: skip


def _best(rows: Sequence[Row], names: Names, verdicts: Mapping[tuple[Any, ...], Row]) -> Row:
    """What is known of a task's best cell, and how it is drawn."""
    best, source = rows[0], rows[0]["source"]
    alone = next((row for row in rows if row["combination"] == source), None)
    others = TOGETHER.join(n for n in str(best["combination"]).split(TOGETHER) if n != source)
    key = (source, best["task"], others, "", best["extraction"], best["model"])
    said = verdicts.get(key, {})
    return {
        **{n: best[n] for n in ("source", "task", "metric", "combination", "deviation", "n")},
        **{n: str(best[n]) for n in ("extraction", "model")},
        **{n: said.get(n) for n in ("gain", "low", "high", "verdict")},
        **{f"alone_{n}": alone[n] if alone else None for n in ("deviation", "extraction", "model")},
        "score": best["mean"],
        "runs": best["n"],
        "alone": alone["mean"] if alone else None,
        "what": title(source, best["task"]),
        "with": names.partners(best),
        "method": names.method(best),
        "best": spread(best["mean"], best["deviation"]),
        "best_alone": spread(alone["mean"], alone["deviation"]) if alone else "",
        "method_alone": names.method(alone) if alone else "",
        "said": f"{SIGNS[said['verdict']]} {said['verdict']}" if said else "",
        "points": points(said.get("gain")),
    }


def _key(row: Mapping[str, Any]) -> tuple[Any, ...]:
    names = ("source", "task", "partners", "control", "extraction", "model")
    return tuple(row[name] for name in names)

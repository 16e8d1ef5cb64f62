"""The answer of a sweep in a few sentences and one row a task: who helps whom, and how sure."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from statistics import median
from typing import Any

import pyarrow as pa

from raymtl.results.report.answers import Judged
from raymtl.results.report.matrix import SIGNS, points
from raymtl.results.report.panels import Names, Row
from raymtl.results.report.shown import shown
from raymtl.results.state import title
from raymtl.results.transfer.answers import ONE_SEED
from raymtl.results.transfer.verdicts import VERDICTS

MOST_NAMED = 3  # partner sets of one task that are named
_COLUMNS = {"what": "Task", "helped": "Helped by, points", "hurt": "Hurt by, points",
            "most": "Most gained with", "points": "Points", "interval": "95% interval",
            "said": "Verdict", "half": "Median half-width", "alone": "Alone"}  # fmt: skip
_FACTS = ("source", "task", "metric", "partners", "extraction", "model", "n", "score", "base",
          "gain", "low", "high", "p_holm", "verdict", "helps", "hurts", "equivalent",
          "inconclusive", "median_half_width")  # fmt: skip

METRICS = {
    "uar": "unweighted average recall: the mean over labels of how many of their clips are found; "
    "guessing gives one over the number of labels",
    "map": "mean average precision: the mean over labels of how well clips that carry them are "
    "ranked before others",
    "accuracy": "share of clips decided rightly",
    "f1/macro": "mean over labels of F1, which joins precision and recall",
    "r2": "share of the variance of a number that is explained",
}  # those that may be the first of a task, or stand beside it


def headline(found: Judged | None, names: Names) -> Row:
    """Sentences and a table of one row a task; both empty where nothing is compared yet.

    Of several methods, what is said is about gains over all methods together: one claim for each
    task and partner set, as in the first matrix.
    """
    rows = _rows(found)
    if not rows:
        return {"words": [], "table": None, "metrics": []}
    tasks: dict[tuple[str, str], list[Row]] = defaultdict(list)
    for row in rows:
        tasks[row["source"], row["task"]].append(row)
    lines = [_line(of_task, names) for _, of_task in sorted(tasks.items())]
    kinds = {"helps": pa.int64(), "hurts": pa.int64(), "n": pa.int64()}
    kinds |= {"equivalent": pa.int64(), "inconclusive": pa.int64()}
    words = ("source", "task", "metric", "partners", "extraction", "model", "verdict")
    kinds |= dict.fromkeys(words, pa.string())
    schema = pa.schema([(name, kinds.get(name, pa.float64())) for name in _FACTS])
    data = pa.Table.from_pylist([{n: line[n] for n in _FACTS} for line in lines], schema=schema)
    return {
        "words": [_counts(rows), *_finds(rows, names), *_doubt(rows)],
        "table": shown("answer", "Each task in short", data, _COLUMNS, lines),
        "metrics": _meanings(row["metric"] for row in rows),
    }


def _rows(found: Judged | None) -> list[Row]:
    """Comparisons with the source alone: over all methods where there are several."""
    if found is None:
        return []
    rows = [row for row in found.transfer.to_pylist() if not row["control"]]
    methods = {(row["extraction"], row["model"]) for row in rows}
    pooled: list[Row] = found.pooled.to_pylist()
    return pooled if len(methods) > 1 and pooled else rows


def _line(rows: Sequence[Row], names: Names) -> Row:
    """One task: partner sets that help and hurt, and the largest gain whatever its verdict."""
    most = max(rows, key=lambda row: (row["gain"], row["partners"]))
    counts = Counter(row["verdict"] for row in rows)
    half = _half(rows)
    return {
        **most,
        **{verdict: counts[verdict] for verdict in VERDICTS},
        "median_half_width": half,
        "what": f"{title(most['source'], most['task'])} ({most['metric']})",
        "helped": _named(rows, "helps", names),
        "hurt": _named(rows, "hurts", names),
        "most": _with(most, names),
        "points": points(most["gain"]),
        "alone": f"{most['base']:.3f}",
        "interval": _interval(most),
        "said": f"{SIGNS[most['verdict']]} {most['verdict']}",
        "half": "" if half is None else f"± {points(half, sign=False)}",
    }


def _named(rows: Iterable[Row], verdict: str, names: Names) -> str:
    """The partner sets of a verdict, the largest differences first."""
    found = sorted((r for r in rows if r["verdict"] == verdict), key=lambda r: -abs(r["gain"]))
    words = [f"{_with(row, names)} {points(row['gain'])}" for row in found[:MOST_NAMED]]
    more = [f"{len(found) - MOST_NAMED} more"] if len(found) > MOST_NAMED else []
    return "; ".join(words + more) or "none shown"


def _with(row: Row, names: Names) -> str:
    return f"{row['partners']} ({names.method(row)})" if row["extraction"] else str(row["partners"])


def _interval(row: Row) -> str:
    return "none" if row["low"] is None else f"{points(row['low'])} to {points(row['high'])}"


def _half(rows: Iterable[Row]) -> float | None:
    found = [(row["high"] - row["low"]) / 2 for row in rows if row["low"] is not None]
    return median(found) if found else None


def _counts(rows: Sequence[Row]) -> str:
    counts = Counter(row["verdict"] for row in rows)
    pairs = sorted({row["n"] for row in rows})
    each = _many(pairs[0], "pair") if len(pairs) == 1 else f"{pairs[0]} to {pairs[-1]} pairs"
    over, by = (
        ("", " (folds × seeds)") if rows[0]["extraction"] else (", over all methods together", "")
    )
    tasks = len({(row["source"], row["task"]) for row in rows})
    return (
        f"{_many(tasks, 'task')}, {_many(len(rows), 'comparison')} of a task with partners against "
        f"itself alone{over}, each from {each}{by}: {counts['helps']} help, "
        f"{counts['hurts']} hurt, {counts['equivalent']} make no difference that matters "
        f"(equivalent), {counts['inconclusive']} cannot be told (inconclusive)."
    )


def _many(count: int, word: str) -> str:
    return f"{count} {word}" + ("" if count == 1 else "s")


def _finds(rows: Sequence[Row], names: Names) -> list[str]:
    """The largest gain and the largest loss that stand."""
    said = []
    for verdict, word in (("helps", "gain"), ("hurts", "loss")):
        found = [row for row in rows if row["verdict"] == verdict]
        if found:
            top = max(found, key=lambda row: abs(row["gain"]))
            said.append(
                f"Largest {word} that stands: {title(top['source'], top['task'])} with "
                f"{_with(top, names)}, {points(top['gain'])} points{_between(top)}."
            )
    return said


def _between(row: Row) -> str:
    return f" (95% interval {_interval(row)})" if row["low"] is not None else ""


def _doubt(rows: Sequence[Row]) -> list[str]:
    """Why most of the comparisons say nothing, where they do."""
    open_ = [row for row in rows if row["verdict"] == "inconclusive"]
    if len(open_) * 2 < len(rows):
        return []
    most, count = Counter(row["method"] for row in open_).most_common(1)[0]
    half = _half(row for row in open_ if row["method"] != ONE_SEED)
    if most == ONE_SEED:
        return ["One seed makes no claim, however large the difference: another may turn it."]
    if half is not None:
        return [
            f"Half of the inconclusive intervals are wider than ± {points(half, sign=False)} "
            f"points, so smaller differences cannot be seen here; more folds or seeds narrow them."
        ]
    if all(row["n"] == 1 for row in open_):
        return ["One pair gives no interval: more folds or seeds are needed to say how sure."]
    which = "The" if count == len(open_) else "Most of the"
    return [f"{which} inconclusive comparisons have {most}."]


def _meanings(metrics: Iterable[Any]) -> list[tuple[str, str]]:
    """Each metric that is known, and what it says."""
    return [(name, METRICS[name]) for name in sorted(set(map(str, metrics))) if name in METRICS]

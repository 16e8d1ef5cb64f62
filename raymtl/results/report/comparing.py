"""The page of `raymtl compare`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from raymtl.results.compare import WORDS, Comparison
from raymtl.results.report.matrix import SIGNS, points
from raymtl.results.report.panels import Row
from raymtl.results.report.sections import bounded
from raymtl.results.report.shown import shown
from raymtl.results.report.writing import write_page
from raymtl.results.state import partners, short, title

_COLUMNS = {
    "what": "Task", "with": "With", "short_extraction": "Extraction", "short_model": "Model",
    "n": "n", "base": "A", "score": "B", "gain": "B − A, points", "low": "Low", "high": "High",
    "p": "p", "p_holm": "p, Holm", "verdict": "B is", "method": "Interval by",
}  # fmt: skip
_SIGNS = {WORDS[verdict]: sign for verdict, sign in SIGNS.items()}


def write_comparison(
    found: Sequence[Comparison], only_a: Sequence[str], only_b: Sequence[str], page: Path
) -> None:
    """Writes the page, and the tables behind it into a folder beside it, ``<page>-tables``.

    Args:
        only_a, only_b: sweeps that only one of two stores has.

    Raises:
        StoreError: when they cannot be written.
    """
    parts = [_part(one, f"compare-{number}") for number, one in enumerate(found, start=1)]
    content = {"parts": parts, "only_a": list(only_a), "only_b": list(only_b)}
    write_page("compare.html.jinja", content, page, f"{page.stem}-tables")


def rows_of(found: Comparison) -> list[Row]:
    """Differences as they are shown, in points."""
    rows = found.differences.to_pylist()
    extractions = short([row["extraction"] for row in rows])
    models = short([row["model"] for row in rows])
    return [
        row
        | {
            "what": title(row["source"], row["task"]),
            "with": partners(
                f"{row['source']} + {row['partners']}" if row["partners"] else row["source"],
                row["source"],
                row["control"],
            ),
            "short_extraction": extractions[row["extraction"]],
            "short_model": models[row["model"]],
            "base": f"{row['base']:.3f}",
            "score": f"{row['score']:.3f}",
            **{name: points(row[name]) for name in ("gain", "low", "high")},
            "verdict": f"{_SIGNS[row['verdict']]} {row['verdict']}",
            "size": abs(row["gain"]),
        }
        for row in rows
    ]


def _part(found: Comparison, name: str) -> Row:
    rows = rows_of(found)
    counts = dict.fromkeys(WORDS.values(), 0)
    for row in found.differences.to_pylist():
        counts[row["verdict"]] += 1
    return {
        "name": found.name,
        "a": str(found.a),
        "b": str(found.b),
        "both": len(found.both),
        "only_a": bounded(found.only_a),
        "only_b": bounded(found.only_b),
        "equal": found.equal,
        "unlike": found.unlike,
        "problems": bounded(found.problems),
        "counts": [(word, _SIGNS[word], count) for word, count in counts.items()],
        "table": shown(
            name,
            f"Differences of every cell in both, {found.name}",
            found.differences,
            _COLUMNS,
            rows,
        ),
    }

"""Tables of a page: drawn, and to be had as CSV, Parquet and LaTeX."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa

from raymtl.results import terminal

Row = dict[str, Any]
MOST_ROWS = 1_500  # shown of one table


def shown(
    name: str,
    caption: str,
    table: pa.Table,
    columns: Mapping[str, str] | None = None,
    rows: Sequence[Row] | None = None,
    most: int = MOST_ROWS,
) -> Row:
    """A table as the templates draw it; whatever part of the page holds one, its files are made.

    Args:
        name: of its files.
        table: what CSV and Parquet hold, at full precision.
        columns: column -> its heading, for those that are drawn; None: all under their names.
        rows: what is drawn in place of the table's own numbers, under the same columns. LaTeX
            holds what is drawn.
        most: rows drawn.
    """
    columns = columns or {column: column for column in table.column_names}
    drawn = (table.slice(0, most).to_pylist() if rows is None else rows)[:most]
    kinds = {field.name: field.type for field in table.schema}
    lines = [[text(row.get(key)) for key in columns] for row in drawn]
    return {
        "id": f"table-{name}",
        "caption": caption,
        "file": name,
        "heads": [
            (head, _is_number(kinds.get(key), [line[at] for line in lines]))
            for at, (key, head) in enumerate(columns.items())
        ],
        "rows": lines,
        "more": max(0, table.num_rows - len(drawn)),
        "data": table,
    }


def text(value: Any) -> str:
    """One value as the page shows it."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.4g}".replace("-", "−")
    return ", ".join(map(text, value)) if isinstance(value, list) else str(value)


def spread(mean: float | None, deviation: float | None, sign: bool = False) -> str:
    """As `terminal.spread`, with the minus sign of all numbers on the page."""
    return terminal.spread(mean, deviation, sign).replace("-", "−")


def slug(words: str) -> str:
    """Part of a file's name, of any words: plain lower-case letters, digits and hyphens."""
    return re.sub(r"[^a-z0-9]+", "-", words.lower()).strip("-")[:40].strip("-") or "x"


def _is_number(kind: pa.DataType | None, words: Sequence[str]) -> bool:
    """Whether a column is of numbers: by its type or, where it has none, by what is drawn."""
    if kind is not None:
        return bool(pa.types.is_floating(kind) or pa.types.is_integer(kind))
    told = [word for word in words if word]
    return bool(told) and all(re.match(r"[+−-]?\d", word) for word in told)

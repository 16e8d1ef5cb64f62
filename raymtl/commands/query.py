"""`raymtl query`: SQL over the store, as a table, CSV, JSON or Parquet."""

from __future__ import annotations

import json
import math
import sys
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from rich.console import Console
from rich.table import Table
from rich.text import Text

from raymtl.durable import write_durably
from raymtl.errors import PreflightError
from raymtl.results.tables.columns import COLUMNS
from raymtl.results.tables.query import query
from raymtl.results.tables.tidy import csv_bytes
from raymtl.wording import counted

_FORMS = ("table", "csv", "json", "parquet")
_MOST = 200  # rows shown in a terminal
_NARROWEST = 16  # characters to which a long column may be folded


def ask(sql: str, store: Path, form: str | None, output: Path | None, console: Console) -> None:
    """Prints or writes the answer.

    Raises:
        PreflightError: for a query that cannot be answered, or a form that needs a file.
    """
    form = form or _form(output)
    if form == "parquet" and output is None:
        raise PreflightError("--format parquet: Parquet is not for terminals. Give a file with -o.")
    if form == "table" and output is not None:
        raise PreflightError(f"-o {output}: a table is for terminals. Give --format csv or json.")
    answer = query(store, sql)
    if form == "table":
        show(answer, console)
    elif output is None:
        sys.stdout.write(_bytes(answer, form).decode())
    else:
        write_durably(output, _bytes(answer, form))
        console.print(f"{counted(len(answer), 'row')}: {output}", markup=False, soft_wrap=True)


def list_tables(console: Console) -> None:
    """Prints every table with its columns."""
    for name, columns in COLUMNS.items():
        table = Table(
            title=name, title_justify="left", title_style="bold", box=None, show_header=False
        )
        table.add_column(no_wrap=True, min_width=14)
        table.add_column(style="dim")
        for column, meaning in columns.items():
            table.add_row(column, meaning)
        console.print(table)


def show(answer: pa.Table, console: Console) -> None:
    """Prints the first rows of an answer: long cells are folded, and where columns would be too
    narrow to read, each row stands as a block of its own."""
    rows = [
        {name: _cell(value) for name, value in row.items()}
        for row in answer.slice(0, _MOST).to_pylist()
    ]
    if _breadth(rows) > console.width:
        _blocks(rows, console)
    else:
        _table(answer.schema, rows, console)
    more = len(answer) - _MOST
    if more > 0:
        console.print(f"... and {counted(more, 'more row')}; --format csv shows all")


def _breadth(rows: list[dict[str, str]]) -> int:
    """Characters that columns need when none is folded below `_NARROWEST`."""
    names = rows[0] if rows else {}
    longest = (max(len(name), *(len(row[name]) for row in rows)) for name in names)
    return sum(
        min(size, max(_NARROWEST, len(name))) + 2 for size, name in zip(longest, names, strict=True)
    )


def _blocks(rows: list[dict[str, str]], console: Console) -> None:
    for at, row in enumerate(rows, 1):
        table = Table(
            title=f"row {at}", title_justify="left", title_style="bold", box=None, show_header=False
        )
        table.add_column(style="dim", no_wrap=True)
        table.add_column(overflow="fold")
        for name, value in row.items():
            table.add_row(Text(name), Text(value))
        console.print(table)


def _table(schema: pa.Schema, rows: list[dict[str, str]], console: Console) -> None:
    table = Table(box=None, header_style="bold", pad_edge=False)
    for field in schema:
        numeric = pa.types.is_integer(field.type) or pa.types.is_floating(field.type)
        table.add_column(Text(field.name), justify="right" if numeric else "left", overflow="fold")
    for row in rows:
        table.add_row(*map(Text, row.values()))
    console.print(table)


def _form(output: Path | None) -> str:
    if output is None:
        return "table"
    form = output.suffix.removeprefix(".").lower()
    if form not in _FORMS[1:]:
        raise PreflightError(
            f"-o {output}: it ends in {output.suffix!r}; expected .csv, .json or .parquet, or say "
            "which with --format."
        )
    return form


def _bytes(answer: pa.Table, form: str) -> bytes:
    if form == "csv":
        return csv_bytes(answer)
    if form == "json":
        rows = ",\n".join(json.dumps(_plain(row), default=str) for row in answer.to_pylist())
        return f"[\n{rows}\n]\n".encode()
    sink = pa.BufferOutputStream()
    pq.write_table(answer, sink, compression="zstd")
    return bytes(sink.getvalue())


def _plain(value: Any) -> Any:
    """The value with null for numbers that JSON does not have."""
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, dict):
        return {key: _plain(part) for key, part in value.items()}
    return [_plain(part) for part in value] if isinstance(value, list) else value


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, list):
        return ", ".join(map(_cell, value))
    return f"{value:.6g}" if isinstance(value, float) else str(value)

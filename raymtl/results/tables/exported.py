"""A sweep's records as a folder of tidy tables, with a dictionary of their columns."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.csv as csv
import pyarrow.parquet as pq

from raymtl.durable import write_durably
from raymtl.errors import PreflightError
from raymtl.results.finding import runs_of
from raymtl.results.records import METRICS, PREDICTIONS
from raymtl.results.tables.columns import COLUMNS
from raymtl.results.tables.stored import TABLES
from raymtl.results.tables.tidy import csv_bytes

DICTIONARY = "columns"
_FILES = {"metrics": METRICS, "predictions": PREDICTIONS}
_NAMES = (*TABLES, *_FILES, DICTIONARY)


def export(
    sweep: Path, folder: Path, form: str, more: Sequence[str] = ()
) -> tuple[dict[str, int], list[Path]]:
    """Writes results, runs, sources, labels and transfer, and the dictionary of their columns.

    Args:
        form: csv or parquet.
        more: of metrics and predictions, those that are wanted too: they are large.

    Returns:
        Name of each file and its number of rows; files of the earlier export that are gone.

    Tables of an earlier export into the same folder go: those that its dictionary speaks of.

    Raises:
        PreflightError: for files of these names that no earlier export wrote.
        StoreError: when the folder cannot be written.
    """
    names = [*TABLES, *more, DICTIONARY]
    old = _earlier(folder, {f"{name}.{form}" for name in names})
    tables = {name: table([sweep]) for name, table in TABLES.items()}
    tables |= {name: _of_files(sweep, name) for name in more}
    tables[DICTIONARY] = dictionary(tables)
    write: Callable[[pa.Table], bytes] = csv_bytes if form == "csv" else _parquet
    for name, table in tables.items():
        write_durably(folder / f"{name}.{form}", write(table))
    gone = sorted(old - {folder / f"{name}.{form}" for name in tables})
    for path in gone:
        path.unlink()
    return {f"{name}.{form}": len(table) for name, table in tables.items()}, gone


def _earlier(folder: Path, names: Collection[str]) -> set[Path]:
    """Files of an earlier export: dictionaries and the tables that they list."""
    found: set[Path] = set()
    for form, read in (("csv", csv.read_csv), ("parquet", pq.read_table)):
        path = folder / f"{DICTIONARY}.{form}"
        if path.is_file():
            try:
                listed = set(read(path)["table"].to_pylist())
            except (pa.ArrowException, KeyError, OSError):
                continue  # none of ours
            found |= {folder / f"{name}.{form}" for name in {*listed, DICTIONARY} & set(_NAMES)}
    strange = sorted(n for n in names if (folder / n).exists() and folder / n not in found)
    if strange:
        raise PreflightError(
            f"{folder}: holds {', '.join(strange)}, which no earlier export wrote. Choose another "
            "folder, or move it away."
        )
    return {path for path in found if path.is_file()}


def dictionary(tables: dict[str, pa.Table]) -> pa.Table:
    """A row a column of `tables`: table, column, type, meaning."""
    rows = [
        {"table": name, "column": f.name, "type": str(f.type), "meaning": COLUMNS[name][f.name]}
        for name, table in tables.items()
        for f in table.schema
    ]
    fields = [(name, pa.string()) for name in ("table", "column", "type", "meaning")]
    return pa.Table.from_pylist(rows, pa.schema(fields))


def _of_files(sweep: Path, name: str) -> pa.Table:
    """The files of that name of all runs under one another, each row with its sweep and run."""
    parts = []
    for run in sorted(runs_of(sweep)):
        path = sweep / "runs" / run / _FILES[name]
        if path.is_file():
            table = pq.read_table(path)
            for at, word in enumerate((sweep.name, run)):
                column = pa.repeat(pa.scalar(word), len(table))
                table = table.add_column(at, ("sweep", "run")[at], column)
            parts.append(table)
    empty = pa.schema([(column, pa.string()) for column in COLUMNS[name]]).empty_table()
    return pa.concat_tables(parts) if parts else empty


def _parquet(table: pa.Table) -> bytes:
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, compression="zstd")
    return bytes(sink.getvalue())

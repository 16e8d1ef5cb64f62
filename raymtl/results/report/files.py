"""The files of a page's tables: CSV, Parquet and LaTeX, beside the page and within it."""

from __future__ import annotations

import base64
import gzip
import io
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv as csv
import pyarrow.parquet as pq

from raymtl.durable import write_durably
from raymtl.results.report.latex import latex_table
from raymtl.results.report.panels import Row

ROOM = 1_200_000  # characters that all files together may take within a page
KINDS = ("csv", "parquet", "tex")


def tables_in(content: Any) -> Iterator[Row]:
    """Every table, as `shown.shown` gives them, in what a template is given."""
    if isinstance(content, Mapping):
        if isinstance(content.get("data"), pa.Table) and "file" in content:
            yield dict(content)
        content = list(content.values())
    if isinstance(content, (list, tuple)):
        for part in content:
            yield from tables_in(part)


def files_of(content: Any) -> dict[str, bytes]:
    """Name -> content of the files of every table that holds anything."""
    found: dict[str, bytes] = {}
    for table in tables_in(content):
        name, data = table["file"], table["data"]
        if not data.num_rows:
            continue
        found |= {f"{name}.csv": csv_bytes(data), f"{name}.parquet": parquet_bytes(data)}
        if table["rows"]:
            found[f"{name}.tex"] = _tex(table).encode()
    return found


def within(files: Mapping[str, bytes], room: int = ROOM) -> dict[str, str]:
    """Name -> gzip in base64, of as many files as there is room for, the smallest first."""
    packed = {
        name: base64.b64encode(gzip.compress(content, mtime=0)).decode()
        for name, content in files.items()
    }
    found: dict[str, str] = {}
    for name in sorted(packed, key=lambda name: (len(packed[name]), name)):
        room -= len(packed[name])
        if room < 0:
            break
        found[name] = packed[name]
    return found


def write_files(folder: Path, files: Mapping[str, bytes]) -> None:
    """Writes the files; then others of these kinds, from an earlier page, go.

    Raises:
        StoreError: when the folder cannot be written.
    """
    for name, content in files.items():
        write_durably(folder / name, content)
    for old in (path for kind in KINDS for path in folder.glob(f"*.{kind}")):
        if old.name not in files:
            old.unlink()


def csv_bytes(table: pa.Table) -> bytes:
    """UTF-8 with a line of names; words in quotes; lists joined by semicolons."""
    sink = io.BytesIO()
    csv.write_csv(_flat(table), sink)
    return sink.getvalue()


def parquet_bytes(table: pa.Table) -> bytes:
    sink = io.BytesIO()
    pq.write_table(table, sink, compression="zstd")
    return sink.getvalue()


def _tex(table: Row) -> str:
    heads = [head for head, _ in table["heads"]]
    right = [number for _, number in table["heads"]]
    return latex_table(heads, table["rows"], table["caption"], right, table["file"])


def _flat(table: pa.Table) -> pa.Table:
    for at, field in enumerate(table.schema):
        if pa.types.is_nested(field.type):
            words = [None if v is None else "; ".join(map(str, v)) for v in table[at].to_pylist()]
            table = table.set_column(at, field.name, pa.array(words, pa.string()))
        elif pa.types.is_dictionary(field.type):
            table = table.set_column(at, field.name, table[at].cast(field.type.value_type))
    return table

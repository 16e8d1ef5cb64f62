"""Tables as files that any program reads."""

from __future__ import annotations

import json

import pyarrow as pa
import pyarrow.csv as csv


def csv_bytes(table: pa.Table) -> bytes:
    """A table as CSV with a header; lists become JSON text, for CSV has none."""
    flat = table
    for at, field in enumerate(table.schema):
        if pa.types.is_nested(field.type):
            flat = flat.set_column(at, field.name, _json(table[field.name]))
        elif pa.types.is_dictionary(field.type):
            flat = flat.set_column(at, field.name, table[field.name].cast(field.type.value_type))
    sink = pa.BufferOutputStream()
    csv.write_csv(flat, sink)
    return bytes(sink.getvalue())


def _json(column: pa.ChunkedArray) -> pa.Array:
    values = column.to_pylist()
    return pa.array([v if v is None else json.dumps(v, default=str) for v in values], pa.string())

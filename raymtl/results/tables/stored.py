"""The records of sweeps as tidy tables, one row a thing; columns as in `columns.COLUMNS`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from raymtl.results.finding import runs_of
from raymtl.results.ledger import Entry, Ledger
from raymtl.results.records import Record, each_record
from raymtl.results.state import PLAN, controls_of, read_json, read_sweep
from raymtl.results.table import SCHEMA as RESULT_SCHEMA
from raymtl.results.table import TOGETHER, collect
from raymtl.results.transfer.answers import SCHEMA as TRANSFER_SCHEMA
from raymtl.results.transfer.answers import transfer_table

_TEXT, _COUNT, _REAL = pa.string(), pa.int64(), pa.float64()

RUNS = pa.schema(
    [
        *((n, _TEXT) for n in ("sweep", "run", "digest", "status", "cell", "combination")),
        *((n, _TEXT) for n in ("extraction", "model", "control", "main")),
        *((n, _COUNT) for n in ("fold", "seed", "derived_seed")),
        ("training", _TEXT),
        *((n, _COUNT) for n in ("epochs", "best_epoch", "steps")),
        ("seconds", _REAL),
        *((n, _COUNT) for n in ("parameters", "conflicts", "leaks", "skipped")),
        *((n, _TEXT) for n in ("device", "reason", "folder")),
    ]
)
SOURCES = pa.schema(
    [
        *((n, _TEXT) for n in ("sweep", "run", "source", "features", "fit", "content")),
        *((n, _COUNT) for n in ("train", "validation", "test", "skipped")),
        ("passes", _REAL),
    ]
)
LABELS = pa.schema(
    [("sweep", _TEXT), ("run", _TEXT), ("task", _TEXT), ("position", _COUNT), ("label", _TEXT)]
)

Table = Callable[[Sequence[Path]], pa.Table]


def results(sweeps: Sequence[Path]) -> pa.Table:
    """Every final score of every recorded run."""
    tables = [
        _named(sweep, collect(sweep, runs_of(sweep), controls_of(read_json(sweep / PLAN, []))))
        for sweep in sweeps
    ]
    return _joined(tables, RESULT_SCHEMA)


def runs(sweeps: Sequence[Path]) -> pa.Table:
    """Every run that has ended, with or without a record."""
    return _rows(RUNS, sweeps, _run_rows)


def sources(sweeps: Sequence[Path]) -> pa.Table:
    """Every source of every recorded run."""
    return _rows(SOURCES, sweeps, lambda sweep: _each(sweep, _source_rows))


def labels(sweeps: Sequence[Path]) -> pa.Table:
    """The labels of every task of every recorded run, in the order of the scores."""
    return _rows(LABELS, sweeps, lambda sweep: _each(sweep, _label_rows))


def transfer(sweeps: Sequence[Path]) -> pa.Table:
    """Every gain with its verdict."""
    tables = [_named(sweep, transfer_table(read_sweep(sweep))) for sweep in sweeps]
    return _joined(tables, TRANSFER_SCHEMA)


TABLES: Mapping[str, Table] = {
    "results": results,
    "runs": runs,
    "sources": sources,
    "labels": labels,
    "transfer": transfer,
}


def _rows(
    schema: pa.Schema, sweeps: Sequence[Path], of: Callable[[Path], Iterable[dict[str, Any]]]
) -> pa.Table:
    found = [{"sweep": sweep.name, **row} for sweep in sweeps for row in of(sweep)]
    return pa.Table.from_pylist(found, schema)


def _each(
    sweep: Path, rows: Callable[[Record], Iterable[dict[str, Any]]]
) -> Iterator[dict[str, Any]]:
    for run, record in each_record(sweep, runs_of(sweep)):
        if isinstance(record, Record):
            yield from ({"run": run, **row} for row in rows(record))


def _run_rows(sweep: Path) -> Iterator[dict[str, Any]]:
    entries = Ledger(sweep / "ledger").read()
    recorded = set()
    for run, record in each_record(sweep, runs_of(sweep)):
        recorded.add(run)
        folder = str(sweep / "runs" / run)
        if isinstance(record, str):
            yield {"run": run, "status": "damaged", "reason": record, "folder": folder}
        else:
            yield {"run": run, "folder": folder, **_run(record.content)}
    for run, entry in entries.items():
        if run not in recorded:
            yield {"run": run, **_ended(entry)}


def _run(content: Mapping[str, Any]) -> dict[str, Any]:
    cell, leaks = content.get("cell", {}), content.get("leaks") or {}
    shared = [v for key in ("clips", "groups") for v in (leaks.get(key) or {}).values()]
    same = {name: content[name] for name in RUNS.names if name in content}
    return same | {
        "cell": cell.get("name"),
        "combination": TOGETHER.join(cell.get("like") or cell.get("combination", [])),
        "extraction": cell.get("extraction"),
        "model": cell.get("network") or cell.get("model"),
        "control": cell.get("control") or None,
        "main": cell.get("main"),
        "conflicts": len(content.get("conflicts", [])),
        "leaks": sum(v for v in shared if isinstance(v, int)),
        "skipped": sum(s.get("skipped") or 0 for s in content.get("sources", {}).values()),
    }


def _ended(entry: Entry) -> dict[str, Any]:
    status = "damaged" if entry.done else entry.status
    return {
        "status": status,
        "digest": entry.digest,
        "seconds": entry.seconds,
        "reason": entry.reason or "its record is missing",
    }


def _source_rows(record: Record) -> Iterator[dict[str, Any]]:
    for name, facts in record.content.get("sources", {}).items():
        yield {"source": name, **{n: facts[n] for n in SOURCES.names if n in facts}}


def _label_rows(record: Record) -> Iterator[dict[str, Any]]:
    for task, facts in record.content.get("tasks", {}).items():
        for position, label in enumerate(facts.get("labels", []), start=1):
            yield {"task": task, "position": position, "label": label}


def _named(sweep: Path, table: pa.Table) -> pa.Table:
    return table.add_column(0, "sweep", pa.repeat(pa.scalar(sweep.name, _TEXT), len(table)))


def _joined(tables: Sequence[pa.Table], schema: pa.Schema) -> pa.Table:
    """Tables of several sweeps under one another; their words are spelt out."""
    plain = pa.schema([("sweep", _TEXT), *((f.name, _plain(f.type)) for f in schema)])
    return pa.concat_tables([table.cast(plain) for table in tables] or [plain.empty_table()])


def _plain(kind: pa.DataType) -> pa.DataType:
    return kind.value_type if pa.types.is_dictionary(kind) else kind

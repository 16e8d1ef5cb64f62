"""The results of a sweep as tables: one row a number, and mean ± deviation with gains per cell."""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence
from itertools import repeat
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from raymtl.durable import write_durably
from raymtl.errors import StoreError
from raymtl.results.records import Record, read_records

RESULTS = "results.parquet"
TOGETHER = " + "  # between the sources of a combination; no source name holds a space

SCHEMA = pa.schema([
    ("run", pa.string()), ("cell", pa.string()), ("combination", pa.string()),
    ("extraction", pa.string()), ("model", pa.string()), ("fold", pa.int64()),
    ("seed", pa.int64()), ("source", pa.string()), ("task", pa.string()), ("part", pa.string()),
    ("metric", pa.string()), ("label", pa.string()), ("value", pa.float64()),
    ("epoch", pa.int64()),
])
_OF_RUN = ("run", "cell", "combination", "extraction", "model", "fold", "seed", "epoch")

_CELL = ["cell", "combination", "extraction", "model"]
_WHAT = ["source", "task", "metric", "label"]
_PAIR = ["source", "task", "metric", "label", "extraction", "model", "fold", "seed"]
_SPREAD = pc.VarianceOptions(ddof=1)


def collect(sweep: Path, runs: Iterable[str]) -> pa.Table:
    """Every final score of the named runs that have a whole record; columns as in `SCHEMA`.

    Rows are ordered by run name, whatever the order of `runs`. `label` is null for metrics of the
    whole task; `epoch` is the epoch whose weights were scored.
    """
    records, _ = read_records(sweep, runs)
    return tabulate(records.values())


def tabulate(records: Iterable[Record]) -> pa.Table:
    """Scores of records as one table; see `collect`."""
    columns: dict[str, list[Any]] = {name: [] for name in SCHEMA.names}
    for record in records:
        count = _add_scores(columns, record.scores)
        for name, value in zip(_OF_RUN, _of_run(record), strict=True):
            columns[name].extend(repeat(value, count))
    return pa.table(columns, schema=SCHEMA)


def save_results(sweep: Path, table: pa.Table) -> Path:
    """Writes `table` to results.parquet, atomically, in place of the last one."""
    sink = io.BytesIO()
    pq.write_table(table, sink, compression="zstd")
    write_durably(sweep / RESULTS, sink.getvalue())
    return sweep / RESULTS


def read_results(sweep: Path) -> pa.Table:
    """The table that `save_results` wrote.

    Raises:
        StoreError: when there is none, or it is damaged.
    """
    try:
        return pq.read_table(sweep / RESULTS, schema=SCHEMA)
    except (OSError, pa.ArrowException) as error:
        raise StoreError(f"{sweep / RESULTS}: cannot be read ({error}). "
                         "Run the sweep again: it writes the table anew.") from error


def summary(table: pa.Table, part: str = "test", labels: bool = False) -> pa.Table:
    """Mean ± deviation over folds and seeds, and the gain over the source trained alone.

    Args:
        table: as `collect` gives it.
        part: the partition that is summarised.
        labels: metrics of each label instead of those of the whole task.

    Returns:
        One row a (cell, source, task, metric, label), sorted by those, with

        - n, mean, deviation: runs, their mean, and the sample deviation (n - 1; null for one run);
        - gain, gain_deviation, pairs: differences to the runs of the cell that has this source
          alone and the same extraction and model, paired by fold and seed: their mean, sample
          deviation and number. Null, null and 0 for that cell itself and where none has run.
    """
    chosen = pc.equal(table["part"], part)
    chosen = pc.and_(chosen, (pc.is_valid if labels else pc.is_null)(table["label"]))
    rows = table.filter(chosen)
    rows = rows.set_column(rows.schema.get_field_index("label"), "label",
                           pc.fill_null(rows["label"], ""))  # joins never match on null
    means = _grouped(rows, "value").rename_columns(
        [*_CELL, *_WHAT, "n", "mean", "deviation"])
    gains = _grouped(_differences(rows), "difference").rename_columns(
        [*_CELL, *_WHAT, "pairs", "gain", "gain_deviation"])
    joined = means.join(gains, [*_CELL, *_WHAT], join_type="left outer")
    joined = joined.set_column(joined.schema.get_field_index("pairs"), "pairs",
                               pc.fill_null(joined["pairs"], 0))
    return joined.sort_by([(name, "ascending") for name in (*_CELL, *_WHAT)])


def _grouped(rows: pa.Table, column: str) -> pa.Table:
    grouped = rows.group_by([*_CELL, *_WHAT], use_threads=False).aggregate(
        [(column, "count"), (column, "mean"), (column, "stddev", _SPREAD)])
    return grouped.select([*_CELL, *_WHAT, f"{column}_count", f"{column}_mean",
                           f"{column}_stddev"])


def _differences(rows: pa.Table) -> pa.Table:
    """Runs with partners beside their baseline, with `difference`; others are left out."""
    alone = pc.equal(rows["combination"], rows["source"])
    base = rows.filter(alone).select([*_PAIR, "value"]).rename_columns([*_PAIR, "base"])
    paired = rows.filter(pc.invert(alone)).join(base, _PAIR, join_type="inner")
    return paired.append_column("difference", pc.subtract(paired["value"], paired["base"]))


def _of_run(record: Record) -> Sequence[Any]:
    content = record.content
    cell = content.get("cell", {})
    return (record.run, cell.get("name"), TOGETHER.join(cell.get("combination", [])),
            cell.get("extraction"), cell.get("model"), content.get("fold"), content.get("seed"),
            content.get("best_epoch"))


def _add_scores(columns: dict[str, list[Any]], scores: Sequence[dict[str, Any]]) -> int:
    before = len(columns["value"])
    for score in scores:
        start = len(columns["value"])
        _add_values(columns, score["scalars"], None)
        for label, values in score["per_label"].items():
            _add_values(columns, values, label)
        for name in ("source", "task", "part"):
            columns[name].extend(repeat(score[name], len(columns["value"]) - start))
    return len(columns["value"]) - before


def _add_values(columns: dict[str, list[Any]], values: dict[str, float], label: str | None) -> None:
    columns["metric"].extend(values)
    columns["value"].extend(values.values())
    columns["label"].extend(repeat(label, len(values)))

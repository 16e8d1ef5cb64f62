"""SQL over a store's tables, through DuckDB; it can read what lies in the store, and no more."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import duckdb
import pyarrow as pa

from raymtl.errors import PreflightError
from raymtl.results.finding import sweeps_of
from raymtl.results.predictions import SCHEMA as PREDICTIONS_SCHEMA
from raymtl.results.records import HISTORY_SCHEMA, METRICS, PREDICTIONS
from raymtl.results.tables.columns import COLUMNS
from raymtl.results.tables.stored import TABLES

_CLIPS = pa.schema([("source", pa.string()), ("id", pa.string()), ("component", pa.string())])
_CONFIG: dict[str, str | bool | int | float | list[str]] = {
    "autoinstall_known_extensions": False,
    "autoload_known_extensions": False,
    "python_enable_replacements": False,  # a name is a table, never a variable of this module
}
_FILES = {  # tables that are files: where they lie in a sweep, and their columns
    "metrics": (f"runs/*/{METRICS}", HISTORY_SCHEMA),
    "predictions": (f"runs/*/{PREDICTIONS}", PREDICTIONS_SCHEMA),
    "clips": ("clips.parquet", _CLIPS),
}


def query(store: Path, sql: str) -> pa.Table:
    """The answer to one SELECT over the tables of `COLUMNS`; only those it names are read.

    Raises:
        PreflightError: for what is not one SELECT, or what DuckDB says is wrong with it.
    """
    sweeps = sweeps_of(store)
    if not sweeps:
        raise PreflightError(
            f"{store}: no sweep lies below {store / 'sweeps'}. Say where the store is with --store."
        )
    with duckdb.connect(config=_CONFIG) as connection:
        try:
            _refuse_changes(connection, sql)
            for name in sorted(set(re.findall(r"\w+", sql.lower())) & set(COLUMNS)):
                _provide(connection, name, sweeps)
            _shut(connection, store)
            return connection.sql(sql).to_arrow_table()
        except duckdb.Error as error:
            raise PreflightError(
                f"{error}\nTables: {', '.join(COLUMNS)}; their columns are listed by "
                "'raymtl query --tables'."
            ) from error


def _refuse_changes(connection: duckdb.DuckDBPyConnection, sql: str) -> None:
    statements = connection.extract_statements(sql)
    kinds = [statement.type.name for statement in statements]
    if len(kinds) != 1 or kinds[0] not in ("SELECT", "EXPLAIN"):
        raise PreflightError(
            f"{sql!r}: {', '.join(kinds) or 'nothing'}; expected one SELECT. A query only reads."
        )


def _shut(connection: duckdb.DuckDBPyConnection, store: Path) -> None:
    """From here on nothing outside the store can be read, and no setting changed."""
    connection.execute("SET allowed_directories = [$1]", [str(store.resolve())])
    connection.execute("SET enable_external_access = false")
    connection.execute("SET lock_configuration = true")


def _provide(connection: duckdb.DuckDBPyConnection, name: str, sweeps: Sequence[Path]) -> None:
    if name in TABLES:
        connection.register(name, TABLES[name](sweeps))
        return
    pattern, schema = _FILES[name]
    files = sorted(str(path.resolve()) for sweep in sweeps for path in sweep.glob(pattern))
    if not files:
        which = [(column, pa.string()) for column in COLUMNS[name] if column not in schema.names]
        connection.register(name, pa.schema([*which, *schema]).empty_table())
        return
    within = r"[/\\]([^/\\]+)[/\\]"
    sweep = within + (r"runs[/\\][^/\\]+[/\\][^/\\]+$" if "*" in pattern else r"[^/\\]+$")
    columns = [f"regexp_extract(filename, '{sweep}', 1) AS sweep"]
    columns += (
        [rf"regexp_extract(filename, '{within}[^/\\]+$', 1) AS run"] if "*" in pattern else []
    )
    listed = ", ".join("'" + file.replace("'", "''") + "'" for file in files)
    connection.execute(
        f"CREATE VIEW {name} AS SELECT {', '.join(columns)}, * EXCLUDE (filename) "
        f"FROM read_parquet([{listed}], filename = true)"
    )

"""`raymtl export-results`: tables that pandas reads, equal to the records."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
import pytest
from click.testing import Result

from raymtl.results.table import read_results


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_tables_and_their_dictionary(
    call: Callable[..., Result], root: Path, sweep: Path, form: str
) -> None:
    out = root / "tables"
    result = call(
        "export-results", sweep, "--format", form, "-o", out, "--predictions", "--metrics"
    )
    assert result.exit_code == 0, result.output
    read = pd.read_csv if form == "csv" else pd.read_parquet
    tables = {path.stem: read(path) for path in out.glob(f"*.{form}")}
    said = tables.pop("columns")
    assert set(tables) == {
        "results", "runs", "sources", "labels", "transfer", "predictions", "metrics"
    }  # fmt: skip
    listed = {name: list(rows.column) for name, rows in said.groupby("table", sort=False)}
    assert listed == {name: list(table.columns) for name, table in tables.items()}
    assert said.meaning.str.len().min() > 0
    whole = read_results(sweep).to_pandas()
    assert len(tables["results"]) == len(whole)
    assert sorted(tables["results"].value) == pytest.approx(sorted(whole.value), rel=1e-15)
    files = sorted(sweep.glob("runs/*/predictions.parquet"))
    assert len(tables["predictions"]) == sum(pq.read_metadata(f).num_rows for f in files)
    assert set(tables["predictions"].run) == {f.parent.name for f in files}


def test_predictions_only_on_request(call: Callable[..., Result], root: Path, sweep: Path) -> None:
    call("export-results", sweep, "-o", root / "tables")
    assert not list((root / "tables").glob("predictions*"))
    assert (root / "tables" / "results.csv").is_file()


def test_a_folder_that_is_no_sweep(call: Callable[..., Result], root: Path) -> None:
    result = call("export-results", root, "-o", root / "tables")
    assert result.exit_code == 2
    assert "not a sweep" in result.output


def test_a_sweep_by_its_name(call: Callable[..., Result], root: Path) -> None:
    """Whole or its beginning; what is near is told where none is meant."""
    for name in ("digits", "dig"):
        assert call("export-results", name, "-o", root / name).exit_code == 0
    result = call("export-results", "digts", "-o", root / "tables")
    assert result.exit_code == 2
    assert "digts: is no folder, and names no sweep below" in result.output
    assert "\n  digits" in result.output


def test_tables_of_an_earlier_export_are_replaced(
    call: Callable[..., Result], root: Path, sweep: Path
) -> None:
    """Those that its dictionary lists, in whichever form; files of others stay or stop it."""
    tables = root / "tables"
    assert call("export-results", sweep, "-o", tables, "--metrics").exit_code == 0
    (tables / "notes.csv").write_text("mine")
    result = call("export-results", sweep, "-o", tables, "--format", "parquet")
    assert result.exit_code == 0, result.output
    assert "metrics.csv" in result.output
    left = {path.name for path in tables.iterdir()}
    assert {name for name in left if name.endswith(".csv")} == {"notes.csv"}
    assert "results.parquet" in left
    (root / "others").mkdir()
    (root / "others" / "runs.csv").write_text("mine")
    result = call("export-results", sweep, "-o", root / "others")
    assert result.exit_code == 2
    assert "holds runs.csv, which no earlier export wrote" in " ".join(result.output.split())
    assert (root / "others" / "runs.csv").read_text() == "mine"

"""SQL over a store against pandas and pyarrow on the same files; and nothing can be changed."""

from __future__ import annotations

import io
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
import pytest
from click.testing import Result

from raymtl.errors import PreflightError
from raymtl.results.ledger import Ledger
from raymtl.results.records import read_record
from raymtl.results.table import read_results
from raymtl.results.tables.columns import COLUMNS
from raymtl.results.tables.query import query
from tests.corpora import tree


def test_tables_have_the_columns_they_are_said_to_have(root: Path) -> None:
    for name, columns in COLUMNS.items():
        answer = query(root / "store", f"SELECT * FROM {name}")
        assert answer.column_names == list(columns)
        assert len(answer) or name == "transfer"


def test_results_are_those_of_every_sweep(root: Path, sweep: Path) -> None:
    shutil.copytree(sweep, sweep.parent / "other")
    sql = "SELECT sweep, task, avg(value) AS mean FROM results WHERE metric = 'uar' GROUP BY ALL"
    found = query(root / "store", f"{sql} ORDER BY ALL").to_pandas()
    whole = read_results(sweep).to_pandas()
    means = whole[whole.metric == "uar"].groupby("task", observed=True).value.mean()
    assert list(found.sweep) == ["digits", "digits", "other", "other"]
    assert list(found["mean"]) == pytest.approx([*means, *means], rel=1e-12)


def test_a_run_stands_for_every_control_that_the_plan_names(root: Path, sweep: Path) -> None:
    plan = json.loads((sweep / "plan.json").read_text())
    run = plan["runs"][0]
    source = next(iter(read_record(sweep / "runs" / run["run"]).content["sources"]))
    run["controls"] = [
        {"name": f"c{n}", "control": "updates", "main": source, "like": [source, partner]}
        for n, partner in enumerate(("one", "two"))
    ]
    (sweep / "plan.json").write_text(json.dumps(plan))
    sql = f"SELECT DISTINCT combination FROM results WHERE run = '{run['run']}' ORDER BY ALL"
    found = query(root / "store", sql).to_pydict()["combination"]
    assert found == [f"{source} + one", f"{source} + two"]


def test_files_of_runs_carry_their_run(root: Path, sweep: Path) -> None:
    for name in ("metrics", "predictions"):
        counted = query(root / "store", f"SELECT sweep, run, count(*) n FROM {name} GROUP BY ALL")
        files = sorted(sweep.glob(f"runs/*/{name}.parquet"))
        expected = {("digits", f.parent.name): pq.read_metadata(f).num_rows for f in files}
        assert {(r["sweep"], r["run"]): r["n"] for r in counted.to_pylist()} == expected


def test_accuracy_from_predictions_is_the_recorded_one(root: Path, sweep: Path) -> None:
    sql = """SELECT p.run, p.source, avg((p.truth = p.decision)::INT) AS counted, any_value(r.value)
             AS recorded FROM predictions p JOIN results r ON p.run = r.run AND p.source = r.source
             WHERE r.metric = 'accuracy' AND r.part = 'test' GROUP BY ALL"""
    found = query(root / "store", sql).to_pandas()
    assert len(found) == 4
    assert list(found.counted) == pytest.approx(list(found.recorded), rel=1e-12)


def test_runs_and_sources_are_what_records_say(root: Path, sweep: Path) -> None:
    rows = query(root / "store", "SELECT * FROM runs JOIN sources USING (sweep, run)").to_pylist()
    assert len(rows) == 4
    for row in rows:
        content = read_record(sweep / "runs" / row["run"]).content
        for name in ("digest", "status", "fold", "seed", "parameters", "best_epoch", "seconds"):
            assert row[name] == content[name]
        source = content["sources"][row["source"]]
        for name in ("features", "fit", "train", "validation", "test", "passes"):
            assert row[name] == source[name]


def test_runs_without_a_whole_record_are_told_of(root: Path, sweep: Path) -> None:
    Ledger(sweep / "ledger").write("lost", "failed", "StoreError: no")
    broken = sorted(sweep.glob("runs/*/record.json"))[0]
    broken.write_text("{}")
    rows = query(root / "store", "SELECT run, status, reason FROM runs ORDER BY status").to_pylist()
    assert [row["status"] for row in rows] == ["damaged", "done", "done", "failed"]
    assert rows[0]["run"] == broken.parent.name
    assert rows[3]["reason"] == "StoreError: no"


@pytest.mark.parametrize(
    ("sql", "words"),
    [
        ("DROP TABLE runs", "DROP; expected one SELECT"),
        ("COPY (SELECT 1) TO '{root}/store/x.csv'", "COPY; expected one SELECT"),
        ("SET enable_external_access = true", "SET; expected one SELECT"),
        ("SELECT 1; SELECT 2", "SELECT, SELECT; expected one SELECT"),
        ("", "nothing; expected one SELECT"),
        ("SELECT * FROM read_text('{root}/mine.py')", "Cannot access file"),
        ("SELECT * FROM sweeps", "(?s)sweeps does not exist.*Tables: results, runs"),
        ("SELECT nothing FROM runs", "(?s)nothing.*not found.*--tables"),
        ("SELEKT 1", "syntax error"),
    ],
)
def test_what_is_no_query_is_refused(root: Path, sql: str, words: str) -> None:
    before = tree(root / "store")
    with pytest.raises(PreflightError, match=words):
        query(root / "store", sql.replace("{root}", str(root)))
    assert tree(root / "store") == before


def test_a_store_without_sweeps(tmp_path: Path) -> None:
    with pytest.raises(PreflightError, match="no sweep lies below"):
        query(tmp_path, "SELECT 1")
    (tmp_path / "sweeps" / "empty").mkdir(parents=True)
    for name in set(COLUMNS) - {"transfer"}:
        assert query(tmp_path, f"SELECT * FROM {name}").num_rows == 0


def test_every_form_holds_the_same(call: Callable[..., Result], tmp_path: Path) -> None:
    sql = "SELECT id, truth, scores FROM predictions ORDER BY run, source, id LIMIT 7"
    for ending in ("csv", "json", "parquet"):
        result = call("query", sql, "-o", tmp_path / f"answer.{ending}")
        assert (result.exit_code, result.output[:6]) == (0, "7 rows"), result.output
    parquet = pd.read_parquet(tmp_path / "answer.parquet")
    lines = json.loads((tmp_path / "answer.json").read_text())
    comma = pd.read_csv(tmp_path / "answer.csv")
    assert list(parquet.id) == [row["id"] for row in lines] == list(comma.id)
    scores = [list(values) for values in parquet.scores]
    assert scores == [row["scores"] for row in lines] == [json.loads(v) for v in comma.scores]
    printed = pd.read_csv(io.StringIO(call("query", sql, "--format", "csv").output))
    pd.testing.assert_frame_equal(printed, comma)
    table = call("query", "SELECT 'a' AS x, 0.125 AS y").output.split()
    assert table == ["x", "y", "a", "0.125"]


def test_forms_that_cannot_be(call: Callable[..., Result], tmp_path: Path) -> None:
    for words, said in (
        (["--format", "parquet"], "Give a file with -o"),
        (["--format", "table", "-o", tmp_path / "x.csv"], "a table is for terminals"),
        (["-o", tmp_path / "x.xlsx"], "expected .csv, .json or .parquet"),
    ):
        result = call("query", "SELECT 1", *words)
        assert result.exit_code == 2
        assert said in result.output


def test_tables_are_listed(call: Callable[..., Result]) -> None:
    said = call("query", "--tables").output
    for name, columns in COLUMNS.items():
        assert name in said
        assert all(column in said for column in columns)


def test_rows_too_wide_for_the_terminal_stand_as_blocks(call: Callable[..., Result]) -> None:
    """Twenty columns in 80 characters would leave one letter each."""
    (folder,) = query_value(call("query", "select * from runs limit 1"), "folder")
    assert folder.startswith("/")
    narrow = call("query", "select run, seed from runs limit 1").output.splitlines()
    assert [line.split()[-1] for line in narrow] == ["seed", "0"]


def query_value(result: Result, column: str) -> list[str]:
    """Values that stand beside a column's name, one a row."""
    lines = [line.split(maxsplit=1) for line in result.output.splitlines()]
    return [line[1].strip() for line in lines if line and line[0] == column]

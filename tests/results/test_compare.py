"""Two sweeps held against each other, and LaTeX."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.csv as csv
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from raymtl.cli import main
from raymtl.results.compare import compare_sweeps
from raymtl.results.report.latex import escaped, latex_table
from tests.results.synthetic import TASKS, add_run, cells, outcome, write_plan

NAMES = ("fsdd.digit", "ravdess.emotion")


def sweep(
    folder: Path,
    better: float,
    folds: int = 4,
    models: tuple[str, ...] = ("Dnn()",),
    seeds: int = 1,
) -> Path:
    planned = cells(["LogMel()"], models, NAMES)
    for run, cell, fold, seed in write_plan(folder, planned, folds, seeds):
        tasks = {name: TASKS[name] for name in cell["combination"]}
        found = [
            outcome({n: task}, seed=fold + 50 * int(better > 0) + 7 * seed, truth=fold,
                    epochs=2, clips=200,
                    skill=1.5 + (better if n == "fsdd.digit" else 0))
            for n, task in tasks.items()
        ]  # fmt: skip
        for other in found[1:]:
            found[0].scores.update(other.scores)
            found[0].predictions.update(other.predictions)
        add_run(folder, run, cell, fold, seed, found[0], list(tasks.values()))
    return folder


def test_differences_are_those_of_paired_runs(tmp_path: Path) -> None:
    """Against the records one by one, with the variance of Nadeau and Bengio by hand."""
    a, b = sweep(tmp_path / "a", 0.0), sweep(tmp_path / "b", 1.0, models=("Dnn()", "Cnn()"))
    found = compare_sweeps(a, b)
    assert (len(found.both), len(found.only_a), len(found.only_b)) == (3, 0, 3)
    assert found.unlike == 0
    rows = {(r["source"], r["partners"]): r for r in found.differences.to_pylist()}
    assert len(rows) == 4
    row = rows["fsdd.digit", ""]
    read = [recorded(folder) for folder in (a, b)]
    d = np.array([read[1][fold] - read[0][fold] for fold in range(4)])
    assert row["gain"] == pytest.approx(d.mean())
    error = np.sqrt((1 / 4 + 60 / 200) * d.var(ddof=1))
    assert row["low"] == pytest.approx(d.mean() - stats.t.ppf(0.975, 3) * error)
    assert row["base"] == pytest.approx(np.mean([read[0][fold] for fold in range(4)]))


def recorded(folder: Path) -> dict[int, float]:
    """fold -> test UAR of digit alone under Dnn."""
    found = {}
    for path in folder.glob("runs/*/record.json"):
        record = json.loads(path.read_bytes())
        cell = record["cell"]
        if cell["combination"] == ["fsdd.digit"] and cell["model"] == "Dnn()":
            score = next(s for s in record["scores"] if s["part"] == "test")
            found[record["fold"]] = score["scalars"]["uar"]
    return found


def test_one_fixed_test_set_is_resampled_over_both_sweeps(tmp_path: Path) -> None:
    found = compare_sweeps(
        sweep(tmp_path / "a", 0.0, 1, seeds=3), sweep(tmp_path / "b", 1.5, 1, seeds=3)
    )
    rows = {(r["source"], r["partners"]): r for r in found.differences.to_pylist()}
    assert {row["method"] for row in rows.values()} == {"cluster bootstrap"}
    assert rows["fsdd.digit", ""]["verdict"] == "higher"


def test_a_sweep_is_equivalent_to_its_copy(tmp_path: Path) -> None:
    a = sweep(tmp_path / "a", 0.0, 5)
    shutil.copytree(a, tmp_path / "b")
    found = compare_sweeps(a, tmp_path / "b")
    assert set(found.differences["verdict"].to_pylist()) == {"equivalent"}
    assert found.equal == 15


def test_stores_are_compared_at_80_columns_and_as_a_page(tmp_path: Path) -> None:
    for store, better in (("one", 0.0), ("two", 1.0)):
        sweep(tmp_path / store / "sweeps" / "digits", better)
    sweep(tmp_path / "one" / "sweeps" / "gone", 0.0, 1)
    page = tmp_path / "page" / "compare.html"
    said = CliRunner().invoke(
        main,
        ["compare", str(tmp_path / "one"), str(tmp_path / "two"), "--page", str(page)],
        env={"COLUMNS": "80"},
    )
    assert said.exit_code == 0, said.output
    assert "sweeps only in A: gone" in said.output
    table = [line for line in said.output.splitlines() if re.search(r"[+−≈?] \w+$", line.rstrip())]
    assert len(table) == 4
    assert max(map(len, table)) <= 80
    assert "Sweeps only in A: gone." in page.read_text()
    kept = pq.read_table(page.parent / "compare-tables" / "compare-1.parquet")
    assert kept.num_rows == csv.read_csv(page.parent / "compare-tables" / "compare-1.csv").num_rows
    assert kept.num_rows == 4


def test_an_empty_sweep_and_a_folder_that_is_none(tmp_path: Path) -> None:
    a = sweep(tmp_path / "a", 0.0, 1)
    (tmp_path / "b" / "runs").mkdir(parents=True)
    (tmp_path / "c").mkdir()
    found = compare_sweeps(a, tmp_path / "b")
    assert found.differences.num_rows == 0
    assert len(found.only_a) == 4 - 1
    said = CliRunner().invoke(main, ["compare", str(a), str(tmp_path / "c")])
    assert said.exit_code == 2
    assert "names no sweep below" in said.output


def test_latex_escapes_what_latex_would_act_upon() -> None:
    assert escaped(r"a_b & 50% of $x$ \input{y}") == (
        r"a\_b \& 50\% of \$x\$ \textbackslash{}input\{y\}"
    )
    text = latex_table(["with", "a"], [["b_c", "+1.0 +"]], "x")
    assert r"b\_c & +1.0 + \\" in text
    assert [line for line in text.splitlines() if "rule" in line] == [
        r"\toprule", r"\midrule", r"\bottomrule"
    ]  # fmt: skip


@settings(deadline=None)  # pandas is imported within the first
@given(st.lists(st.text(st.sampled_from("aé1 &%$#_{}~^\\[]*"), min_size=1), min_size=2, max_size=4))
def test_latex_escapes_as_pandas_does(words: list[str]) -> None:
    """Against `Styler.to_latex`; what ends a command may be a blank, or a pair of braces."""
    frame = pd.DataFrame([words]).style.format(escape="latex").hide(axis="columns")
    theirs = frame.hide(axis="index").to_latex().splitlines()[1].removesuffix(r" \\")
    ours = latex_table(words, [words], "x").splitlines()[8].removesuffix(r" \\")

    def plain(text: str) -> str:
        text = re.sub(r"(\\text[a-z]+) \\space ", r"\1  ", text)  # a blank that stays
        return re.sub(r"(\\text[a-z]+)(\{\}| )", r"\1|", text)

    assert plain(ours.removeprefix("{}")) == plain(theirs)
    body = re.sub(r"\\.", "", ours)  # what stays special once commands and escapes are gone
    assert body.count("{") == body.count("}")
    assert not re.search(r"[%$#_~^]", body)
    assert body.count("&") == len(words) - 1


def test_a_long_table_of_latex_runs_over_pages() -> None:
    rows = [[f"a{i}", str(i)] for i in range(80)]
    lines = latex_table(["name", "n"], rows, "x", label="t").splitlines()
    assert lines[1] == r"\begin{longtable}{lr}"
    assert sum(line.startswith("a") for line in lines) == 80
    assert latex_table(["name", "n"], [["[x]", "1"]], "x").count(r"{}[x] & 1 \\"[:-2]) == 1


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="needs pdflatex")
def test_latex_is_typeset(tmp_path: Path) -> None:
    table = latex_table(["with", "≈ ± −"], [["<x> | ~ ^ {", "Δ"]], "a # b")
    text = "\\documentclass{article}\\usepackage{booktabs}\\begin{document}\n"
    (tmp_path / "t.tex").write_text(text + table + "\\end{document}\n")
    subprocess.run(["pdflatex", "-halt-on-error", "t.tex"], cwd=tmp_path, check=True)

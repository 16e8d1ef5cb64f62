"""`raymtl show`: what is on disk about a run, and which run is meant."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from click.testing import Result

from raymtl.durable import file_digest
from raymtl.errors import PreflightError
from raymtl.results.finding import find_run, runs_of
from raymtl.results.ledger import Ledger
from raymtl.results.records import WEIGHTS, read_record
from raymtl.results.runs.facts import sparkline
from tests.test_cli import narrow

TOGETHER = "fsdd.digit__fsdd.speaker"


def run_of(sweep: Path, start: str = TOGETHER) -> str:
    return next(run for run in sorted(runs_of(sweep)) if run.startswith(start))


def test_everything_of_a_record_is_shown(call: Callable[..., Result], sweep: Path) -> None:
    run = run_of(sweep)
    result = call("show", run)
    assert result.exit_code == 0, result.output
    narrow(result.output)
    content = read_record(sweep / "runs" / run).content
    said = " ".join(result.output.split())
    for score in content["scores"]:
        if score["part"] == "test":
            for name, value in score["scalars"].items():
                assert f"{name} {value:.4g}" in said
            for label, row in zip(score["per_label"], score["confusion"], strict=True):
                assert f"{label} {' '.join(map(str, row))}" in said
    weights = file_digest(sweep / "runs" / run / WEIGHTS)
    assert f"{weights[:12]} as written" in said
    assert content["digest"] in said
    assert "combination fsdd.digit + fsdd.speaker (one of 3)" in said
    assert f"raymtl rerun {sweep / 'runs' / run}" in said


def test_commits_changes_and_where_all_packages_are(
    call: Callable[..., Result], sweep: Path
) -> None:
    """As environment.json has them; a sweep of before kept the study's commit alone."""
    path = sweep / "environment.json"
    kept = json.loads(path.read_text())
    state = {"commit": "a" * 40, "dirty": True, "diff": "b" * 64}
    kept["git"] = {"study": state, "raymtl": {**state, "dirty": False, "diff": ""}}
    path.write_text(json.dumps(kept))
    said = "".join(call("show", run_of(sweep)).output.split())
    assert f"commit{'a' * 40},andchanges(SHA-256{'b' * 12})" in said
    assert said.count("a" * 40) == 2
    assert f"all{len(kept['packages'])}arein{path}" in said
    del kept["git"], kept["packages"]
    path.write_text(json.dumps({**kept, "commit": "c" * 40}))
    said = "".join(call("show", run_of(sweep)).output.split())
    assert f"commit{'c' * 40}" in said
    assert "environment.json" not in said


def test_a_changed_file_is_damage(call: Callable[..., Result], sweep: Path) -> None:
    path = sweep / "runs" / run_of(sweep) / WEIGHTS
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    result = call("show", run_of(sweep))
    assert result.exit_code == 1
    assert "status damaged" in " ".join(result.output.split())
    assert "its content has changed" in result.output


def test_runs_without_a_record(call: Callable[..., Result], sweep: Path) -> None:
    run = run_of(sweep)
    (sweep / "ledger" / f"{run}.json").unlink()
    shutil.rmtree(sweep / "runs" / run)
    assert "status planned" in " ".join(call("show", run).output.split())
    (sweep / "unfinished" / run).mkdir()
    assert "status unfinished" in " ".join(call("show", run).output.split())
    Ledger(sweep / "ledger").write(run, "diverged", "Diverged: the loss is nan", trace="line 7")
    said = " ".join(call("show", run).output.split())
    for words in ("status diverged", "the loss is nan", "line 7", "raymtl rerun digits/"):
        assert words in said


def test_names_that_mean_a_run(root: Path, sweep: Path) -> None:
    run = run_of(sweep)
    address = run.rpartition("-")[2]
    names = [run, TOGETHER, f"digits/{run}", address, address[:5], str(sweep / "runs" / run)]
    assert {find_run(name, root / "store").run for name in names} == {run}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("fsdd.", "names 3 runs.*fsdd.digit__fsdd.speaker"),
        ("fsdd.speeker", "names no run.*Near to it are:\n  digits/fsdd.speaker--"),
    ],
)
def test_names_that_do_not(root: Path, text: str, words: str) -> None:
    with pytest.raises(PreflightError, match=f"(?s){words}"):
        find_run(text, root / "store")
    with pytest.raises(PreflightError, match="no sweep lies below"):
        find_run(text, root / "none")


def test_a_name_in_two_sweeps_needs_its_sweep(root: Path, sweep: Path) -> None:
    shutil.copytree(sweep, sweep.parent / "other")
    run = run_of(sweep)
    with pytest.raises(PreflightError, match="names 2 runs"):
        find_run(run, root / "store")
    assert find_run(f"other/{run}", root / "store").sweep.name == "other"


def test_a_sparkline_rises_with_its_values() -> None:
    assert sparkline([0, 1, 2, 3, 4, 5, 6, 7]) == "▁▂▃▄▅▆▇█"
    assert sparkline([3.0, 3.0]) == "▁▁"
    assert sparkline([]) == ""
    long = sparkline(list(np.linspace(5, 1, 500)))
    assert len(long) == 24
    assert list(long) == sorted(long, reverse=True)

"""`raymtl rerun`: the same numbers in one process, and what differs when they are not."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

from raymtl.durable import file_digest, open_sealed, seal
from raymtl.results.records import RECORD, WEIGHTS
from raymtl.results.runs.same import differences
from tests.corpora import tree
from tests.records.test_show import run_of


def test_a_run_comes_out_equal_from_an_emptied_store(
    call: Callable[..., Result], root: Path, sweep: Path
) -> None:
    """Features and fits are made anew; the sweep itself is not touched."""
    for name in ("features", "fits", "inspected.parquet"):
        path = root / "store" / name
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    before, run = tree(sweep), run_of(sweep)
    result = call("rerun", run, "--into", root / "again")
    assert result.exit_code == 0, result.output
    assert "equal: all " in result.output
    assert tree(sweep) == before
    again = root / "again" / "runs" / run
    assert file_digest(again / WEIGHTS) == file_digest(sweep / "runs" / run / WEIGHTS)
    assert differences(sweep / "runs" / run, again) == []


def test_a_record_that_says_otherwise_is_named(call: Callable[..., Result], sweep: Path) -> None:
    run = run_of(sweep, "fsdd.speaker--")
    path = sweep / "runs" / run / RECORD
    content = open_sealed(path)
    test = next(score for score in content["scores"] if score["part"] == "test")
    test["scalars"]["uar"] += 0.25
    path.write_bytes(seal(content))
    result = call("rerun", run)
    assert result.exit_code == 1
    said = r"different: 1 of .* The first is test / fsdd.speaker / speaker / uar"
    assert re.search(said, result.output), result.output


def test_a_run_without_a_record_is_trained(call: Callable[..., Result], sweep: Path) -> None:
    run = run_of(sweep, "fsdd.speaker--")
    shutil.rmtree(sweep / "runs" / run)
    result = call("rerun", run)
    assert result.exit_code == 0
    assert "no record to hold it against" in " ".join(result.output.split())


def test_a_study_that_moved_and_was_edited_is_taken_from_the_copy(
    call: Callable[..., Result], root: Path, sweep: Path
) -> None:
    (root / "mine.py").unlink()
    (root / "mine.py").write_text("raise ValueError('edited')")
    run = run_of(sweep, "fsdd.speaker--")
    assert call("rerun", run).exit_code == 0
    refused = call("rerun", run, "--study", root / "mine.py")
    assert refused.exit_code == 2
    assert "edited" in refused.output


def test_other_data_is_said_and_not_trained_on(
    call: Callable[..., Result], root: Path, sweep: Path
) -> None:
    shutil.copytree(root / "data" / "fsdd", root / "other" / "fsdd")
    victim = sorted((root / "other" / "fsdd" / "recordings").glob("*.wav"))[0]
    victim.write_bytes(victim.read_bytes()[:-2])
    result = call("rerun", run_of(sweep, "fsdd.speaker--"), "--data", root / "other")
    assert result.exit_code == 2
    assert "plans no such run" in result.output
    assert "fsdd.speaker: other clips or recordings than then" in result.output
    assert not list(sweep.glob("scratch/*"))


def test_data_that_is_gone(call: Callable[..., Result], sweep: Path) -> None:
    environment = json.loads((sweep / "environment.json").read_text())
    environment["data"] = "/nowhere"
    (sweep / "environment.json").write_text(json.dumps(environment))
    result = call("rerun", run_of(sweep))
    assert result.exit_code == 2
    assert "/nowhere: the data is no longer there" in result.output


def test_what_a_run_raises_reaches_the_caller(
    call: Callable[..., Result], sweep: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise a debugger would have nothing to stop at."""

    def fail(*words: object, **options: object) -> None:
        raise ZeroDivisionError("inside the run")

    monkeypatch.setattr("raymtl.training.run.train", fail)
    result = call("rerun", run_of(sweep))
    assert isinstance(result.exception, ZeroDivisionError)
    stopped = []
    monkeypatch.setattr("pdb.post_mortem", stopped.append)
    assert call("rerun", run_of(sweep), "--pdb").exit_code == 1
    assert stopped[0].tb_frame is not None

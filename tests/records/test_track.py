"""Finished runs in trackers, read back through their own libraries; without those, what is said."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

from raymtl.results.records import read_record
from raymtl.results.tracking.tracked import tracked
from tests.records.test_show import run_of


@pytest.fixture
def mlflow(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    monkeypatch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
    return pytest.importorskip("mlflow", reason="the extra mlflow is not installed")


@pytest.fixture
def wandb() -> Any:
    return pytest.importorskip("wandb", reason="the extra wandb is not installed")


def test_a_run_as_trackers_know_it(sweep: Path) -> None:
    found = {run.run: run for run in tracked(sweep)}
    run = run_of(sweep)
    content = read_record(sweep / "runs" / run).content
    one = found[run]
    assert (one.name, one.digest, one.sweep) == ("digit+speaker/f1", content["digest"], "digits")
    score = next(s for s in content["scores"] if (s["part"], s["task"]) == ("test", "speaker"))
    assert one.final["test/fsdd.speaker/speaker/uar"] == score["scalars"]["uar"]
    assert one.final["test/fsdd.speaker/speaker/f1/macro"] == score["scalars"]["f1/macro"]
    assert [epoch for epoch, name in one.curves if name == "train/digit/loss"] == [1, 2]
    assert all(re.fullmatch(r"[A-Za-z0-9_./ -]+", name) for _, name in one.curves)


@pytest.mark.filterwarnings("default")  # of libraries that are not ours to mend
def test_mlflow_has_each_run_once(
    call: Callable[..., Result], root: Path, sweep: Path, mlflow: Any
) -> None:
    uri = (root / "mlruns").as_uri()
    words = ("track", sweep, "--to", "mlflow", "--uri", uri)
    assert "3 runs written" in (first := call(*words)).output, first.output + str(first.exception)
    assert "0 runs written" in call(*words).output
    client = mlflow.MlflowClient(tracking_uri=uri)
    experiment = client.get_experiment_by_name("digits").experiment_id
    found = {run.data.tags["raymtl.run"]: run for run in client.search_runs([experiment])}
    assert len(found) == 3
    for one in tracked(sweep):
        data = found[one.run].data
        for name, value in one.final.items():
            assert data.metrics[name] == value
        assert data.params["combination"] == one.parameters["combination"]
        history = client.get_metric_history(found[one.run].info.run_id, "train/rate")
        assert [(m.step, m.value) for m in history] == [(1, 0.002), (2, 0.002)]


@pytest.mark.filterwarnings("default")
def test_a_half_written_run_of_mlflow_is_written_again(
    call: Callable[..., Result], root: Path, sweep: Path, mlflow: Any
) -> None:
    uri = (root / "mlruns").as_uri()
    words = ("track", sweep, "--to", "mlflow", "--uri", uri)
    call(*words)
    client = mlflow.MlflowClient(tracking_uri=uri)
    experiment = client.get_experiment_by_name("digits").experiment_id
    client.delete_tag(client.search_runs([experiment])[0].info.run_id, "raymtl.whole")
    assert "1 run written" in call(*words).output
    assert len(client.search_runs([experiment])) == 3


@pytest.mark.filterwarnings("default")
def test_wandb_has_each_run_once(
    call: Callable[..., Result], sweep: Path, wandb: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WANDB_ERROR_REPORTING", "false")
    words = ("track", sweep, "--to", "wandb", "--offline")
    assert "3 runs written" in (first := call(*words)).output, first.output + str(first.exception)
    assert "0 runs written" in call(*words).output
    files = sorted((sweep / "tracked" / "wandb").glob("offline-run-*/run-*.wandb"))
    assert {path.stem[4:] for path in files} == {run.digest[:32] for run in tracked(sweep)}
    for path in files:
        assert b"test/fsdd." in path.read_bytes()


@pytest.mark.parametrize("name", ["mlflow", "wandb"])
def test_without_the_library_the_extra_is_named(
    call: Callable[..., Result], sweep: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setitem(sys.modules, name, None)
    result = call("track", sweep, "--to", name, "--uri", "http://localhost:1")
    assert result.exit_code == 2
    assert f'pip install "raymtl[{name}]"' in result.output

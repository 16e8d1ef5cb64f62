"""Kept epochs by command: added by rerun, told by show, removed by prune."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from click.testing import Result

from raymtl.kept import kept_epochs
from raymtl.results.records import read_record, verify


def test_added_by_rerun_shown_and_pruned(
    call: Callable[..., Result], root: Path, sweep: Path
) -> None:
    run = sorted((sweep / "runs").iterdir())[0]
    before = read_record(run).content
    assert kept_epochs(before) == [before["best_epoch"]]
    result = call("rerun", run, "--keep", "all")
    assert result.exit_code == 0, result.output
    assert "Added epochs" in result.output
    whole = list(range(1, before["epochs"] + 1))
    assert kept_epochs(read_record(run).content) == whole
    assert verify(run) == []
    shown = call("show", run.name)
    assert f"kept epochs 1-{whole[-1]}" in " ".join(shown.output.split())
    listed = call("prune")
    assert "Epochs besides the best are kept of 1 run:" in listed.output
    assert (run / "epochs").is_dir()
    assert call("prune", "--epochs", "other/*", "--yes").exit_code == 0
    assert (run / "epochs").is_dir()
    assert call("prune", "--epochs", "digits/*", "--yes").exit_code == 0
    assert read_record(run).content == before
    assert not (run / "epochs").exists()


def test_numbers_that_no_run_has(call: Callable[..., Result], root: Path, sweep: Path) -> None:
    run = sorted((sweep / "runs").iterdir())[0]
    for words in (("rerun", run), ("plan", root / "mine.py", "--data", root / "data")):
        result = call(*words, "--keep", "99")
        assert result.exit_code == 2, result.output
        assert "epoch 99, but no run" in " ".join(result.output.split())


def test_a_plan_says_what_they_take(call: Callable[..., Result], root: Path) -> None:
    words = ("plan", root / "mine.py", "--data", root / "data", "--keep", "all")
    result = call(*words, "--store", root / "empty")
    assert result.exit_code == 0, result.output
    assert "kept epochs: at most" in result.output
    lacking = call(*words)
    assert "3 finished runs without epochs that --keep asks for" in lacking.output
    assert "raymtl rerun digits/" in lacking.output

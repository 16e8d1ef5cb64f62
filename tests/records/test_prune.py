"""`raymtl prune`: what is not needed goes, and nothing else, whoever is at work."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

from raymtl.engine.attempts import hold
from raymtl.engine.sweep import locked
from raymtl.results.runs.leftovers import Leftover, remove
from tests.corpora import tree
from tests.records.test_show import run_of

UNUSED = "0" * 64


def litter(root: Path, sweep: Path) -> list[Path]:
    """Puts there what may go; returns it."""
    store = root / "store"
    shutil.copytree(next((store / "features").glob("[0-9a-f]*")), store / "features" / UNUSED)
    used = next(p for p in (store / "features").iterdir() if p.name not in (UNUSED, ".locks"))
    parts = [
        store / "fits" / f"{UNUSED}.json",
        used / "damaged-1-part-x.arrow",
        sweep / "unfinished" / "old.f1.s0-0123" / "checkpoint" / "state.safetensors",
        sweep / "damaged" / "old.f1.s0-0123" / "record.json",
        sweep / "scratch" / "tune" / "trial.json",
    ]
    for path in parts:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x" * 1000)
    return [
        store / "features" / UNUSED,
        parts[0],
        parts[1],
        parts[2].parents[1],
        parts[3].parent,
        parts[4].parent,
    ]


def test_a_dry_run_lists_and_removes_nothing(
    call: Callable[..., Result], root: Path, sweep: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = litter(root, sweep)
    monkeypatch.setenv("COLUMNS", "250")  # names on one line
    (sweep / "sweep.lock").touch()
    before = {path: content for path, (_, content) in tree(root / "store").items()}
    result = call("prune")
    assert result.exit_code == 0, result.output
    for path in gone:
        assert str(path.relative_to(root / "store")) in result.output
    assert "Nothing has been removed" in result.output
    assert f"raymtl prune --store {root / 'store'} --yes" in result.output
    assert {path: content for path, (_, content) in tree(root / "store").items()} == before


def test_what_is_needed_stays(call: Callable[..., Result], root: Path, sweep: Path) -> None:
    before = set(tree(root / "store"))
    gone = litter(root, sweep)
    result = call("prune", "--yes")
    assert result.exit_code == 0
    assert "Removed 6 of 6" in result.output
    assert not any(path.exists() for path in gone)
    left = set(tree(root / "store"))
    assert before <= left
    assert call("rerun", run_of(sweep)).exit_code == 0
    assert call("prune").output == "Nothing to remove.\n"


def test_a_sweep_at_work_keeps_everything(
    call: Callable[..., Result], root: Path, sweep: Path
) -> None:
    gone = litter(root, sweep)
    before = {path: tree(path.parent) for path in gone}
    with locked(sweep):
        result = call("prune", "--yes")
    assert "digits is at work" in result.output
    assert {path: set(tree(path.parent)) for path in gone} == {p: set(t) for p, t in before.items()}


def test_lanes_that_outlive_their_driver_are_at_work(
    call: Callable[..., Result], root: Path, sweep: Path
) -> None:
    gone = litter(root, sweep)
    with hold(sweep / "scratch"):
        assert "digits is at work" in call("prune", "--yes").output
        assert all(path.exists() for path in gone)
    call("prune", "--yes")
    assert not any(path.exists() for path in gone)


def test_a_lease_of_another_process_keeps_a_feature_set(root: Path, sweep: Path) -> None:
    folder = litter(root, sweep)[0]
    code = (
        "import sys; from pathlib import Path\n"
        "from raymtl.extraction.store import FeatureStore\n"
        f"with FeatureStore(Path({str(folder.parent)!r})).lease({UNUSED!r}) as held:\n"
        "    print(held, flush=True); sys.stdin.read()\n"
    )
    part = Leftover("features", folder, 1, "")
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen([sys.executable, "-c", code], text=True, **pipes) as holder:
        assert holder.stdout.readline() == "True\n"
        assert not remove(root / "store", part)
        assert folder.is_dir()
        holder.stdin.close()
        holder.wait()
    assert remove(root / "store", part)
    assert not folder.exists()


def test_an_unfinished_sweep_keeps_what_it_will_need(
    call: Callable[..., Result], root: Path, sweep: Path
) -> None:
    """No record names the features any more, and half-trained runs are to be gone on with."""
    gone = litter(root, sweep)
    for run in sorted(p.name for p in (sweep / "runs").iterdir()):
        (sweep / "ledger" / f"{run}.json").unlink()
        shutil.rmtree(sweep / "runs" / run)
    features = sorted(p.name for p in (root / "store" / "features").iterdir())
    call("prune", "--yes")
    kept = sorted(p.name for p in (root / "store" / "features").iterdir() if p.name != ".locks")
    assert kept == [name for name in features if name not in (UNUSED, ".locks")]
    assert len(list((root / "store" / "fits").glob("*.json"))) == 1
    assert gone[3].is_dir()


def test_sweeps_that_do_not_say_what_they_need_keep_all(
    call: Callable[..., Result], root: Path, sweep: Path
) -> None:
    gone = litter(root, sweep)
    plan = json.loads((sweep / "plan.json").read_text())
    del plan["features"]
    (sweep / "plan.json").write_text(json.dumps(plan))
    shutil.rmtree(sweep / "runs" / run_of(sweep))
    (sweep / "ledger" / f"{plan['runs'][0]['run']}.json").unlink()
    result = call("prune", "--yes")
    assert "does not say what it needs" in " ".join(result.output.split())
    assert gone[0].is_dir()
    assert gone[1].is_file()


def test_a_damaged_record_keeps_all(call: Callable[..., Result], root: Path, sweep: Path) -> None:
    gone = litter(root, sweep)
    (sweep / "runs" / run_of(sweep) / "record.json").write_text("{}")
    assert "is damaged" in " ".join(call("prune", "--yes").output.split())
    assert gone[0].is_dir()


@pytest.mark.parametrize("alive", [True, False])
def test_files_aside_go_when_their_writer_is_gone(
    call: Callable[..., Result], root: Path, sweep: Path, alive: bool
) -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    pid = os.getpid() if alive else ended.pid
    folder = next(p for p in (root / "store" / "features").iterdir() if p.name != ".locks")
    path = folder / f".part-x.{socket.gethostname()}.{pid}.aside"
    path.write_bytes(b"half")
    call("prune", "--yes")
    assert path.exists() is alive

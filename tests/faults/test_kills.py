"""Kill -9 of a lane, an extraction worker, the driver: the same command ends in the same records.

Each sweep is a process of its own; fault points (`raymtl.faults`) choose the moment.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from raymtl.engine.interrupt import descendants
from raymtl.results.records import read_record
from readers.fsdd import Fsdd
from tests.faults.command import LONG, Sweep, check, same, wait_for

pytestmark = [pytest.mark.ray, pytest.mark.faults]

RUNS = 3


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("data")
    Fsdd.miniature(root / Fsdd.folder, 0)
    return root


@pytest.fixture(scope="module")
def undisturbed(data: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """Records of a sweep that nothing happens to."""
    sweep = Sweep(tmp_path_factory.mktemp("undisturbed"), data)
    code, output = sweep.run()
    assert code == 0, output
    records = sweep.records()
    assert len(records) == RUNS
    return records


@pytest.mark.parametrize(
    "moment", ["run:before-training", "run:after-epoch:3", "record:before-record"]
)
def test_a_lane_that_is_killed_is_replaced(
    moment: str, data: Path, undisturbed: dict[str, dict[str, Any]], tmp_path: Path
) -> None:
    sweep = Sweep(tmp_path, data)
    code, output = sweep.run(moment, once=True)
    assert (tmp_path / "died").exists()
    assert code == 0, output
    check(sweep, undisturbed)


@pytest.mark.parametrize("moment", ["engine:extract:1", "shard:before-rename", "shard:finished:2"])
def test_an_extraction_worker_that_is_killed_is_replaced(
    moment: str, data: Path, undisturbed: dict[str, dict[str, Any]], tmp_path: Path
) -> None:
    sweep = Sweep(tmp_path, data)
    code, output = sweep.run(moment, once=True)
    assert (tmp_path / "died").exists()
    assert code == 0, output
    check(sweep, undisturbed)


def test_a_recording_that_kills_each_worker_is_skipped_and_the_sweep_goes_on(
    data: Path, tmp_path: Path
) -> None:
    clip = Fsdd().read(data / Fsdd.folder).ids[1]
    sweep = Sweep(tmp_path, data, bad_files="skip", lanes=1)
    code, output = sweep.run(f"engine:extract:{clip}")
    assert code == 0, output
    assert f"{Path(clip).name}.wav: killed its process" in output
    assert len(sweep.records()) == RUNS
    for run in (sweep.folder / "runs").iterdir():
        skipped = [source["skipped"] for source in read_record(run).content["sources"].values()]
        assert set(skipped) == {1}


@pytest.mark.parametrize(
    "moment", ["engine:before-commit", "commit:before-manifest", "engine:ended:2"]
)
def test_after_the_driver_is_killed_the_same_command_does_the_rest(
    moment: str, data: Path, undisturbed: dict[str, dict[str, Any]], tmp_path: Path
) -> None:
    sweep = Sweep(tmp_path, data)
    code, output = sweep.run(moment)
    assert code == -signal.SIGKILL, output
    code, output = sweep.run()
    assert code == 0, output
    check(sweep, undisturbed)


def _ctrl_c(pid: int) -> None:
    os.killpg(pid, signal.SIGINT)  # as a terminal does: the whole group gets it


def _timeout(pid: int) -> None:
    """As timeout(1), systemd and Kubernetes do, the first of them twice in a row."""
    os.kill(pid, signal.SIGTERM)
    os.kill(pid, signal.SIGTERM)


@pytest.mark.parametrize("interrupt", [_ctrl_c, _timeout])
def test_an_interrupt_saves_and_the_same_command_goes_on(
    interrupt: Callable[[int], None],
    data: Path,
    undisturbed: dict[str, dict[str, Any]],
    tmp_path: Path,
) -> None:
    sweep = Sweep(tmp_path, data)
    process = sweep.start(slower=0.5, start_new_session=True)
    wait_for(
        lambda: sweep.notes.exists() and len(sweep.notes.read_text().splitlines()) >= 3, process
    )
    interrupt(process.pid)
    output, _ = process.communicate(timeout=LONG)
    assert process.returncode == 130, output
    assert len(sweep.epochs()) < RUNS or len(sweep.notes.read_text().splitlines()) < RUNS * 5
    code, output = sweep.run()
    assert code == 0, output
    same(sweep.records(), undisturbed)
    for epochs in sweep.epochs().values():  # the checkpoint was saved: no epoch is done twice
        assert sorted(epoch for epoch, _, _ in epochs) == [1, 2, 3, 4, 5]


def test_ctrl_c_twice_leaves_at_once_and_leaves_no_process(data: Path, tmp_path: Path) -> None:
    sweep = Sweep(tmp_path, data)
    process = sweep.start(slower=600.0, start_new_session=True)
    wait_for(sweep.notes.exists, process)
    below = descendants(process.pid)
    assert below
    os.kill(process.pid, signal.SIGINT)
    time.sleep(1.0)
    assert process.poll() is None  # the lanes are busy: the first asks, and waits for them
    os.kill(process.pid, signal.SIGINT)
    process.communicate(timeout=LONG)
    assert process.returncode == 130
    end = time.monotonic() + LONG
    while any(_lives(pid) for pid in below) and time.monotonic() < end:
        time.sleep(0.1)
    assert [pid for pid in below if _lives(pid)] == []


def _lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_the_same_sweep_twice_at_once_is_refused(data: Path, tmp_path: Path) -> None:
    sweep = Sweep(tmp_path, data)
    first = sweep.start(slower=600.0, start_new_session=True)
    try:
        wait_for(lambda: (sweep.folder / "scratch" / "attempts").is_dir(), first)
        code, output = sweep.run()
        assert code == 2
        assert "being carried out by another process" in output
    finally:
        for _ in range(2):
            os.kill(first.pid, signal.SIGTERM)
            time.sleep(0.5)
        first.communicate(timeout=LONG)

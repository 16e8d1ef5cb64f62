"""What a worker group is in the middle of when it, or the driver, is stopped or killed.

One group of two workers trains two runs; each sweep is a process of its own.
"""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import pytest

from readers.fsdd import Fsdd
from tests.faults.command import LONG, Sweep, check, same, wait_for

pytestmark = [pytest.mark.ray, pytest.mark.faults]

STUDY = Path(__file__).with_name("study_together.py")
RUNS, EPOCHS = 2, 5


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("data")
    Fsdd.miniature(root / Fsdd.folder, 0)
    return root


def _sweep(folder: Path, data: Path) -> Sweep:
    return Sweep(folder, data, STUDY, workers=2)


@pytest.fixture(scope="module")
def undisturbed(data: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """Records of a group that nothing happens to."""
    sweep = _sweep(tmp_path_factory.mktemp("undisturbed"), data)
    code, output = sweep.run()
    assert code == 0, output
    records = sweep.records()
    assert len(records) == RUNS
    assert len({process for run in sweep.epochs().values() for _, process, _ in run}) == 1
    return records


def _lines(sweep: Sweep) -> int:
    return len(sweep.notes.read_text().splitlines()) if sweep.notes.exists() else 0


def test_ctrl_c_stops_a_group_and_the_same_command_goes_on(
    data: Path, undisturbed: dict[str, dict[str, Any]], tmp_path: Path
) -> None:
    sweep = _sweep(tmp_path, data)
    process = sweep.start(slower=1.0, start_new_session=True)
    wait_for(lambda: _lines(sweep) >= 2, process)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does: the whole group gets it
    output, _ = process.communicate(timeout=120)
    assert process.returncode == 130, output
    assert "Interrupted. This goes on: raymtl" in output
    assert _lines(sweep) < EPOCHS
    code, output = sweep.run()
    assert code == 0, output
    same(sweep.records(), undisturbed)
    for epochs in sweep.epochs().values():  # the checkpoint was saved: no epoch is done twice
        assert sorted(epoch for epoch, _, _ in epochs) == [*range(1, EPOCHS + 1)]


def test_a_group_outlives_its_worker_and_the_sweep_its_driver(
    data: Path, undisturbed: dict[str, dict[str, Any]], tmp_path: Path
) -> None:
    sweep = _sweep(tmp_path, data)
    process = sweep.start("run:after-epoch:2", once=True, slower=1.0)
    wait_for(lambda: len(sweep.epochs() if _lines(sweep) else ()) == 2, process)  # the second run
    assert (tmp_path / "died").exists()
    process.kill()
    process.communicate(timeout=LONG)
    first, second = sweep.epochs().values()
    assert len({worker for _, worker, _ in first}) == 2  # it went on in another process
    assert len(second) < EPOCHS
    code, output = sweep.run()
    assert code == 0, output
    check(sweep, undisturbed)

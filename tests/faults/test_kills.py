"""Kill -9 of a lane, an extraction worker, the driver: the same command ends in the same records.

Each sweep is a process of its own; fault points (`raymtl.faults`) choose the moment.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections import defaultdict
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from raymtl.engine.interrupt import descendants
from raymtl.results.ledger import Ledger
from raymtl.results.records import METRICS, PREDICTIONS, read_record, verify
from readers.fsdd import Fsdd

pytestmark = [pytest.mark.ray, pytest.mark.faults]

REPOSITORY = Path(__file__).parents[2]
STUDY = Path(__file__).with_name("study.py")
RUNS = 3


class Sweep:
    """A store and the command that works on it."""

    def __init__(self, folder: Path, data: Path) -> None:
        self.store, self.notes, self._data = folder / "store", folder / "notes", data
        self.folder = self.store / "sweeps" / "fragile"

    def start(
        self, fault: str = "", once: bool = False, slower: float = 0.0, **more: Any
    ) -> subprocess.Popen[str]:
        self.store.mkdir(exist_ok=True, parents=True)
        settings = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(REPOSITORY)}
        if fault:
            settings["RAYMTL_FAULT"] = fault
        if once:
            settings["RAYMTL_FAULT_MARK"] = str(self.store.parent / "died")
        command = [
            sys.executable,
            "-m",
            "tests.faults.drive",
            str(STUDY),
            str(self._data),
            str(self.store),
            str(self.notes),
            str(slower),
        ]
        return subprocess.Popen(
            command,
            cwd=REPOSITORY,
            env=settings,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            **more,
        )

    def run(self, fault: str = "", once: bool = False) -> tuple[int, str]:
        """Exit code and output."""
        process = self.start(fault, once)
        output, _ = process.communicate(timeout=240)
        return process.returncode, output

    def records(self) -> dict[str, dict[str, Any]]:
        """What must not depend on when anything was killed; every byte is verified."""
        found = {}
        for folder in sorted((self.folder / "runs").iterdir()):
            assert verify(folder) == []
            content = read_record(folder).content
            files = content["files"]
            found[folder.name] = {
                **{
                    key: content[key]
                    for key in (
                        "digest",
                        "scores",
                        "epochs",
                        "best_epoch",
                        "steps",
                        "sources",
                        "parameters",
                    )
                },
                "bytes": [
                    files[name]["sha256"]
                    for name in (METRICS, PREDICTIONS, "checkpoint/weights.safetensors")
                ],
            }
        return found

    def epochs(self) -> dict[str, list[tuple[int, int, list[str]]]]:
        """(epoch, process, checkpoints on disk when it ended) of each run, as they were trained."""
        found = defaultdict(list)
        for line in self.notes.read_text().splitlines():
            run, epoch, process, kept = json.loads(line)
            found[run].append((epoch, process, kept))
        return found


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


def _same(found: dict[str, dict[str, Any]], expected: dict[str, dict[str, Any]]) -> None:
    """Equal records, bit for bit; says which part of which run differs."""
    assert set(found) == set(expected)
    for run, parts in expected.items():
        for name, part in parts.items():
            assert found[run][name] == part, f"{run}: {name}"


def _check(sweep: Sweep, expected: dict[str, dict[str, Any]]) -> None:
    """The same records, each run once in the ledger, no epoch before a checkpoint done twice."""
    _same(sweep.records(), expected)
    entries = Ledger(sweep.folder / "ledger").read()
    assert set(entries) == set(expected)
    assert all(entry.done for entry in entries.values())
    for run, epochs in sweep.epochs().items():
        numbers = [epoch for epoch, _, _ in epochs]
        assert set(numbers) == set(range(1, expected[run]["epochs"] + 1))
        for (before, _, _), (epoch, _, kept) in pairwise(epochs):
            if epoch <= before:  # another process went on, from what the first had saved
                assert epoch == before  # the epoch whose checkpoint was not yet written
                assert kept


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
    _check(sweep, undisturbed)


@pytest.mark.parametrize("moment", ["engine:extract:1", "shard:before-rename", "shard:finished:2"])
def test_an_extraction_worker_that_is_killed_is_replaced(
    moment: str, data: Path, undisturbed: dict[str, dict[str, Any]], tmp_path: Path
) -> None:
    sweep = Sweep(tmp_path, data)
    code, output = sweep.run(moment, once=True)
    assert (tmp_path / "died").exists()
    assert code == 0, output
    _check(sweep, undisturbed)


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
    _check(sweep, undisturbed)


def _wait_for(what: Any, process: subprocess.Popen[str], seconds: float = 120.0) -> None:
    end = time.monotonic() + seconds
    while not what() and process.poll() is None and time.monotonic() < end:
        time.sleep(0.05)
    assert what(), process.communicate(timeout=20)[0] if process.poll() is not None else "too slow"


def test_ctrl_c_once_saves_and_the_same_command_goes_on(
    data: Path, undisturbed: dict[str, dict[str, Any]], tmp_path: Path
) -> None:
    sweep = Sweep(tmp_path, data)
    process = sweep.start(slower=0.5, start_new_session=True)
    _wait_for(
        lambda: sweep.notes.exists() and len(sweep.notes.read_text().splitlines()) >= 3, process
    )
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does: the whole group gets it
    output, _ = process.communicate(timeout=120)
    assert process.returncode == 130, output
    assert len(sweep.epochs()) < RUNS or len(sweep.notes.read_text().splitlines()) < RUNS * 5
    code, output = sweep.run()
    assert code == 0, output
    _same(sweep.records(), undisturbed)
    for epochs in sweep.epochs().values():  # the checkpoint was saved: no epoch is done twice
        assert sorted(epoch for epoch, _, _ in epochs) == [1, 2, 3, 4, 5]


def test_ctrl_c_twice_leaves_at_once_and_leaves_no_process(data: Path, tmp_path: Path) -> None:
    sweep = Sweep(tmp_path, data)
    process = sweep.start(slower=60.0, start_new_session=True)
    _wait_for(sweep.notes.exists, process)
    below = descendants(process.pid)
    assert below
    os.kill(process.pid, signal.SIGINT)
    time.sleep(1.0)
    assert process.poll() is None  # the lanes are busy: the first asks, and waits for them
    os.kill(process.pid, signal.SIGINT)
    process.communicate(timeout=30)
    assert process.returncode == 130
    end = time.monotonic() + 20
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
    first = sweep.start(slower=60.0, start_new_session=True)
    try:
        _wait_for(lambda: (sweep.folder / "scratch" / "attempts").is_dir(), first)
        code, output = sweep.run()
        assert code == 2
        assert "being carried out by another process" in output
    finally:
        for _ in range(2):
            os.kill(first.pid, signal.SIGTERM)
            time.sleep(0.5)
        first.communicate(timeout=60)

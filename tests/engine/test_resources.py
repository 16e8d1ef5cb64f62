"""Feasibility: what fits, what does not, said before anything starts."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from raymtl.engine.cluster import preflight, private_folder
from raymtl.engine.interrupt import descendants
from raymtl.engine.options import SweepOptions
from raymtl.engine.resources import Node, share, this_machine
from raymtl.errors import PreflightError


@pytest.mark.parametrize(
    ("options", "nodes", "lanes"),
    [
        (SweepOptions(), [Node(2, 0)], 2),
        (SweepOptions(), [Node(4, 0), Node(3, 0)], 7),
        (SweepOptions(lanes=1), [Node(2, 0)], 1),
        (SweepOptions(workers=2), [Node(2, 0)], 1),  # exactly every CPU
        (SweepOptions(workers=2), [Node(5, 0)], 2),
        (SweepOptions(gpus_per_cell=0.25), [Node(16, 2)], 8),
        (SweepOptions(gpus_per_cell=0.3), [Node(16, 1)], 3),  # three shares of 0.3 fit on a GPU
        (SweepOptions(gpus_per_cell=0.25), [Node(3, 2)], 3),  # the CPUs are the limit
        (SweepOptions(gpus_per_cell=1), [Node(8, 1), Node(8, 1), Node(8, 0)], 2),
        (SweepOptions(gpus_per_cell=2, workers=2), [Node(8, 4)], 2),
    ],
)
def test_lanes_follow_the_limiting_resource(
    options: SweepOptions, nodes: list[Node], lanes: int
) -> None:
    assert share(options, nodes).lanes == lanes


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (SweepOptions(gpus_per_cell=1), "there are 0 GPUs"),
        (SweepOptions(workers=3), "needs 3 CPUs, there are 2"),
        (SweepOptions(lanes=3), "enough for 2"),
    ],
)
def test_what_is_not_there_is_refused(options: SweepOptions, message: str) -> None:
    with pytest.raises(PreflightError, match=message):
        share(options, [Node(2, 0)])


def test_a_share_of_a_gpu_cannot_be_split_among_workers() -> None:
    with pytest.raises(PreflightError, match=r"0\.5 GPUs a worker"):
        share(SweepOptions(gpus_per_cell=1, workers=2), [Node(8, 2)])


def test_a_gpu_worker_must_fit_on_one_machine() -> None:
    with pytest.raises(PreflightError, match="no machine can hold"):
        share(SweepOptions(gpus_per_cell=2), [Node(8, 1), Node(8, 1)])


def test_a_trial_of_a_worker_group_holds_no_cpu() -> None:
    held = share(SweepOptions(workers=2), [Node(2, 0)])
    assert "CPU" not in held.trial
    assert held.worker == {"CPU": 1}


def test_preflight_refuses_more_gpus_than_there_are_without_ray() -> None:
    there = this_machine().gpus
    with pytest.raises(PreflightError, match="--gpus-per-cell"):
        preflight(SweepOptions(gpus_per_cell=there + 1))


def test_the_private_folder_is_short_closed_and_pruned(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("tempfile.tempdir", "/tmp")
    folder = private_folder()
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    left = folder.parent / str(gone.pid)
    (left / "session_x").mkdir(parents=True)
    assert private_folder() == folder
    assert not left.exists()
    assert folder.parent.stat().st_mode & 0o777 == 0o700
    session = "session_2026-12-31_23-59-59_999999_4194304/sockets/plasma_store"
    assert len(str(folder / session)) < 107  # longest name of a unix socket


def test_a_folder_of_somebody_elses_is_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("raymtl.engine.cluster._LONGEST_ROOT", 10_000)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / f"raymtl-{os.getuid()}").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(PreflightError, match="expected a folder of yours"):
        private_folder()


def test_descendants_are_found_to_the_last() -> None:
    inner = "import subprocess, sys, time; subprocess.Popen(['sleep', '60']); time.sleep(60)"
    child = subprocess.Popen([sys.executable, "-c", inner])
    try:
        end = time.monotonic() + 240
        while len(descendants(child.pid)) < 1 and time.monotonic() < end:
            time.sleep(0.05)
        below = descendants(child.pid)
        assert len(below) == 1
        assert {child.pid, *below} <= set(descendants(os.getpid()))
        assert descendants(os.getpid()).index(child.pid) < descendants(os.getpid()).index(below[0])
    finally:
        for pid in (*descendants(child.pid), child.pid):
            os.kill(pid, signal.SIGKILL)
        child.wait()

"""The Makefile's promises that can be seen without installing anything."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
pytestmark = pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")


def make(folder: Path, *arguments: str, **env: str) -> subprocess.CompletedProcess[str]:
    # without the variables by which a make that runs these tests would reach into this one
    clean = {k: v for k, v in os.environ.items() if k not in ("MAKEFLAGS", "MFLAGS", "MAKELEVEL")}
    return subprocess.run(
        ["make", "-C", str(folder), *arguments],
        capture_output=True,
        text=True,
        env=clean | env,
    )


@pytest.fixture
def fresh(tmp_path: Path) -> Path:
    """What a clone holds before anything is installed."""
    for name in ("Makefile", "pyproject.toml", "constraints.txt"):
        shutil.copy(ROOT / name, tmp_path)
    return tmp_path


def test_sweep_runs_the_study_it_is_given(fresh: Path) -> None:
    shown = make(fresh, "-n", "sweep").stdout
    assert shown.splitlines()[-2].startswith('.venv/bin/raymtl sweep "experiments/variation.py"')
    assert "--data" not in shown
    shown = make(fresh, "-n", "sweep", "STUDY=my study.py", "DATA=/my data").stdout
    assert '.venv/bin/raymtl sweep "my study.py" --data "/my data"' in shown


def test_tests_are_lint_types_and_pytest(fresh: Path) -> None:
    lines = [line for line in make(fresh, "-n", "test").stdout.splitlines() if ".venv" in line]
    tools = ["ruff check .", "ruff format --check .", "mypy", "python -m pytest"]
    assert lines[-4:] == [f".venv/bin/{tool}" for tool in tools]
    run = (ROOT / ".ci" / "run").read_text()
    assert "set -euo pipefail" in run
    assert "make test" in run
    assert os.access(ROOT / ".ci" / "run", os.X_OK)


def test_installing_keeps_to_the_pins(fresh: Path) -> None:
    shown = make(fresh, "-n", "env").stdout
    assert "-c constraints.txt" in shown
    assert "[dev]" in shown


def test_an_environment_is_made_once_and_again_when_pins_change(fresh: Path) -> None:
    (fresh / ".venv" / "bin").mkdir(parents=True)
    (fresh / ".venv" / "bin" / "python").touch()
    for stamp in (".run", ".dev"):
        (fresh / ".venv" / stamp).touch()
    assert "pip install" not in make(fresh, "-n", "sweep", "test").stdout
    os.utime(fresh / "constraints.txt", (2**31, 2**31))
    assert "pip install" in make(fresh, "-n", "sweep").stdout


def test_an_old_python_is_refused_in_words(fresh: Path) -> None:
    old = fresh / "python2.7"
    old.write_text("#!/bin/sh\nexit 1\n")
    old.chmod(0o755)
    done = make(fresh, "env", f"PYTHON={old}")
    assert done.returncode != 0
    assert "raymtl needs Python 3.11 or later; found: " in done.stderr
    assert not (fresh / ".venv").exists()
    empty = fresh / "empty"
    empty.mkdir()
    for tool in ("make", "sh", "echo"):
        (empty / tool).symlink_to(shutil.which(tool) or tool)
    assert "found: none" in make(fresh, "env", PATH=str(empty)).stderr


def test_the_first_python_that_is_new_enough_is_taken(fresh: Path) -> None:
    tools = fresh / "tools"
    tools.mkdir()
    for tool in ("make", "sh", "echo"):
        (tools / tool).symlink_to(shutil.which(tool) or tool)
    (tools / "python3.11").write_text("#!/bin/sh\nexit 1\n")  # there, but broken
    (tools / "python3.11").chmod(0o755)
    (tools / "python3").symlink_to(sys.executable)
    shown = make(fresh, "-n", "env", PATH=str(tools)).stdout
    assert '"python3" -m venv .venv' in shown

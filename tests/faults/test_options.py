"""--fail-fast and --address, each in a process of its own."""

from __future__ import annotations

import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from raymtl.engine.interrupt import descendants
from raymtl.results.ledger import Ledger
from readers.fsdd import Fsdd

pytestmark = [pytest.mark.ray, pytest.mark.faults]

REPOSITORY = Path(__file__).parents[2]
STUDY = Path(__file__).with_name("study.py")
CONNECT = """
import sys
from raymtl.engine.cluster import preflight
from raymtl.engine.options import SweepOptions
from raymtl.errors import PreflightError
try:
    preflight(SweepOptions(address=sys.argv[1]))
except PreflightError as error:
    sys.exit(f"refused: {error}")
"""


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("data")
    Fsdd.miniature(root / Fsdd.folder, 0)
    return root


def _environment(**settings: str) -> dict[str, str]:
    kept = {k: v for k, v in os.environ.items() if not k.startswith("RAY_")}
    return {**kept, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(REPOSITORY), **settings}


def _start(folder: Path, data: Path, slower: float = 0.0, **more: Any) -> subprocess.Popen[str]:
    """The sweep in `folder`; `more` are its options, and `settings` its environment."""
    settings = more.pop("settings", {})
    (folder / "store").mkdir(exist_ok=True)
    where = [str(STUDY), str(data), str(folder / "store"), str(folder / "notes"), str(slower)]
    return subprocess.Popen(
        [sys.executable, "-m", "tests.faults.drive", *where, json.dumps(more)],
        cwd=REPOSITORY,
        env=_environment(**settings),
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )


def _entries(folder: Path) -> dict[str, str]:
    found = Ledger(folder / "store" / "sweeps" / "fragile" / "ledger").read()
    return {run: entry.status for run, entry in found.items()}


def test_fail_fast_stops_at_the_first_failure_and_the_next_command_does_the_rest(
    data: Path, tmp_path: Path
) -> None:
    broken = {"RAYMTL_TEST_FAILS": "."}  # every run
    first = _start(tmp_path, data, lanes=1, fail_fast=True, settings=broken)
    output, _ = first.communicate(timeout=240)
    assert first.returncode == 1, output
    assert "spilt milk" in output
    assert list(_entries(tmp_path).values()) == ["failed"]  # the other two are still due
    second = _start(tmp_path, data, lanes=1, fail_fast=True)
    output, _ = second.communicate(timeout=240)
    assert second.returncode == 0, output
    assert list(_entries(tmp_path).values()) == ["done"] * 3


@pytest.fixture
def head() -> Iterator[tuple[str, dict[str, str]]]:
    """Address and environment of a cluster started as cluster.yaml does, on this machine."""
    with tempfile.TemporaryDirectory(prefix="rh-", ignore_cleanup_errors=True) as place:
        token = Path(place) / "token"
        token.touch(mode=0o600)
        token.write_text(secrets.token_hex(32))
        settings = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN_PATH": str(token)}
        port = _free_port()
        command = f"start --head --block --port={port} --temp-dir={place}/ray --num-cpus=2"
        more = "--include-dashboard=false --object-store-memory=200000000 --disable-usage-stats"
        ray = Path(sys.executable).with_name("ray")
        process = subprocess.Popen(
            [str(ray), *command.split(), *more.split()],
            env=_environment(**settings),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            yield f"127.0.0.1:{port}", settings
        finally:
            for pid in [process.pid, *descendants(process.pid)]:
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    continue
            process.wait()


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def _connect(address: str, settings: dict[str, str]) -> str:
    """What a process says that wants to work at `address`; empty when it may."""
    command = [sys.executable, "-c", CONNECT, address]
    asked = subprocess.run(
        command, env=_environment(**settings), text=True, capture_output=True, timeout=60
    )
    assert asked.returncode in (0, 1), asked.stderr  # Ray itself would abort, or take over a minute
    return asked.stderr if asked.returncode else ""


def test_a_sweep_on_a_running_cluster_and_who_is_not_let_in(
    head: tuple[str, dict[str, str]], data: Path, tmp_path: Path
) -> None:
    address, settings = head
    end = time.monotonic() + 240
    while (said := _connect(address, settings)) and time.monotonic() < end:
        time.sleep(0.5)
    assert said == ""
    wrong = tmp_path / "wrong"
    wrong.write_text(secrets.token_hex(32))
    for path, words in (
        (wrong, "does not accept this process's token"),
        (tmp_path / "none", "the token cannot be read"),
    ):
        assert words in _connect(address, {**settings, "RAY_AUTH_TOKEN_PATH": str(path)})
    sweep = _start(tmp_path, data, address=address, settings=settings)
    output, _ = sweep.communicate(timeout=240)
    assert sweep.returncode == 0, output
    assert list(_entries(tmp_path).values()) == ["done"] * 3


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("127.0.0.1:{port}", "nothing listens at"),
        ("ray://127.0.0.1:10001", "expected host:port or auto"),
        ("nonsense", "no Ray cluster"),
    ],
)
def test_an_address_without_a_cluster_is_refused(address: str, words: str) -> None:
    assert words in _connect(address.format(port=_free_port()), {})

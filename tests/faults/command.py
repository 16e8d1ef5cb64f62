"""A sweep as a process of its own, with what it leaves behind; shared by the tests of faults."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections import defaultdict
from itertools import pairwise
from pathlib import Path
from typing import Any

from raymtl.results.ledger import Ledger
from raymtl.results.records import METRICS, PREDICTIONS, read_record, verify

REPOSITORY = Path(__file__).parents[2]
STUDY = Path(__file__).with_name("study.py")
LONG = 240.0  # seconds: no command takes longer, however busy the machine


class Sweep:
    """A store and the command that works on it."""

    def __init__(self, folder: Path, data: Path, study: Path = STUDY, **options: Any) -> None:
        """`options` are those of the command."""
        self.store, self.notes = folder / "store", folder / "notes"
        self._study, self._data, self._options = study, data, options
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
            str(self._study),
            str(self._data),
            str(self.store),
            str(self.notes),
            str(slower),
            json.dumps(self._options),
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
        output, _ = process.communicate(timeout=LONG)
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


def same(found: dict[str, dict[str, Any]], expected: dict[str, dict[str, Any]]) -> None:
    """Equal records, bit for bit; says which part of which run differs."""
    assert set(found) == set(expected)
    for run, parts in expected.items():
        for name, part in parts.items():
            assert found[run][name] == part, f"{run}: {name}"


def check(sweep: Sweep, expected: dict[str, dict[str, Any]]) -> None:
    """The same records, each run once in the ledger, no epoch before a checkpoint done twice."""
    same(sweep.records(), expected)
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


def wait_for(what: Any, process: subprocess.Popen[str], seconds: float = LONG) -> None:
    """Until `what` is true; fails with the output of a process that ends before."""
    end = time.monotonic() + seconds
    while not what() and process.poll() is None and time.monotonic() < end:
        time.sleep(0.05)
    if not what():
        ended = process.poll()
        assert ended is not None, "too slow"
        raise AssertionError(f"ended with {ended}: {process.communicate(timeout=LONG)[0]}")

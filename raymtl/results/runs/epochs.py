"""Kept epochs of finished runs: added after the fact, counted, dropped."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from raymtl.durable import file_digest, seal, sync, write_durably
from raymtl.errors import PreflightError
from raymtl.kept import EPOCHS, Keep, epoch_file, epoch_of, kept_epochs
from raymtl.results.ledger import Ledger
from raymtl.results.records import RECORD, read_record


@contextmanager
def at_rest(sweep: Path, remedy: str = "Wait for it, or stop it.") -> Iterator[None]:
    """The sweep's name for this process alone; free again when the process ends, however it does.

    remedy: what its user can do about another process that has it.

    Raises:
        PreflightError: when another process has it, which carries it out.
    """
    lock = FileLock(sweep / "sweep.lock", timeout=0)
    try:
        lock.acquire()
    except Timeout:
        raise PreflightError(
            f"{sweep}: this sweep is being carried out by another process. {remedy}"
        ) from None
    try:
        yield
    finally:
        lock.release()


def add_epochs(run: Path, again: Path) -> list[int]:
    """Adds the kept epochs of `again`, the same run trained anew, to its record; which were new.

    Hold `at_rest`. Files come first, the record that speaks of them last.

    Raises:
        StoreError: when the record is damaged or cannot be written.
    """
    content, other = read_record(run).content, read_record(again).content
    known = set(kept_epochs(content))
    new = [epoch for epoch in kept_epochs(other) if epoch not in known]
    for epoch in new:
        name = epoch_file(epoch)
        write_durably(run / name, (again / name).read_bytes())
        content["files"][name] = other["files"][name]
    if new:
        sync(run)
        _rewrite(run, content)
    return new


def drop_epochs(run: Path) -> None:
    """Removes every epoch but the best from a record. Hold `at_rest`.

    The record that no longer speaks of them comes first, so that it is whole at any moment.

    Raises:
        StoreError: when the record is damaged or cannot be written.
    """
    content = read_record(run).content
    files = {k: facts for k, facts in content["files"].items() if epoch_of(k) is None}
    if files != content["files"]:
        _rewrite(run, {**content, "files": files})
    shutil.rmtree(run / EPOCHS, ignore_errors=True)


def epochs_bytes(files: Mapping[str, Mapping[str, Any]]) -> int:
    """Bytes of kept epochs but the best, by a record's list of its files."""
    return sum(int(facts["size"]) for name, facts in files.items() if epoch_of(name) is not None)


def lacking(runs: Iterable[Path], keep: Keep) -> dict[str, list[int]]:
    """Run -> epochs that its record lacks, of those wanted; runs that lack none are left out."""
    found = {}
    for run in runs:
        content = read_record(run).content
        missing = sorted(keep.of(content["epochs"]) - set(kept_epochs(content)))
        if missing:
            found[run.name] = missing
    return found


def _rewrite(run: Path, content: dict[str, Any]) -> None:
    write_durably(run / RECORD, seal(content))
    ledger = Ledger(run.parents[1] / "ledger")
    entry = ledger.entry(run.name)
    seconds = float(content.get("seconds", 0.0)) if entry is None else entry.seconds
    digest, record = str(content.get("digest", "")), file_digest(run / RECORD)
    ledger.write(run.name, "done", seconds=seconds, digest=digest, record=record)

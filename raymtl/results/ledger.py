"""The ledger of a sweep: one small sealed file per run that has ended, and how it ended.

The ledger decides what is still to do. `reconcile` makes it agree with the records on disk.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, fields
from functools import partial
from pathlib import Path
from typing import Literal, get_args

from raymtl.durable import file_digest, open_sealed, seal, sync, write_durably
from raymtl.errors import StoreError
from raymtl.results.records import RECORD, read_record, verify

Status = Literal["done", "failed", "diverged"]
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")


@dataclass(frozen=True)
class Entry:
    """How one run ended.

    digest: of the run (its address). record: SHA-256 of its record.json, empty without one.
    seconds: wall time of the run. reason: one line; trace: the rest of the error, if any.
    """

    run: str
    status: Status
    reason: str = ""
    seconds: float = 0.0
    digest: str = ""
    record: str = ""
    trace: str = ""

    @property
    def done(self) -> bool:
        return self.status == "done"


class Ledger:
    """The entries below one folder, ``<run>.json`` each."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def write(
        self,
        run: str,
        status: Status,
        reason: str = "",
        seconds: float = 0.0,
        *,
        digest: str = "",
        record: str = "",
        trace: str = "",
    ) -> Entry:
        """Enters how `run` ended, in place of what was entered before.

        Raises:
            StoreError: for a name or status that no run has, or a folder that is not writable.
        """
        entry = Entry(run, status, reason, seconds, digest, record, trace)
        _check(entry, self._path(run))
        write_durably(self._path(run), seal(asdict(entry)))
        return entry

    def read(self) -> dict[str, Entry]:
        """All entries that are whole, by run, sorted; damaged ones are as if absent."""
        return self.read_all()[0]

    def read_all(self) -> tuple[dict[str, Entry], dict[str, str]]:
        """Whole entries by run, and what is wrong with each of the others."""
        entries, damaged = {}, {}
        for path in sorted(self.folder.glob("*.json")):
            if path.name.startswith("."):
                continue  # written aside by a process that died
            try:
                entries[path.stem] = _read(path)
            except StoreError as error:
                damaged[path.stem] = str(error)
        return entries, damaged

    def entry(self, run: str) -> Entry | None:
        """The entry of one run; None when there is none, or a damaged one."""
        try:
            return _read(self._path(run))
        except StoreError:
            return None

    def drop(self, run: str) -> None:
        """Forgets `run`: it will be done again."""
        self._path(run).unlink(missing_ok=True)
        if self.folder.is_dir():
            sync(self.folder)

    def _path(self, run: str) -> Path:
        return self.folder / f"{run}.json"


def reconcile(
    sweep: Path,
    planned: Collection[str] | Mapping[str, str],
    *,
    threads: int = 4,
    mend: bool = True,
) -> tuple[dict[str, Entry], list[str]]:
    """Makes the ledger of `sweep` agree with its records; what is finished among `planned`.

    A complete record without an entry gets one. An entry without a complete record, or of another
    digest than planned, is dropped and its run is due again; a damaged record moves to
    ``damaged/``. Every file of every planned record is read and compared with its digest.

    planned: names of runs, or run -> digest to have digests compared as well.
    mend: False writes and moves nothing; the answer is the same.

    Returns:
        Entries of planned runs (failed ones included), and one line on each thing to be mended.
    """
    ledger = Ledger(sweep / "ledger")
    digests = dict(planned) if isinstance(planned, Mapping) else dict.fromkeys(planned, "")
    entries, damaged = ledger.read_all()
    notes = [f"{run}: a sweep drops its ledger entry. {p}" for run, p in damaged.items()]
    for run in damaged if mend else ():
        ledger.drop(run)
    names = sorted(digests)
    with ThreadPoolExecutor(threads) as pool:
        states = list(pool.map(partial(_inspect, sweep / "runs"), names))
    kept: dict[str, Entry] = {}
    for run, state in zip(names, states, strict=True):
        entry, note = _settled(run, digests[run], entries.get(run), state)
        if note:
            notes.append(f"{run}: {note}")
        if note and mend:
            _mend(ledger, entries.get(run), run, state, entry)
        if entry is not None:
            kept[run] = entry
    return kept, [*notes, *_unplanned(len(set(entries) - set(digests)))]


def _unplanned(others: int) -> list[str]:
    note = f"The ledger has entries of runs that are not planned ({others} of them); "
    return [f"{note}they are kept and not counted."] if others else []


@dataclass(frozen=True)
class _State:
    """What lies in runs/<run>: its own digest and its record's, or problems."""

    present: bool
    problems: tuple[str, ...] = ()
    digest: str = ""
    record: str = ""
    seconds: float = 0.0


def _inspect(runs: Path, run: str) -> _State:
    folder = runs / run
    if not folder.exists():
        return _State(present=False)
    problems = verify(folder)
    if problems:
        return _State(True, tuple(problems))
    content = read_record(folder).content
    return _State(
        True,
        (),
        str(content.get("digest", "")),
        file_digest(folder / RECORD),
        float(content.get("seconds", 0.0)),
    )


def _settled(
    run: str, planned: str, entry: Entry | None, state: _State
) -> tuple[Entry | None, str]:
    """The entry that `run` ends up with, None when it is due again, and what that changes."""
    problems = state.problems
    if not problems and state.present and planned and state.digest != planned:
        problems = (f"its digest is {state.digest[:12]}, the plan's {planned[:12]}",)
    other = entry is not None and planned and entry.digest and entry.digest != planned
    left = None if entry is None or entry.done or other else entry
    if problems:
        return left, f"a sweep moves its record to damaged/: {problems[0]}"
    if not state.present:
        lost = "no record stands behind its ledger entry; a sweep drops it."
        return left, "" if left == entry else lost
    if entry is not None and entry.done and entry.record == state.record:
        return entry, ""
    whole = Entry(run, "done", seconds=state.seconds, digest=state.digest, record=state.record)
    return whole, "complete record without an entry; a sweep enters it in the ledger."


def _mend(
    ledger: Ledger, before: Entry | None, run: str, state: _State, after: Entry | None
) -> None:
    """Brings about on disk what `_settled` says."""
    if after is not None and after.done:
        ledger.write(run, "done", seconds=after.seconds, digest=after.digest, record=after.record)
        return
    if state.present:
        _move_aside(ledger.folder.parent, run)
    if before is not None and after is None:
        ledger.drop(run)


def _move_aside(sweep: Path, run: str) -> None:
    target = sweep / "damaged" / run
    shutil.rmtree(target, ignore_errors=True)
    target.parent.mkdir(parents=True, exist_ok=True)
    (sweep / "runs" / run).rename(target)
    sync(sweep / "runs")


def _read(path: Path) -> Entry:
    content = open_sealed(path)
    known = {field.name for field in fields(Entry)}
    entry = Entry(**{key: value for key, value in content.items() if key in known})
    _check(entry, path)
    return entry


def _check(entry: Entry, path: Path) -> None:
    if entry.status not in get_args(Status):
        raise StoreError(
            f"{path}: status {entry.status!r}; expected one of {', '.join(get_args(Status))}."
        )
    if not _NAME.fullmatch(entry.run) or path.stem != entry.run:
        raise StoreError(
            f"{path}: run {entry.run!r}; expected the name of the file, made of "
            "ASCII letters, digits, '_', '-' and '.'."
        )

"""What a store holds that no record and no sweep needs any more."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from fcntl import LOCK_EX, LOCK_NB, flock
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from raymtl.durable import sync
from raymtl.extraction.aside import abandoned
from raymtl.extraction.store import FeatureStore
from raymtl.kept import EPOCHS
from raymtl.results.finding import runs_of, sweeps_of
from raymtl.results.ledger import Ledger
from raymtl.results.records import RECORD, Record, each_record
from raymtl.results.runs.epochs import drop_epochs

_DOOMED = ".doomed-"  # in front of a name while its folder is removed


@dataclass(frozen=True)
class Leftover:
    """kind: features, fit, unfinished, scratch, damaged, abandoned or epochs; why: in few words."""

    kind: str
    path: Path
    bytes: int
    why: str


@dataclass(frozen=True)
class Needs:
    """Addresses of feature sets and fits that sweeps refer to.

    unsure: why nothing can be said of those that are not listed; then all are needed.
    """

    features: frozenset[str]
    fits: frozenset[str]
    unsure: tuple[str, ...] = ()


@contextmanager
def resting(store: Path) -> Iterator[tuple[list[Path], list[Path]]]:
    """Holds every sweep of the store that is not at work; yields those, and the others.

    No sweep that is held can begin before this ends. A sweep is at work as long as its driver or
    any process that trains for it is alive.
    """
    with ExitStack() as held:
        idle: list[Path] = []
        busy: list[Path] = []
        for sweep in sweeps_of(store):
            (idle if _held(held, sweep) else busy).append(sweep)
        yield idle, busy


def leftovers(
    store: Path, idle: Sequence[Path], busy: Sequence[Path], needs: Needs
) -> list[Leftover]:
    """What may be removed while `idle` are held; sorted by kind and path.

    Feature sets and fits are left alone as long as any sweep is at work: it may be about to use
    one that no plan on disk names yet.
    """
    found = [part for sweep in idle for part in _of_sweep(sweep)]
    if not busy and not needs.unsure:
        found += _features(store, needs)
        found += [
            Leftover("fit", path, _size(path), "no sweep refers to it")
            for path in (store / "fits").glob("*.json")
            if path.stem not in needs.fits
        ]
    return sorted(found, key=lambda part: (part.kind, part.path))


def needed(sweeps: Sequence[Path]) -> Needs:
    """What sweeps refer to, by their records and their plans."""
    features: set[str] = set()
    fits: set[str] = set()
    unsure = []
    for sweep in sweeps:
        plan = _plan(sweep)
        features.update(plan.get("features", ()))
        fits.update(plan.get("fits", ()))
        for run, record in each_record(sweep, runs_of(sweep)):
            if isinstance(record, str):
                unsure.append(f"{sweep.name}: {run} is damaged; what it was made from is not known")
                continue
            for source in record.content.get("sources", {}).values():
                features.add(str(source["features"]))
                fits.add(str(source["fit"]))
        if "features" not in plan and not _finished(sweep, plan):
            unsure.append(f"{sweep.name} is not finished and does not say what it needs")
    return Needs(frozenset(features), frozenset(fits), tuple(unsure))


def kept_beside(sweeps: Sequence[Path]) -> list[Leftover]:
    """Epochs that finished runs keep besides their best; nothing else needs them."""
    why = "kept besides the best epoch"
    return [
        Leftover("epochs", run / EPOCHS, _size(run / EPOCHS), why)
        for sweep in sweeps
        for run in _folders(sweep / "runs")
        if (run / EPOCHS).is_dir() and (run / RECORD).is_file()
    ]


def remove(store: Path, part: Leftover) -> bool:
    """Removes a leftover; False when another process has it by now, or it is gone.

    A folder is renamed first: whoever looks meanwhile sees all of it or nothing.
    """
    if part.kind == "features":
        with FeatureStore(store / "features").lease(part.path.name, wait=0) as mine:
            return mine and _remove(part.path)
    if part.kind == "epochs":
        drop_epochs(part.path.parent)
        return True
    return _remove(part.path)


def _held(held: ExitStack, sweep: Path) -> bool:
    """Takes the locks of a sweep's driver and of its lanes, as a new driver would."""
    lock = FileLock(sweep / "sweep.lock", timeout=0)
    try:
        held.enter_context(lock)
        lanes = sweep / "scratch" / "lanes.lock"
        if lanes.exists():
            flock(held.enter_context(lanes.open("ab")), LOCK_EX | LOCK_NB)
    except (Timeout, OSError):
        return False
    return True


def _of_sweep(sweep: Path) -> Iterator[Leftover]:
    if _finished(sweep, _plan(sweep)):
        for path in _folders(sweep / "unfinished"):
            yield Leftover("unfinished", path, _size(path), "the sweep is finished without it")
    for path in _folders(sweep / "damaged"):
        yield Leftover("damaged", path, _size(path), "set aside; its run was done again or is due")
    scratch = sweep / "scratch"
    for path in sorted(scratch.glob("*")):
        if path.name != "lanes.lock":
            yield Leftover("scratch", path, _size(path), "Ray's own; no process uses it")
    yield from _abandoned(sweep)
    yield from _abandoned(sweep / "ledger")


def _features(store: Path, needs: Needs) -> Iterator[Leftover]:
    root = store / "features"
    for folder in _folders(root):
        if folder.name not in needs.features:
            yield Leftover("features", folder, _size(folder), "no sweep refers to it")
            continue
        for path in sorted(folder.glob("damaged-*")):
            yield Leftover("damaged", path, _size(path), "set aside when it was found damaged")
        yield from _abandoned(folder)


def _abandoned(folder: Path) -> Iterator[Leftover]:
    for path in abandoned(folder):
        yield Leftover("abandoned", path, _size(path), "the process that wrote it is gone")


def _plan(sweep: Path) -> Mapping[str, Any]:
    try:
        plan = json.loads((sweep / "plan.json").read_bytes())
    except (OSError, ValueError):
        return {}
    return plan if isinstance(plan, dict) else {}


def _finished(sweep: Path, plan: Mapping[str, Any]) -> bool:
    """Whether every planned run has a record that can be read."""
    planned = {str(run["run"]) for run in plan.get("runs", [])}
    entries = Ledger(sweep / "ledger").read()
    if not planned or any(run not in entries or not entries[run].done for run in planned):
        return False
    whole = {run for run, found in each_record(sweep, planned) if isinstance(found, Record)}
    return planned == whole


def _folders(folder: Path) -> list[Path]:
    return sorted(p for p in folder.glob("*") if p.is_dir() and p.name != ".locks")


def _size(path: Path) -> int:
    if not path.is_dir() or path.is_symlink():
        return path.lstat().st_size
    sizes = []
    for part in path.rglob("*"):
        with suppress(OSError):  # removed meanwhile
            sizes.append(0 if part.is_dir() else part.lstat().st_size)
    return sum(sizes)


def _remove(path: Path) -> bool:
    try:
        if path.is_dir() and not path.is_symlink():
            doomed = path.with_name(f"{_DOOMED}{path.name.removeprefix(_DOOMED)}")
            path.rename(doomed)
            sync(path.parent)
            shutil.rmtree(doomed)
        else:
            path.unlink()
    except FileNotFoundError:
        return False
    return True

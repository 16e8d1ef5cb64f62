"""Which sweep or run is meant: a path, or the beginning of a name below a store's sweeps."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from difflib import SequenceMatcher
from pathlib import Path

from raymtl.errors import PreflightError
from raymtl.results.records import RECORD

PARTS = ("plan.json", "ledger", "runs")  # of a sweep
_NEAR = 5  # names shown when none, or several, are meant


@dataclass(frozen=True, order=True)
class Found:
    """A run of a sweep: finished, unfinished, failed or only planned."""

    sweep: Path
    run: str

    @property
    def folder(self) -> Path:
        """Of its record; there is one only when the run is done."""
        return self.sweep / "runs" / self.run

    @property
    def unfinished(self) -> Path:
        return self.sweep / "unfinished" / self.run

    @property
    def done(self) -> bool:
        return (self.folder / RECORD).is_file()


def sweeps_of(store: Path) -> list[Path]:
    """Every sweep's folder below a store, sorted."""
    return sorted(p for p in (store / "sweeps").glob("*") if p.is_dir())


def is_sweep(folder: Path) -> bool:
    """Whether a folder has any of a sweep's parts; one is enough, for it may be damaged."""
    return any((folder / part).exists() for part in PARTS)


def find_sweep(text: str, store: Path) -> Path:
    """The folder of the sweep that is meant.

    Args:
        text: a sweep's folder or, of one below the store, its name or the beginning of that.

    Raises:
        PreflightError: when no sweep, or more than one, is meant, with those that are near.
    """
    path = Path(text).expanduser()
    if path.is_dir() and is_sweep(path):
        return path
    known = {sweep.name: sweep for sweep in sweeps_of(store)}
    matches = [text] if text in known else [name for name in known if name.startswith(text)]
    if len(matches) == 1:
        return known[matches[0]]
    near = sorted(matches or known, key=lambda name: -SequenceMatcher(None, text, name).ratio())
    said = f"is not a sweep; it has no {', '.join(PARTS)}" if path.is_dir() else "is no folder"
    what = f"names {len(matches)} sweeps" if matches else f"{said}, and names no sweep"
    shown = "".join(f"\n  {name}" for name in near[:_NEAR])
    raise PreflightError(
        f"{text}: {what} below {store / 'sweeps'}. Give the name of a sweep there, its folder, or "
        f"the store with --store.{shown}"
    )


def runs_of(sweep: Path) -> set[str]:
    """Names of all runs that a sweep knows: planned, ended, begun or recorded."""
    names = {p.name for part in ("runs", "unfinished") for p in (sweep / part).glob("*")}
    names |= {p.stem for p in (sweep / "ledger").glob("*.json")}
    try:
        planned = json.loads((sweep / "plan.json").read_bytes())["runs"]
        names |= {str(run["run"]) for run in planned}
    except (OSError, ValueError, KeyError, TypeError):
        pass  # no plan, or a damaged one: what lies there is known all the same
    return {name for name in names if not name.startswith(".")}


def find_run(text: str, store: Path) -> Found:
    """The run that is meant.

    Args:
        text: a run's folder, or, of a run below the store, its name, the beginning of that, or the
            beginning of its address (behind the last ``-``); ``<sweep>/`` in front chooses a sweep.

    Raises:
        PreflightError: when no run, or more than one, is meant, with those that are near.
    """
    path = Path(text).expanduser()
    if path.is_dir() and path.resolve().parent.name in ("runs", "unfinished"):
        path = path.resolve()
        return Found(path.parents[1], path.name)
    known = [Found(sweep, run) for sweep in sweeps_of(store) for run in sorted(runs_of(sweep))]
    for meant in (_exact, _address, _begins):
        matches = [found for found in known if meant(text, found)]
        if len(matches) == 1:
            return matches[0]
        if matches:
            raise PreflightError(
                f"{text!r} names {len(matches)} runs below {store}:{_lines(matches)}"
                "Give more of the name, or the run's folder."
            )
    raise PreflightError(_nothing(text, store, known))


def _names(found: Found) -> Iterator[str]:
    yield found.run
    yield f"{found.sweep.name}/{found.run}"


def _exact(text: str, found: Found) -> bool:
    return text in _names(found)


def _begins(text: str, found: Found) -> bool:
    return any(name.startswith(text) for name in _names(found))


def _address(text: str, found: Found) -> bool:
    return len(text) >= 4 and found.run.rpartition("-")[2].startswith(text)


def _nothing(text: str, store: Path, known: list[Found]) -> str:
    if not known:
        return (
            f"{text!r} is no run's folder, and no sweep lies below {store / 'sweeps'}. "
            "Say where the store is with --store."
        )
    ranked = sorted(known, key=lambda found: (-_likeness(text, found), found))
    return (
        f"{text!r} names no run below {store}, nor is it a run's folder. Near to it are:"
        f"{_lines(ranked[:_NEAR])}Give one of {len(known)} runs by name, or its folder."
    )


def _likeness(text: str, found: Found) -> float:
    inside = text.lower() in found.run.lower()
    return inside + SequenceMatcher(None, text, found.run, autojunk=False).ratio()


def _lines(found: list[Found]) -> str:
    shown = "".join(f"\n  {f.sweep.name}/{f.run}" for f in found[:_NEAR])
    more = len(found) - _NEAR
    return f"{shown}\n" + (f"  ... and {more} more\n" if more > 0 else "")

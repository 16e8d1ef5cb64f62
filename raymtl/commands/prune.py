"""`raymtl prune`: what of a store may go, and, when told so, its removal."""

from __future__ import annotations

import shlex
from collections import Counter
from fnmatch import fnmatch
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from raymtl.results.finding import sweeps_of
from raymtl.results.runs.leftovers import Leftover, kept_beside, leftovers, needed, remove, resting
from raymtl.wording import counted

_MOST = 40  # things listed one by one


def prune(store: Path, yes: bool, epochs: str | None, console: Console) -> int:
    """Lists what may be removed and, with `yes`, removes it; returns how many bytes that is.

    epochs: pattern of <sweep>/<run> whose epochs but the best may go as well.
    """
    with resting(store) as (idle, busy):
        needs = needed(sweeps_of(store))
        kept = kept_beside(idle)
        chosen = [part for part in kept if epochs and fnmatch(_run_of(part), epochs)]
        found = [*leftovers(store, idle, busy, needs), *chosen]
        _why_kept(busy, needs.unsure, console)
        _tell_epochs(len(kept), sum(part.bytes for part in kept), epochs, len(chosen), console)
        if not found:
            console.print("Nothing to remove.")
            return 0
        _list(store, found, console)
        if not yes:
            words = ["raymtl", "prune", "--store", str(store)]
            command = shlex.join([*words, *(["--epochs", epochs] if epochs else []), "--yes"])
            console.print(
                f"Nothing has been removed. This removes it: {command}",
                markup=False,
                soft_wrap=True,
            )
            return sum(part.bytes for part in found)
        gone = [part for part in found if remove(store, part)]
        freed = sum(part.bytes for part in gone)
        console.print(f"Removed {len(gone)} of {counted(len(found), 'thing')}: {size(freed)}.")
        return freed


def _run_of(part: Leftover) -> str:
    """<sweep>/<run> of kept epochs."""
    return f"{part.path.parents[2].name}/{part.path.parent.name}"


def _tell_epochs(runs: int, count: int, pattern: str | None, chosen: int, console: Console) -> None:
    if not runs:
        return
    said = f"Epochs besides the best are kept of {counted(runs, 'run')}: {size(count)}"
    if pattern is None:
        console.print(f"{said}. --epochs '*' lists them to be removed.", markup=False)
    else:
        console.print(f"{said}; of these, {chosen} of pattern {pattern}.", markup=False)


def size(count: float) -> str:
    """Bytes for people: 12.3 MB."""
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} TB"


def _why_kept(busy: list[Path], unsure: tuple[str, ...], console: Console) -> None:
    for sweep in busy:
        console.print(
            f"{sweep.name} is at work: nothing of it, no feature set and no fit is touched.",
            markup=False,
        )
    for line in unsure[:5]:
        console.print(f"{line}: no feature set and no fit is touched.", markup=False)


def _list(store: Path, found: list[Leftover], console: Console) -> None:
    table = Table("kind", "size", "what", "why", box=None, header_style="dim")
    table.columns[1].justify = "right"
    for part in sorted(found, key=lambda part: -part.bytes)[:_MOST]:
        path = str(part.path.relative_to(store))
        table.add_row(part.kind, size(part.bytes), Text(path, overflow="fold"), part.why)
    console.print(table)
    if len(found) > _MOST:
        console.print(f"... and {counted(len(found) - _MOST, 'smaller one')}")
    counts = Counter(part.kind for part in found)
    total = sum(part.bytes for part in found)
    kinds = ", ".join(f"{count} {kind}" for kind, count in sorted(counts.items()))
    console.print(f"{size(total)} in all: {kinds}.")

"""`raymtl relate`: what a sweep says of relations between its tasks."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from raymtl.durable import write_durably
from raymtl.errors import PreflightError, StoreError
from raymtl.probing import Made, make, missing
from raymtl.results.relations.evaluation import evaluate
from raymtl.results.relations.probes import FILE, Probe, kept, probed, probes
from raymtl.results.relations.published import read_logs
from raymtl.results.relations.report import relations_report
from raymtl.results.relations.terminal import print_predictors, print_relations
from raymtl.results.state import SweepState, read_sweep

INTERRUPTED = 130


def show_relations(
    sweep: Path,
    budget: int | None,
    console: Console,
    *,
    only: str | None = None,
    probing: bool = True,
    code: Sequence[str] = (),
    output: Path | None = None,
) -> int:
    """Measures what is not kept yet, and prints grouping, predictors, consistency, variance.

    Args:
        only: measure under extractions and networks of cells whose name matches.
        probing: measure anything at all; what is kept is used all the same.
        code: files of the user's own classes.
        output: JSON file for all that was found.

    Returns:
        0, or 130 when interrupted.

    Raises:
        PreflightError: for a pattern that matches no cell.
    """
    try:
        found = _found(sweep, budget, console, only, probing, code)
    except KeyboardInterrupt:
        console.print("Interrupted. Measures that were made are kept; the same command goes on.")
        return INTERRUPTED
    print_relations(found, console)
    if output is not None:
        write_durably(output, json.dumps(found, indent=1, ensure_ascii=False).encode())
    return 0


def _found(
    sweep: Path,
    budget: int | None,
    console: Console,
    only: str | None,
    probing: bool,
    code: Sequence[str],
) -> dict[str, Any]:
    state = read_sweep(sweep)
    every = probes(state)
    made = Made(kept(sweep), {})
    if probing:
        chosen = probes(state, _named(state, only)) if only else every
        made = _made(chosen, sweep, code, console)
    measures = probed(every, made.measures, made.failed)
    return relations_report(state, measures, None if budget is None else [budget])


def show_published(logs: Path, console: Console) -> None:
    """Judges the 90 pairs of Bingel & Søgaard (EACL 2017) as those of a sweep.

    Raises:
        StudyError: when `logs` does not hold their logs.
    """
    found = read_logs(logs)
    gains = int(found.pairs.gains.sum())
    console.print(
        f"{len(found.tasks)} tasks, {len(found.pairs.gains)} pairs: {gains} gain, "
        f"{len(found.pairs.gains) - gains} do not.",
        markup=False,
    )
    print_predictors({"answer": asdict(evaluate(found.pairs))}, console)


def _named(state: SweepState, only: str) -> Callable[[str], bool]:
    """Whether a cell's name matches, as `raymtl sweep --only` understands it."""
    pattern = only if any(sign in only for sign in "*?[") else f"*{only}*"
    cells = sorted({str(r.content.get("cell", {}).get("name")) for r in state.records.values()})
    if cells and not any(fnmatch(cell, pattern) for cell in cells):
        names = "\n  ".join(cells[:10])
        raise PreflightError(f"--only {only!r} matches no cell. The first cells are:\n  {names}")
    return lambda cell: fnmatch(cell, pattern)


def _made(wanted: Sequence[Probe], sweep: Path, code: Sequence[str], console: Console) -> Made:
    """Makes what is missing, under a bar; says what that is."""
    todo = missing(wanted, kept(sweep))
    if todo:
        console.print(_announced(todo, sweep), markup=False)
    columns = (TextColumn("measuring"), BarColumn(30), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=not todo) as progress:
        bar = progress.add_task("", total=len(todo))
        store = sweep.resolve().parents[1]
        try:
            return make(wanted, sweep, store, code, lambda: progress.advance(bar))
        except StoreError as error:
            console.print(f"{error} What was measured is not kept.", markup=False)
            return Made(kept(sweep), {})


_KINDS = {
    "sound": "sources",
    "distance": "distances",
    "networks": "pairs of networks",
    "gradients": "pairs of gradients",
}


def _announced(todo: Sequence[Probe], sweep: Path) -> str:
    kinds = Counter(probe.kind for probe in todo)
    methods = len({probe.method for probe in todo})
    parts = ", ".join(f"{words} {kinds[kind]}" for kind, words in _KINDS.items() if kinds[kind])
    return (
        f"To measure ({parts}; extractions with a network: {methods}). Nothing is trained. "
        f"Kept in {FILE} of the sweep; Ctrl-C keeps what is finished."
    )

"""`raymtl compare`: two sweeps, or the sweeps of two stores, cell by cell."""

from __future__ import annotations

from itertools import groupby
from pathlib import Path

from rich.console import Console
from rich.table import Table

from raymtl.errors import PreflightError
from raymtl.results.compare import Comparison, compare_sweeps
from raymtl.results.finding import find_sweep, sweeps_of
from raymtl.results.report.comparing import rows_of, write_comparison
from raymtl.results.report.panels import Row
from raymtl.results.transfer.answers import Rules
from raymtl.results.transfer.verdicts import ROPE
from raymtl.wording import counted

_MOST = 8  # rows a task in the terminal
_NAMES = {"with": "with", "short_extraction": "extraction", "short_model": "model"}


def show_comparison(
    a: str, b: str, store: Path, page: Path, console: Console, region: float = ROPE
) -> None:
    """Prints one table for each pair of sweeps, writes the page and says where it is.

    region: half-width of the region of equivalence, in units of the metric.

    Raises:
        PreflightError: for a folder that is neither a sweep nor a store, for one of each, or for
            the same one twice.
    """
    pairs, only_a, only_b = _pairs(_folder(a, store), _folder(b, store))
    found = [compare_sweeps(*pair, Rules(rope=region)) for pair in pairs]
    for one in found:
        _print(one, console)
    for side, names in (("A", only_a), ("B", only_b)):
        if names:
            console.print(f"sweeps only in {side}: {', '.join(names)}", markup=False)
    if not pairs:
        console.print("Nothing to compare: the stores have no sweep of one name.")
    write_comparison(found, only_a, only_b, page)
    console.print(f"page: {page}", markup=False, soft_wrap=True)


def _pairs(a: Path, b: Path) -> tuple[list[tuple[Path, Path]], list[str], list[str]]:
    """Sweeps to be compared, and names of those that only one store has."""
    if a.resolve() == b.resolve():
        raise PreflightError(f"{a} and {b} are the same folder; give two sweeps or two stores.")
    kinds = [_kind(path) for path in (a, b)]
    if kinds[0] != kinds[1]:
        raise PreflightError(
            f"{a} is a {kinds[0]} and {b} a {kinds[1]}; give two sweeps or two stores."
        )
    if kinds[0] == "sweep":
        return [(a, b)], [], []
    ours, theirs = ({path.name: path for path in sweeps_of(store)} for store in (a, b))
    common = sorted(ours.keys() & theirs.keys())
    pairs = [(ours[name], theirs[name]) for name in common]
    return pairs, sorted(ours.keys() - theirs.keys()), sorted(theirs.keys() - ours.keys())


def _kind(path: Path) -> str:
    return "store" if (path / "sweeps").is_dir() else "sweep"


def _folder(text: str, store: Path) -> Path:
    """A store's folder, or that of the sweep that is meant."""
    return Path(text) if (Path(text) / "sweeps").is_dir() else find_sweep(text, store)


def _print(found: Comparison, console: Console) -> None:
    console.print(f"{found.name}: A {found.a}, B {found.b}", markup=False, soft_wrap=True)
    console.print(
        f"{counted(len(found.both), 'cell')} in both, {len(found.only_a)} only in A, "
        f"{len(found.only_b)} only in B; {counted(found.equal, 'run')} of the same address",
        markup=False,
    )
    if found.unlike:
        console.print(
            f"note: {found.unlike} pairs of runs were tested on different numbers of clips",
            markup=False,
        )
    for problem in found.problems:
        console.print(f"could not be read: {problem}", markup=False, soft_wrap=True)
    if not found.differences.num_rows:
        console.print("Nothing to compare: no cell has a run of one fold and seed in both.")
    for what, rows in groupby(rows_of(found), key=lambda row: (row["what"], row["metric"])):
        _print_task(f"{what[0]} ({what[1]})", list(rows), console)


def _print_task(name: str, rows: list[Row], console: Console) -> None:
    table = Table(
        title=name, title_justify="left", title_style="bold", box=None, pad_edge=False,
        header_style="dim", width=min(console.width, 120),
    )  # fmt: skip
    named = [key for key in _NAMES if key == "with" or len({row[key] for row in rows}) > 1]
    for key in named:
        table.add_column(_NAMES[key], ratio=2, no_wrap=True, overflow="ellipsis")
    for column, size in (("A", 5), ("B − A", 5), ("95%", 12)):
        table.add_column(column, justify="right", min_width=size, no_wrap=True)
    table.add_column("B is", min_width=14, no_wrap=True)
    rows.sort(key=lambda row: (row["verdict"].endswith("inconclusive"), -row["size"]))
    for row in rows[:_MOST]:
        interval = f"{row['low']}, {row['high']}" if row["low"] else ""
        table.add_row(
            *(row[key] for key in named), row["base"], row["gain"], interval, row["verdict"]
        )  # fmt: skip
    console.print(table)
    if len(rows) > _MOST:
        console.print(f"  {len(rows) - _MOST} more in the page", style="dim")

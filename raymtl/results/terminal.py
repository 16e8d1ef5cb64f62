"""Results in a terminal: one table, best first, that fits 80 columns."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from raymtl.errors import RaymtlError
from raymtl.results.state import SweepState, partners, read_sweep, short, title
from raymtl.wording import counted

if TYPE_CHECKING:
    from raymtl.results.transfer.answers import Rules

METRICS = ("uar", "map")  # primary ones, where the records do not say


def print_results(sweep: Path, console: Console, most: int = 6, rules: Rules | None = None) -> None:
    """Prints what the records in `sweep` come to."""
    state = read_sweep(sweep)
    primaries = {task: state.primary(task) for task in state.tasks}
    console.print(terminal_table(state.summed, console.width, primaries, most))
    _print_verdicts(state, console, rules)
    console.print(_status(state), markup=False)


def _print_verdicts(state: SweepState, console: Console, rules: Rules | None) -> None:
    from raymtl.results.transfer.answers import Rules, transfer_table  # they build on what is here

    rules = rules or Rules()
    try:
        rows = transfer_table(state, rules).to_pylist()
    except (RaymtlError, LookupError, TypeError, ValueError) as error:
        console.print(f"No verdicts: {type(error).__name__}: {error}", markup=False)
        return
    console.print(verdict_table(rows, console.width, rope=rules.rope))


def verdict_table(
    rows: Iterable[Mapping[str, Any]], width: int = 80, most: int = 10, rope: float = 0.005
) -> Any:
    """Claims, largest gains first, and how many comparisons came to each verdict.

    Args:
        rows: of `transfer.answers.transfer_table`; controls are left out.
        width: columns to fit.
        most: claims listed; those that are inconclusive or equivalent are only counted.
        rope: half-width of the region of equivalence that they were judged by.
    """
    found = [row for row in rows if not row["control"]]
    if not found:
        return Text("No verdicts yet: no combination is paired with its source alone.")
    counts = Counter(row["verdict"] for row in found)
    words = ", ".join(
        f"{name} {counts[name]}" for name in ("helps", "hurts", "equivalent", "inconclusive")
    )
    claims = [row for row in found if row["verdict"] in ("helps", "hurts")]
    claims.sort(key=lambda row: -row["gain"])
    parts: list[RenderableType] = [Text(f"Verdicts: {words}.", "bold")]
    parts += [Text(line, "dim") for line in _conditions(found, rope)]
    if claims:
        parts.append(_claims(claims, width, most))
    return Group(*parts)


def _conditions(rows: list[Mapping[str, Any]], rope: float) -> list[str]:
    """What the verdicts rest on, and where the two networks of a gain differ in more than that."""
    fewer = sum((row.get("clips") or 1) < 1 for row in rows)
    other = sum(abs((row.get("updates") or 1) - 1) > 0.05 for row in rows)
    lines = [f"Equivalent: within ± {100 * rope:g} points. Claims by Holm's correction"]
    lines += [f"{fewer} with fewer training clips of the source than alone"] if fewer else []
    lines += [f"{other} with over 5% more or fewer updates than alone"] if other else []
    return lines


def _claims(claims: list[Mapping[str, Any]], width: int, most: int) -> Table:
    table = Table(box=None, width=width, pad_edge=False, header_style="dim")
    for column in ("task", "with", "extraction", "model"):
        table.add_column(column, ratio=2, no_wrap=True, overflow="ellipsis")
    for column, size in (("gain, points", 5), ("95%", 12)):
        table.add_column(column, justify="right", min_width=size, no_wrap=True)
    table.add_column("verdict", min_width=7, no_wrap=True)
    extractions = short([row["extraction"] for row in claims])
    models = short([row["model"] for row in claims])
    shown = claims if len(claims) <= most else [*claims[: most // 2], *claims[-(most // 2) :]]
    for row in shown:
        table.add_row(
            title(row["source"], row["task"]), row["partners"], extractions[row["extraction"]],
            models[row["model"]], f"{100 * row['gain']:+.1f}",
            f"{100 * row['low']:+.1f}, {100 * row['high']:+.1f}",
            f"{'+' if row['verdict'] == 'helps' else '-'} {row['verdict']}",
        )  # fmt: skip
    if len(claims) > len(shown):
        table.caption = f"{len(claims) - len(shown)} more in the report"
    return table


def terminal_table(
    summed: pa.Table | Iterable[Mapping[str, Any]],
    width: int = 80,
    primaries: Mapping[str, str] | None = None,
    most: int = 6,
) -> RenderableType:
    """Best cells of each task by the task's primary metric.

    Args:
        summed: what `summary` gave; controls are left out.
        width: columns to fit; long names are cut with an ellipsis.
        primaries: task -> metric; without it, the first of `METRICS` that a task has.
        most: rows a task; the source alone is always among them.
    """
    rows = summed.to_pylist() if isinstance(summed, pa.Table) else list(summed)
    rows = [row for row in rows if not row.get("control")]
    rows = [row for row in rows if row["metric"] == _primary(rows, row["task"], primaries)]
    if not rows:
        return Text("No results yet.")
    extractions = short([str(row["extraction"]) for row in rows])
    models = short([str(row["model"]) for row in rows])
    parts: list[RenderableType] = []
    for (source, task), group in groupby(sorted(rows, key=_order), key=_what):
        found = list(group)
        table = _headed(f"{title(source, task)} ({found[0]['metric']})", width)
        for row in _shown(found, most):
            table.add_row(
                partners(str(row["combination"]), source),
                extractions[str(row["extraction"])],
                models[str(row["model"])],
                spread(row["mean"], row["deviation"]),
                str(row["n"]),
                spread(row["gain"], row["gain_deviation"], sign=True),
            )
        parts.append(table)
        if len(found) > most:
            parts.append(Text(f"  {len(found) - most} more in the report", "dim"))
    return Group(*parts)


def spread(mean: float | None, deviation: float | None, sign: bool = False) -> str:
    """``0.812 ± 0.013``; without a deviation only the mean, and nothing without a mean."""
    if mean is None:
        return ""
    text = f"{mean:+.3f}" if sign else f"{mean:.3f}"
    return text if deviation is None else f"{text} ± {deviation:.3f}"


def _headed(name: str, width: int) -> Table:
    table = Table(
        title=name,
        title_justify="left",
        title_style="bold",
        box=None,
        width=width,
        pad_edge=False,
        header_style="dim",
    )
    for column, share in (("with", 3), ("extraction", 2), ("model", 2)):
        table.add_column(column, ratio=share, no_wrap=True, overflow="ellipsis")
    for column, size in (("score", 13), ("runs", 4), ("gain", 14)):
        table.add_column(column, justify="right", min_width=size, no_wrap=True)
    return table


def _shown(rows: list[dict[str, Any]], most: int) -> list[dict[str, Any]]:
    """The best rows; the source alone takes the last place when it is not among them."""
    alone = next((row for row in rows if row["combination"] == row["source"]), None)
    if alone is None or alone in rows[:most]:
        return rows[:most]
    return [*rows[: most - 1], alone]


def _primary(
    rows: Iterable[Mapping[str, Any]], task: str, primaries: Mapping[str, str] | None
) -> str:
    if primaries and task in primaries:
        return primaries[task]
    known = {row["metric"] for row in rows if row["task"] == task}
    return next((metric for metric in METRICS if metric in known), min(known))


def _what(row: Mapping[str, Any]) -> tuple[str, str]:
    return str(row["source"]), str(row["task"])


def _order(row: Mapping[str, Any]) -> tuple[Any, ...]:
    return (*_what(row), -row["mean"], row["cell"])


def _status(state: SweepState) -> str:
    failed, missing = len(state.failures), len(state.missing)
    parts = [f"{len(state.records)} of {len(state.planned)} runs have a record"]
    parts += [f"{failed} failed"] if failed else []
    parts += [f"{missing} missing"] if missing else []
    parts += (
        [f"{counted(len(state.problems), 'thing')} could not be read"] if state.problems else []
    )
    return ", ".join(parts) + "."

"""How an evaluation looks in a terminal of 80 columns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from raymtl.deploy.evaluation import Evaluated, Evaluation
from raymtl.results.runs.evaluated import Spread

_BESIDE = ("accuracy", "f1/macro", "mae", "rmse")  # in a table of epochs, where there are any
_COLUMNS = 5  # metrics of labels

Spreads = Mapping[tuple[int, str], Spread]


def show(
    evaluations: Sequence[Evaluation], name: str, best: int, spreads: Spreads, console: Console
) -> None:
    """One epoch with every metric and label; several as one table a task, a line an epoch."""
    for head in evaluations[0].heads:
        own = spreads[evaluations[0].epoch, head]
        console.print(
            Text.assemble((head, "bold"), f" on {name}: {own.clips:,} clips"
                          f"{f' in {own.groups:,} groups' if own.groups != own.clips else ''}")
        )  # fmt: skip
        if len(evaluations) == 1:
            _one(evaluations[0].heads[head], evaluations[0].epoch, best, own, console)
        else:
            _several(evaluations, head, best, spreads, console)


def _one(found: Evaluated, epoch: int, best: int, own: Spread, console: Console) -> None:
    chosen = "the best on validation" if epoch == best else f"the best on validation is {best}"
    console.print(f"  epoch {epoch} ({chosen})", markup=False)
    table = _table("metric", "value", "95 % interval")
    primary = found.task.primary
    for metric, value in sorted(found.measured.scalars.items(), key=lambda i: i[0] != primary):
        style = "bold" if metric == primary else ""
        table.add_row(
            Text(metric, style), f"{value:.4f}", _interval(own) if metric == primary else ""
        )
    console.print(table)
    if own.low is None:
        console.print(f"  no interval: {own.why}", markup=False)
    rows = {label: row for label, row in found.measured.per_label.items() if row.get("support")}
    if rows:
        metrics = [m for m in next(iter(rows.values())) if m != "support"][:_COLUMNS]
        table = _table("label", "clips", *metrics)
        for label, row in rows.items():
            numbers = (f"{row[m]:.3f}" if m in row else "" for m in metrics)
            table.add_row(Text(label), f"{row['support']:.0f}", *numbers)
        console.print(table)


def _several(
    evaluations: Sequence[Evaluation],
    head: str,
    best: int,
    spreads: Spreads,
    console: Console,
) -> None:
    """The best epoch on validation is marked, and the best on these clips said."""
    first = evaluations[0].heads[head]
    primary = first.task.primary
    beside = [metric for metric in _BESIDE if metric in first.measured.scalars]
    table = _table("epoch", primary, "95 % interval", *beside)
    for each in evaluations:
        scalars = each.heads[head].measured.scalars
        values = [f"{scalars[m]:.4f}" if m in scalars else "" for m in (primary, *beside)]
        mark = Text(f"{each.epoch} best" if each.epoch == best else f"{each.epoch}     ")
        table.add_row(mark, values[0], _interval(spreads[each.epoch, head]), *values[1:],
                      style="bold" if each.epoch == best else "")  # fmt: skip
    table.columns[0].justify = "right"
    table.columns[2].no_wrap = True
    console.print(table)
    known = {e.epoch: e.heads[head].measured.scalars.get(primary) for e in evaluations}
    scored = {epoch: value for epoch, value in known.items() if value is not None}
    if scored:
        top = max(scored, key=lambda epoch: (scored[epoch], epoch == best))
        console.print(
            f"  Highest on these clips is epoch {top}; validation chose {best}. An epoch chosen by "
            "these clips is to be scored on others."
        )


def _interval(own: Spread) -> str:
    return "" if own.low is None else f"{own.low:.3f} to {own.high:.3f}"


def _table(*columns: str) -> Table:
    table = Table(box=None, header_style="dim", padding=(0, 1), pad_edge=True)
    for at, column in enumerate(columns):
        table.add_column(column, justify="right" if at else "left", overflow="fold")
    return table

"""`raymtl audit`: what is wrong with corpora before anything is trained on them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from rich.console import Console
from rich.table import Table
from rich.text import Text

from raymtl.commands.listening import Sounds, hear
from raymtl.commands.target import Target, find
from raymtl.durable import write_durably
from raymtl.experiment import Experiment
from raymtl.extraction.listening.copies import Copy, plain
from raymtl.plan.leaks import Firewall
from raymtl.plan.parts import splits_of
from raymtl.plan.sources import prepare
from raymtl.reading.audit import across, stats
from raymtl.reading.audit.across import Alike, Member
from raymtl.reading.audit.findings import Audit, LeakRow, findings
from raymtl.reading.audit.html import page

_MOST = 20  # rows of a table in the terminal
_STYLES = {"leak": "bold red", "fault": "yellow", "note": "cyan", "good": "green"}


def show_audit(
    text: str, data: Path | None, store: str, out: Path | None, fast: bool, console: Console
) -> Path:
    """Prints what was found and writes the page; returns its path.

    Args:
        out: where the page goes; None: ``<store>/audits/<name>.html``.
        fast: look at metadata and bytes alone; nothing is decoded.
    """
    target = find(text, data, store)
    found = audit(target, None if fast else hear(target, console))
    _print(found, console)
    path = out or target.store / "audits" / f"{found.name.replace('/', '_')}.html"
    write_durably(path, page(found).encode())
    console.print(f"page: {path}", markup=False, soft_wrap=True)
    return path


def audit(target: Target, sounds: Sounds | None) -> Audit:
    """Everything that is found; `sounds` is None where nobody listened."""
    members = [
        Member(c.name, c.table, c.tasks, {str(path): fact for path, fact in c.facts.items()})
        for c in target.corpora
    ]
    places = across.places(members)
    copies = sounds.copies() if sounds is not None else []
    pairs = [(c.one, c.other, c.likeness.correlation, c.likeness.overlap) for c in copies]
    counted = {
        member.name: stats(
            member.table,
            member.tasks,
            member.facts,
            None if sounds is None else sounds.of(corpus),
        )
        for member, corpus in zip(members, target.corpora, strict=True)
    }
    near = None if sounds is None else across.near(places, pairs)
    return Audit(
        target.name,
        counted,
        across.shared_groups(members),
        across.equal(members, places),
        near,
        0 if sounds is None else plain(sounds.heard.values()),
        across.coverage(members),
        *_leaks(target, copies if sounds is not None else None),
    )


def _leaks(target: Target, copies: Sequence[Copy] | None) -> tuple[tuple[LeakRow, ...], str]:
    """Training against test in every combination and fold of a study, and its policy."""
    experiment = target.experiment
    if experiment is None:
        return (), ""
    corpora = prepare(experiment, target.data, target.store / "inspected.parquet", "skip")
    splits = splits_of(experiment, corpora)
    strict = _reporting(experiment)
    exact = Firewall(strict, corpora, splits)
    near = None if copies is None else Firewall(strict, corpora, splits, _same(copies))
    rows = [
        LeakRow(
            sources,
            fold,
            leaks.groups,
            leaks.audio,
            None if near is None else near.found[sources, fold].audio,
            leaks.allowed,
            sum(leaks.clips.values()),
            tuple(map(str, leaks.pairs)),
        )
        for (sources, fold), leaks in exact.found.items()
    ]
    return tuple(rows), experiment.leaks


def _reporting(experiment: Experiment) -> Experiment:
    """The experiment as its splits are, before anything is dropped."""
    return replace(experiment, leaks="report")


def _same(copies: Sequence[Copy]) -> Mapping[str, str]:
    """Each recording that has copies to one that stands for all of them."""
    first: dict[str, str] = {}

    def root(key: str) -> str:
        while first.setdefault(key, key) != key:
            key = first[key]
        return key

    for copy in copies:
        one, other = sorted((root(copy.one), root(copy.other)))
        first[other] = one
    return {key: root(key) for key in list(first)}


def _print(found: Audit, console: Console) -> None:
    said = Table(box=None, show_header=False, pad_edge=False)
    said.add_column(no_wrap=True)
    said.add_column(overflow="fold")
    for finding in findings(found):
        said.add_row(Text(finding.weight, _STYLES[finding.weight]), Text(finding.text))
    console.print(Text(f"Audit of {found.name}", "bold"))
    console.print(said)
    if len(found.corpora) > 1 or found.leaks:
        console.print(_sizes(found))
    for what, alike in (("Byte-identical", found.equal), ("Near-identical", found.near or ())):
        if alike:
            console.print(_alike(what, alike))
    if any(row.leaks or row.only_near for row in found.leaks):
        console.print(_leak_table(found.leaks))


def _sizes(found: Audit) -> Table:
    table = Table("corpus", box=None, pad_edge=False)
    for head in ("clips", "files", "hours", "groups", "faults"):
        table.add_column(head, justify="right")
    for name, counted in found.corpora.items():
        groups = sum(group.count for group in counted.groups)
        faults = len(counted.undecodable) + len(counted.silent or ())
        values = (counted.clips, counted.files, counted.hours, groups, faults)
        table.add_row(
            Text(name), *(f"{v:,.2f}" if isinstance(v, float) else f"{v:,}" for v in values)
        )
    return table


def _alike(what: str, alike: Sequence[Alike]) -> Table:
    table = Table(title=f"{what} recordings", title_justify="left", box=None, pad_edge=False)
    table.add_column("alike", justify="right", no_wrap=True)
    table.add_column("where", overflow="fold")
    for found in alike[:_MOST]:
        amount = "all" if found.correlation is None else f"{found.correlation:.2f}"
        table.add_row(amount, Text("\n".join(map(str, found.places[:_MOST]))))
    if len(alike) > _MOST:
        table.add_row("", f"(+{len(alike) - _MOST} more, on the page)")
    return table


def _leak_table(rows: Sequence[LeakRow]) -> Table:
    table = Table(title="Training against test", title_justify="left", box=None, pad_edge=False)
    table.add_column("combination", overflow="fold")
    for head in ("fold", "groups", "recordings", "near", "clips"):
        table.add_column(head, justify="right", no_wrap=True)
    bad = [row for row in rows if row.leaks or row.only_near]
    for row in bad[:_MOST]:
        near = "?" if row.near is None else str(row.only_near)
        values = (row.fold, sum(row.groups.values()), row.audio, near, row.clips)
        table.add_row(Text(" + ".join(row.sources)), *map(str, values))
    if len(bad) > _MOST:
        table.add_row(f"(+{len(bad) - _MOST} more, on the page)")
    return table

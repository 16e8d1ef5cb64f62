"""`raymtl stats`: what is in the corpora of a study."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console

from raymtl.commands.setting import settle
from raymtl.extraction.inspection import inspect
from raymtl.reading.audit import listen, render, stats


def show_stats(study: Path, data: Path | None, store: str, console: Console) -> None:
    """Prints the statistics of each corpus of the study, read once however many sources use it."""
    setting = settle(study, data, store)
    for reader in dict.fromkeys(source.reader for source in setting.experiment.sources):
        table = reader.read(reader.locate(setting.data))
        facts = inspect(sorted(set(table.paths())), setting.store / "inspected.parquet")
        console.rule(type(reader).__name__, align="left")
        heard = listen(table.paths())
        found = stats(table, reader.tasks, {str(p): f for p, f in facts.items()}, heard)
        console.print(render(found))

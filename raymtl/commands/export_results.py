"""`raymtl export-results`: a sweep as tidy tables for other programs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from raymtl.results.tables.exported import export


def export_results(
    sweep: Path, folder: Path, form: str, more: Sequence[str], console: Console
) -> None:
    """Writes the tables and says what is in each."""
    written, gone = export(sweep.resolve(), folder, form, more)
    for name, rows in written.items():
        console.print(f"{rows:>9,} rows  {folder / name}", markup=False, soft_wrap=True)
    if gone:
        names = ", ".join(path.name for path in gone)
        console.print(f"removed, of an earlier export: {names}", markup=False, soft_wrap=True)

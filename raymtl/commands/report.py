"""`raymtl report`: table and page of a sweep, finished or not."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console

from raymtl.results.report import write_report
from raymtl.results.terminal import print_results


def show_report(sweep: Path, console: Console) -> None:
    """Writes the page, prints the table and where the page is."""
    page = write_report(sweep)
    print_results(sweep, console)
    console.print(f"report: {page}", markup=False, soft_wrap=True)

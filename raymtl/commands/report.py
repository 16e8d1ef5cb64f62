"""`raymtl report`: table and page of a sweep, finished or not."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console

from raymtl.results.report import write_report
from raymtl.results.terminal import print_results
from raymtl.results.transfer.answers import Rules
from raymtl.results.transfer.verdicts import ROPE


def show_report(sweep: Path, console: Console, region: float = ROPE) -> None:
    """Writes the page, prints the table and where the page is.

    region: half-width of the region of equivalence, in units of the metric.
    """
    rules = Rules(rope=region)
    page = write_report(sweep, rules)
    print_results(sweep, console, rules=rules)
    console.print(f"report: {page}", markup=False, soft_wrap=True)

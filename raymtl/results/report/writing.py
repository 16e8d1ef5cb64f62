"""From a sweep's folder to the page and its tables."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from raymtl.durable import write_durably
from raymtl.results.report.files import KINDS, files_of, within, write_files
from raymtl.results.report.page import page
from raymtl.results.state import SweepState, read_sweep
from raymtl.results.table import save_results
from raymtl.results.transfer.answers import Rules

TABLES = "tables"  # the folder beside the page


def write_report(sweep: Path, rules: Rules | None = None) -> Path:
    """Writes ``report/index.html``, the tables behind it (``report/tables/*.csv``,
    ``*.parquet``, ``*.tex``) and ``results.parquet`` from what lies in `sweep`.

    Works on an unfinished, empty or damaged sweep: the page says what is missing.

    Raises:
        StoreError: when the folder cannot be written.
    """
    state = read_sweep(sweep)
    save_results(sweep, state.results)
    folder = sweep / "report"
    written = write_page("page.html.jinja", page(state, rules), folder / "index.html", TABLES)
    for path in (path for kind in KINDS for path in (folder / TABLES).glob(f"*.{kind}")):
        (folder / path.name).unlink(missing_ok=True)  # where they were once
    return written


def render(state: SweepState) -> str:
    """The page as HTML; every word that comes from data is escaped."""
    content = page(state)
    return drawn("page.html.jinja", content, files_of(content), TABLES)


def write_page(template: str, content: Mapping[str, Any], page: Path, tables: str) -> Path:
    """Writes a page, and the files of its tables into the folder `tables` beside it.

    Raises:
        StoreError: when they cannot be written.
    """
    files = files_of(content)
    write_files(page.parent / tables, files)
    write_durably(page, drawn(template, content, files, tables).encode())
    return page


def drawn(
    template: str, content: Mapping[str, Any], files: Mapping[str, bytes], tables: str
) -> str:
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
    )
    environment.filters["shell"] = shlex.join
    environment.globals["folder"] = tables
    return environment.get_template(template).render(content, files=within(files))

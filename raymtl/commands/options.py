"""Arguments and options that several commands take."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any

import click

FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)
NEW_FILE = click.Path(dir_okay=False, path_type=Path)
NEW_FOLDER = click.Path(file_okay=False, path_type=Path)

Decorator = Callable[[Any], Any]


def data_option(meaning: str) -> Decorator:
    """``--data``: a folder that is there, or None."""
    return click.option("--data", type=FOLDER, help=meaning)


def store_option(
    meaning: str = "Where features, fits and results are kept.", kind: click.Path | None = None
) -> Decorator:
    """``--store``, or the environment's RAYMTL_STORE; a text, or a path where `kind` says so."""
    return click.option(
        "--store",
        default="raymtl-store",
        show_default=True,
        envvar="RAYMTL_STORE",
        type=kind,
        metavar="DIRECTORY",
        help=meaning,
    )


def region_option(command: Any) -> Any:
    """``--region``: half-width of the region of equivalence, given in points; the command gets it
    as a part of 1."""
    return click.option(
        "--region",
        type=click.FloatRange(0, min_open=True),
        default=0.5,
        show_default=True,
        metavar="POINTS",
        callback=lambda _context, _parameter, value: value / 100,
        help="Equivalent is a difference whose whole interval lies within this many points (a "
        "hundredth of the metric's unit) of zero.",
    )(command)


def on_sweep(command: Any) -> Any:
    """Argument SWEEP, a folder or a name below ``--store``; the command is given the folder."""

    @wraps(command)
    def found(sweep: str, store: Path, **options: Any) -> Any:
        from raymtl.results.finding import find_sweep

        return command(find_sweep(sweep, store), **options)

    store = store_option("Store that holds SWEEP.", NEW_FOLDER)
    return click.argument("sweep")(store(found))

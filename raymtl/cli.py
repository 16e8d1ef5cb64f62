"""The command line: parse, call one function, print. Every failure exits non-zero."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from raymtl.commands.group import Commands
from raymtl.commands.networks import CODE, EPOCH, RUN, SOURCE, STORE, found
from raymtl.commands.networks import COMMANDS as ON_NETWORKS
from raymtl.commands.on_records import COMMANDS as ON_RECORDS
from raymtl.commands.options import (
    FILE,
    NEW_FILE,
    NEW_FOLDER,
    data_option,
    on_sweep,
    region_option,
    store_option,
)


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="raymtl")
def main() -> None:
    """Which audio tasks and datasets should be learnt together, and how sure are we?

    Exit codes: 0 done; 1 in part, or not as it should be; 2 the input is at fault, said before
    compute is spent; 130 interrupted.
    """


def _data_and_store(command: Any) -> Any:
    data = data_option("Folder that holds the corpora. Without it, miniatures are used.")
    return data(store_option()(command))


def _bad_files(command: Any) -> Any:
    return click.option(
        "--bad-files",
        type=click.Choice(["fail", "skip"]),
        default="fail",
        show_default=True,
        help="What to do about recordings that cannot be used.",
    )(command)


_ONLY = click.option(
    "--only",
    metavar="PATTERN",
    help="Only cells whose name matches, such as 'fsdd.digit*' or 'logmel'.",
)


_KEEP = click.option(
    "--keep",
    default="best",
    show_default=True,
    metavar="EPOCHS",
    help="Epochs whose weights are kept besides the best one's: all, last, every:N, 3,10,25; "
    "several are joined by commas.",
)


@main.command()
@click.argument("study", type=FILE)
@_data_and_store
@_bad_files
@_ONLY
@_KEEP
@click.option("--lanes", type=click.IntRange(1), help="Runs trained side by side. [default: CPUs]")
@click.option(
    "--gpus-per-cell",
    type=click.FloatRange(0),
    default=0.0,
    show_default=True,
    help="GPU share of each cell; 0.25 puts four on one GPU.",
)
@click.option(
    "--workers",
    type=click.IntRange(1),
    default=1,
    show_default=True,
    help="Ray Train workers for each cell.",
)
@click.option(
    "--address",
    help="A running Ray cluster: auto, or host:port. Without it a local one is started.",
)
@click.option("--fail-fast", is_flag=True, help="Stop at the first run that fails.")
@click.option("--plain", is_flag=True, help="Plain progress lines, as without a terminal.")
def sweep(
    study: Path, data: Path | None, store: str, only: str | None, keep: str, **options: Any
) -> None:
    """Run what STUDY asks for and has no record yet.

    It ends in one table and one page. The same command may be run again at any time: it does what
    is left. Exit code 0 means that every requested run has a record; 1, that some failed; 2, that
    the input is at fault; 130, that it was interrupted.
    """
    from raymtl.commands.sweep import run_sweep
    from raymtl.engine.sweep import SweepOptions
    from raymtl.kept import Keep

    chosen = SweepOptions(**options, keep=Keep.parse(keep))
    sys.exit(run_sweep(study, data, store, only, chosen, Console(highlight=False)))


@main.command()
@click.argument("study", type=FILE)
@_data_and_store
@_bad_files
@_ONLY
@_KEEP
def plan(
    study: Path, data: Path | None, store: str, bad_files: str, only: str | None, keep: str
) -> None:
    """Show what STUDY will run, what is cached, what it costs.

    Costs are estimated time and disk. Runs and changes nothing.
    """
    from raymtl.commands.plan import show_plan
    from raymtl.kept import Keep

    show_plan(study, data, store, only, bad_files, Keep.parse(keep), Console(highlight=False))


@main.command()
@click.argument("study", type=FILE)
@_data_and_store
@_ONLY
def check(study: Path, data: Path | None, store: str, only: str | None) -> None:
    """Take two clips a source through STUDY, in seconds.

    That is its whole pipeline, to one optimiser step, without Ray.
    """
    from raymtl.commands.check import check_study

    sys.exit(check_study(study, data, store, only, Console(highlight=False)))


@main.command()
@click.argument("target")
@_data_and_store
def stats(target: str, data: Path | None, store: str) -> None:
    """Show what is in corpora: clips, hours, labels, faults.

    TARGET is a study's file, or a reader or source: Fsdd, readers.esc:Esc50, mine.py:Mine.
    """
    from raymtl.commands.stats import show_stats

    show_stats(target, data, store, Console(highlight=False))


@main.command()
@click.argument("target")
@_data_and_store
@click.option(
    "--page",
    type=NEW_FILE,
    help="Where the page goes. [default: <store>/audits/<name>.html]",
)
@click.option("--fast", is_flag=True, help="Look at metadata and bytes alone; decode nothing.")
def audit(target: str, data: Path | None, store: str, page: Path | None, fast: bool) -> None:
    """Look for leaks, copies and faults in corpora.

    Leaks between training and test, identical and near-identical recordings, shared groups, silent,
    clipped and broken files, rare labels, missing targets; in words, in tables and as one page.

    TARGET is a study's file, or a reader or source: Fsdd, readers.esc:Esc50, mine.py:Mine.
    """
    from raymtl.commands.audit import show_audit

    show_audit(target, data, store, page, fast, Console(highlight=False))


@main.command()
@on_sweep
@region_option
def report(sweep: Path, region: float) -> None:
    """Write the page and print the table of SWEEP.

    SWEEP is its folder or, below the store, its name or the beginning of that. It may be
    unfinished.
    """
    from raymtl.commands.report import show_report

    show_report(sweep, Console(highlight=False), region)


@main.command()
@click.argument("a")
@click.argument("b")
@store_option("Store that holds A and B.", NEW_FOLDER)
@region_option
@click.option(
    "--page",
    type=NEW_FILE,
    default="raymtl-compare.html",
    show_default=True,
    help="Where the page goes; its tables lie beside it.",
)
def compare(a: str, b: str, page: Path, store: Path, region: float) -> None:
    """Hold two sweeps, or two stores, against each other.

    Shows the cells that are in both, and how their scores differ. A and B are sweeps' folders or
    names below the store, or two stores.
    """
    from raymtl.commands.compare import show_comparison

    show_comparison(a, b, store, page, Console(highlight=False), region)


@main.command()
@RUN
@STORE
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option(
    "--port",
    type=click.IntRange(1, 65535),
    default=8000,
    show_default=True,
    help="Port to listen on.",
)
@click.option(
    "--replicas",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    help="Processes that answer side by side.",
)
@SOURCE
@EPOCH
@CODE
def serve(run: str, store: str, **options: Any) -> None:
    """Serve RUN's network with a page to drop recordings on.

    RUN is a run's folder, its name as `raymtl show` takes it, or what `raymtl export` wrote. Ctrl-C
    ends it. Needs raymtl[serve].
    """
    from raymtl.commands.serve import serve_run

    serve_run(found(run, store), **options)


@main.command()
@data_option("Folder that holds the corpora; what is found there is counted.")
@click.option("-v", "--verbose", is_flag=True, help="Also what to cite, and errors in full.")
def data(data: Path | None, verbose: bool) -> None:
    """List every corpus: tasks, size, licence, what is there."""
    from raymtl.commands.data import show_data

    show_data(data, verbose, Console(highlight=False))


@main.command()
@click.argument("reader")
@data_option("Folder that holds the corpora. Without it, the reader's miniature is used.")
def check_reader(reader: str, data: Path | None) -> None:
    """Hold READER to what every reader promises.

    Exit code 1 when it does not keep that. READER is a class or value of a file,
    my_reader.py:MyReader or my_reader.py:MyReader(field=1), or one that comes with raymtl: Fsdd,
    'Folder("birds")'.
    """
    from raymtl.commands.check_reader import check_reader

    sys.exit(check_reader(reader, data, Console(highlight=False)))


@main.command()
@click.argument("folder", type=NEW_FOLDER)
@click.option("--seed", default=0, show_default=True, help="Other numbers give other sound.")
def miniatures(folder: Path, seed: int) -> None:
    """Write a tiny synthetic copy of every corpus.

    Each lies below FOLDER in its true layout, and readers read it as they do the corpus.
    """
    from raymtl.commands.setting import write_miniatures

    for name, root in write_miniatures(folder, seed):
        click.echo(f"{name:24} {root}")


for _command in (*ON_NETWORKS, *ON_RECORDS):
    main.add_command(_command)

"""The command line of what has been recorded: one run, a store's tables, what may go."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from raymtl.commands.options import (
    FILE,
    FOLDER,
    NEW_FILE,
    NEW_FOLDER,
    data_option,
    on_sweep,
    store_option,
)

_STORE = store_option("Store to look in.", NEW_FOLDER)


@click.command()
@click.argument("run")
@_STORE
def show(run: str, store: Path) -> None:
    """Show everything about RUN: scores, history, files.

    Also how it ended, what it was made with, and how to get it again. RUN is its folder, or a name
    below the store's sweeps: whole, its beginning, or the beginning of its address. Exit code 1
    when a file of it is damaged.
    """
    from raymtl.commands.show import show_run

    sys.exit(show_run(run, store, Console(highlight=False)))


@click.command()
@click.argument("sql", required=False)
@_STORE
@click.option("--tables", is_flag=True, help="List the tables and their columns.")
@click.option(
    "--format",
    "form",
    type=click.Choice(["table", "csv", "json", "parquet"]),
    help="How rows are written. [default: by the ending of -o, else table]",
)
@click.option("-o", "--output", type=NEW_FILE, help="Write to this file.")
def query(sql: str | None, store: Path, tables: bool, **options: Any) -> None:
    """Ask the store's tables in SQL.

    They are results, runs, sources, metrics, predictions, transfer, ... SQL is one SELECT in
    DuckDB's words; nothing can be changed by it. Files are read only when their table is asked for.
    """
    from raymtl.commands.query import ask, list_tables

    if tables or sql is None:
        list_tables(Console(highlight=False))
        return
    ask(sql, store, options["form"], options["output"], Console(highlight=False))


@click.command()
@click.argument("run")
@_STORE
@data_option("Where the corpora are. [default: where they were]")
@click.option(
    "--study",
    type=FILE,
    help="The study. [default: the sweep's copy]",
)
@click.option(
    "--into",
    type=NEW_FOLDER,
    help="Keep the new record below this folder.",
)
@click.option("--device", help="Where to train: cpu, cuda:0. [default: as recorded]")
@click.option("--pdb", "debug", is_flag=True, help="Enter the debugger where something is raised.")
@click.option(
    "--keep",
    default="best",
    metavar="EPOCHS",
    help="Add the weights of these epochs to the record, when all numbers are equal: all, last, "
    "every:N, 3,10,25; several are joined by commas. [default: none]",
)
def rerun(run: str, store: Path, **options: Any) -> None:
    """Train RUN again without Ray; are its numbers the same?

    It is trained in this process, for a debugger, and every number is held against its record. Exit
    code 0 when all are equal, 1 when one differs; what the run raises is not caught. RUN is named
    as for show.
    """
    from raymtl.commands.rerun import rerun as train_again

    sys.exit(train_again(run, store, **options, console=Console(highlight=False)))


@click.command()
@_STORE
@click.option("--yes", is_flag=True, help="Remove it.")
@click.option(
    "--epochs",
    metavar="PATTERN",
    help="Also every kept epoch but the best of runs whose <sweep>/<run> matches; '*' for all.",
)
def prune(store: Path, yes: bool, epochs: str | None) -> None:
    """List what the store can do without; remove it.

    Nothing is removed without --yes. What is listed is: feature sets and fits that no sweep refers
    to, half-trained runs of finished sweeps, Ray's scratch, and files set aside as damaged. Nothing
    that a record needs, or a sweep at work.
    """
    from raymtl.commands.prune import prune as tidy

    tidy(store, yes, epochs, Console(highlight=False))


@click.command()
@on_sweep
@click.option(
    "--format",
    "form",
    type=click.Choice(["csv", "parquet"]),
    default="csv",
    show_default=True,
    help="Of each table.",
)
@click.option(
    "-o",
    "--output",
    type=NEW_FOLDER,
    required=True,
    help="Folder for the tables.",
)
@click.option("--metrics", is_flag=True, help="Also every epoch of every run.")
@click.option("--predictions", is_flag=True, help="Also what was said of every test clip.")
def export_results(sweep: Path, form: str, output: Path, **more: bool) -> None:
    """Write SWEEP as tidy CSV or Parquet tables.

    They are results, runs, sources, labels and transfer; columns.csv says what their columns mean.
    SWEEP is named as for report.
    """
    from raymtl.commands.export_results import export_results as export

    wanted = [name for name, asked in more.items() if asked]
    export(sweep, output, form, wanted, Console(highlight=False))


@click.command()
@on_sweep
@click.option(
    "--embeddings",
    is_flag=True,
    help="Also test clips for its projector: where the heads' input puts them, from features in "
    "the store; where these are gone, by their scores.",
)
def tensorboard(sweep: Path, embeddings: bool) -> None:
    """Lay SWEEP out for TensorBoard under short names.

    Prints the command that shows it. May be called again as the sweep goes on. SWEEP is named as
    for report.
    """
    from raymtl.commands.tensorboard import lay_out

    lay_out(sweep, embeddings, Console(highlight=False))


@click.command()
@on_sweep
@click.option(
    "--to", type=click.Choice(["mlflow", "wandb"]), required=True, help="Tracker to write to."
)
@click.option("--uri", help="MLflow's server. [default: $MLFLOW_TRACKING_URI]")
@click.option("--project", help="Experiment or project to write to. [default: the sweep's name]")
@click.option("--offline", is_flag=True, help="wandb: write files only, to be synchronised later.")
def track(sweep: Path, to: str, **options: Any) -> None:
    """Hand SWEEP's runs to MLflow or Weights & Biases.

    Those are its finished runs, each once. May be called again as the sweep goes on: it writes the
    runs that are not there yet. SWEEP is named as for report.
    """
    from raymtl.commands.track import track as write

    write(sweep, to, **options, console=Console(highlight=False))


@click.command()
@click.argument("sweep", required=False)
@store_option("Store that holds SWEEP.", NEW_FOLDER)
@click.option("--budget", type=click.IntRange(1), help="Networks at most. [default: 1 to 6]")
@click.option(
    "--only",
    metavar="PATTERN",
    help="Measure under extractions and networks of cells whose name matches, such as "
    "'*logmel--sharedcnn'.",
)
@click.option("--no-measuring", is_flag=True, help="Use the measures that are kept; make none.")
@click.option(
    "--code",
    multiple=True,
    help="Module or Python file of classes of your own that runs were made with.",
)
@click.option(
    "-o",
    "--output",
    type=NEW_FILE,
    help="Also write all that was found to this JSON file.",
)
@click.option(
    "--published",
    type=FOLDER,
    metavar="LOGS",
    help="In place of a sweep: judge the 90 pairs of Bingel & Søgaard (EACL 2017) by the folder "
    "'logs' of github.com/jbingel/eacl2017_mtl.",
)
def relate(
    sweep: str | None, store: Path, published: Path | None, no_measuring: bool, **options: Any
) -> None:
    """Show which tasks of SWEEP to train together.

    SWEEP is named as for report. Shows the best networks under a budget, predictors of gain beside
    what names alone tell, whether relations are the same under other features, networks and third
    tasks, and what explains scores.

    Features and networks are measured once under every extraction and network, on up to 150 clips a
    source: distances, alike representations, probes, gradients. Nothing is trained. The measures
    are kept in probes.json of the sweep, where the report finds them. Exit code 130: interrupted;
    the same command goes on.
    """
    from raymtl.commands.relate import show_published, show_relations
    from raymtl.results.finding import find_sweep

    if (sweep is None) == (published is None):
        raise click.UsageError("Give a sweep, or --published LOGS in its place.")
    console = Console(highlight=False)
    if published is not None:
        show_published(published, console)
    elif sweep is not None:
        folder = find_sweep(sweep, store)
        sys.exit(show_relations(folder, console=console, probing=not no_measuring, **options))


COMMANDS = (relate, show, rerun, query, export_results, tensorboard, track, prune)

"""The commands on trained networks, but for `serve`: predict, evaluate, export."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from raymtl.commands.options import FOLDER, NEW_FILE, data_option, store_option

RUN = click.argument("run")
CODE = click.option(
    "--code",
    multiple=True,
    help="Module or Python file of classes of your own that the run was made with.",
)
STORE = store_option("Store that holds RUN.")


def _epoch(ctx: click.Context, param: click.Parameter, value: str | None) -> int | str | None:
    """A number, best or last."""
    if value in (None, "best", "last"):
        return value
    if value.isdecimal() and int(value) > 0:
        return int(value)
    raise click.BadParameter(f"{value!r} is no epoch; expected a number from 1, best or last.")


EPOCH = click.option(
    "--epoch",
    callback=_epoch,
    metavar="N|best|last",
    help="Whose weights to use, of those that were kept. [default: best]",
)
SOURCE = click.option(
    "--source", help="Source of the run whose signal and stages to use. [default: each task's own]"
)


@click.command()
@RUN
@click.argument("files", nargs=-1, required=True)
@STORE
@click.option(
    "--format",
    "form",
    type=click.Choice(["text", "jsonl", "csv", "audacity"]),
    help="Text for people; JSON lines, one a recording; CSV, one row a window; label tracks for "
    "Audacity. [default: text on a terminal, else jsonl]",
)
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    help="File to write; for audacity a folder. [default: standard output]",
)
@click.option(
    "--window",
    default="auto",
    show_default=True,
    help="Seconds heard at a time; 'clip': each recording as training takes a clip; 'auto': "
    "windows where it is longer than every clip of training.",
)
@click.option("--hop", type=float, help="Seconds from window to window. [default: half a window]")
@SOURCE
@EPOCH
@CODE
def predict(run: str, files: tuple[str, ...], store: str, **options: Any) -> None:
    """Say what RUN's network hears in FILES, and when.

    That is labels, scores and times, by task. RUN is a run's folder, its name as `raymtl show`
    takes it, or what `raymtl export` wrote. FILES are recordings, folders of them, or - for one on
    standard input. Exit code 1: some gave no answer; why is said in its place.
    """
    from raymtl.commands.predict import predict as answered

    sys.exit(answered(found(run, store), files, **options))


@click.command()
@RUN
@click.option(
    "--on", required=True, help="Reader or source: Fsdd, 'Ravdess().source(\"emotion\")'."
)
@data_option("Folder that holds the corpus. Without it, its miniature is used.")
@STORE
@click.option(
    "--seen",
    type=click.Choice(["drop", "keep"]),
    default="drop",
    show_default=True,
    help="What becomes of clips that the run used, but not as test clips.",
)
@click.option(
    "-o",
    "--output",
    type=NEW_FILE,
    help="Write every metric (.json, .csv or .parquet).",
)
@click.option(
    "--predictions",
    type=NEW_FILE,
    help="Write what is said of every clip (.csv or .parquet).",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON, and notes on standard error.")
@click.option(
    "--epoch",
    default="best",
    show_default=True,
    metavar="EPOCHS",
    help="Whose weights, of those that were kept: 3, last, all; several are joined by commas.",
)
@SOURCE
@CODE
def evaluate(
    run: str,
    on: str,
    data: Path | None,
    store: str,
    output: Path | None,
    predictions: Path | None,
    as_json: bool,
    **options: Any,
) -> None:
    """Score RUN's network on other clips.

    They go through the stages that were fitted for it. RUN is named as for predict. Tasks are
    matched by the names of heads; heads= and aliases= of a source map others. The main metric has a
    95 % interval, by a bootstrap over groups of clips. Exit code 1: some clips could not be
    decoded; they are named.
    """
    from raymtl.commands.evaluate import Outputs, show_evaluation

    console = Console(highlight=False, stderr=as_json)
    options["outputs"] = Outputs(output, predictions, as_json)
    sys.exit(show_evaluation(found(run, store), on, data, store, **options, console=console))


@click.command()
@RUN
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    required=True,
    help="File to write, as bird.raymtl (a zip file); without an ending, a folder.",
)
@click.option(
    "--recordings",
    type=FOLDER,
    help="Folder of other recordings that graphs from waveforms are checked on.",
)
@data_option(
    "Folder of the run's corpora: graphs from waveforms are checked on its own "
    "test recordings. [default: on made sounds]"
)
@STORE
@SOURCE
@EPOCH
@CODE
def export(run: str, output: Path, store: str, recordings: Path | None, **options: Any) -> None:
    """Write RUN's network as one file that runs elsewhere.

    RUN is its folder, or its name as `raymtl show` takes it. The file holds stages, network,
    labels, graphs (ONNX, torch.export) and a model card. Graphs are checked in ONNX Runtime against
    what the run said of its test clips. Needs raymtl[export].
    """
    from raymtl.commands.export import export_run

    console = Console(highlight=False)
    export_run(found(run, store), output, recordings=recordings, console=console, **options)


def found(run: str, store: str) -> Path:
    """A path that is there, or a run below the store."""
    from raymtl.results.finding import find_run

    return Path(run) if Path(run).exists() else find_run(run, Path(store)).folder


COMMANDS = (predict, evaluate, export)

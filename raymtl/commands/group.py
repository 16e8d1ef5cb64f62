"""The commands together: listed by purpose, each with an example; what ends one is said once."""

from __future__ import annotations

from typing import Any, NamedTuple

import click

from raymtl.errors import RaymtlError

FAULT, INTERRUPTED = 2, 130


class Place(NamedTuple):
    """Under which heading a command is listed, and how it is called."""

    heading: str
    example: str


_DATA, _BEFORE, _RUN = "Data", "Before a sweep", "Run"
_RESULTS, _NETWORKS = "Results", "Trained networks"
PLACES = {
    "data": Place(_DATA, "--data corpora"),
    "miniatures": Place(_DATA, "tiny-corpora"),
    "check-reader": Place(_DATA, "my_reader.py:MyReader --data corpora"),
    "stats": Place(_DATA, "mine.py --data corpora"),
    "audit": Place(_DATA, "mine.py --data corpora"),
    "check": Place(_BEFORE, "mine.py --data corpora"),
    "plan": Place(_BEFORE, "mine.py --data corpora"),
    "sweep": Place(_RUN, "mine.py --data corpora --lanes 4 --keep last"),
    "rerun": Place(_RUN, "46ce24d9 --pdb"),
    "report": Place(_RESULTS, "mine"),
    "compare": Place(_RESULTS, "mine other-sweep --page both.html"),
    "relate": Place(_RESULTS, "mine --budget 2"),
    "show": Place(_RESULTS, "46ce24d9"),
    "query": Place(_RESULTS, "\"SELECT task, value FROM results WHERE metric = 'uar'\""),
    "export-results": Place(_RESULTS, "mine -o tables --format parquet"),
    "tensorboard": Place(_RESULTS, "mine --embeddings"),
    "track": Place(_RESULTS, "mine --to mlflow --uri http://localhost:5000"),
    "prune": Place(_RESULTS, "--store raymtl-store"),
    "predict": Place(_NETWORKS, "46ce24d9 recordings/ --format csv -o said.csv"),
    "evaluate": Place(_NETWORKS, "46ce24d9 --on EmoDb --data corpora -o scores.csv"),
    "export": Place(_NETWORKS, "46ce24d9 -o bird.raymtl"),
    "serve": Place(_NETWORKS, "46ce24d9 --port 8000"),
}


class Commands(click.Group):
    """Lists commands by purpose; says our errors in one message and an interrupt in one line."""

    def add_command(self, cmd: click.Command, name: str | None = None) -> None:
        """Takes a command that has a place, and ends its help with an example.

        Raises:
            KeyError: for a command without a place.
        """
        called = name or str(cmd.name)
        cmd.epilog = f"Example: raymtl {called} {PLACES[called].example}"
        super().add_command(cmd, name)

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [name for name in PLACES if name in self.commands]

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        names = self.list_commands(ctx)
        limit = formatter.width - 6 - max(map(len, names))
        for heading in dict.fromkeys(PLACES[name].heading for name in names):
            rows = [
                (name.ljust(max(map(len, names))), self.commands[name].get_short_help_str(limit))
                for name in names
                if PLACES[name].heading == heading
            ]
            with formatter.section(heading):
                formatter.write_dl(rows)

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except RaymtlError as error:
            click.secho("error: ", fg="red", bold=True, err=True, nl=False)
            click.echo(str(error), err=True)
            ctx.exit(FAULT)
        except KeyboardInterrupt:
            click.echo(f"raymtl {ctx.invoked_subcommand}: interrupted.", err=True)
            ctx.exit(INTERRUPTED)

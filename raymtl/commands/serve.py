"""`raymtl serve`: a trained network behind a web page."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import click

from raymtl.engine.serve import serve
from raymtl.kept import Epoch


def serve_run(
    run: Path,
    host: str,
    port: int,
    replicas: int,
    epoch: Epoch | None,
    source: str | None = None,
    code: Sequence[str] = (),
) -> None:
    """Serves until interrupted; says where.

    Raises:
        RaymtlError: for a run that cannot be served, a port that is taken, or without Ray Serve.
    """
    if host not in ("127.0.0.1", "localhost", "::1"):
        click.echo(f"warning: {host} answers other machines too, and asks nobody who they are.")

    def ready(url: str) -> None:
        click.echo(f"{url} answers; Ctrl-C ends it.")

    try:
        told = partial(click.echo, err=True)
        serve(run, host, port, replicas, ready, epoch, told, source, code)
    except KeyboardInterrupt:
        click.echo("Ended.", err=True)

"""`raymtl tensorboard`: a sweep under short names, and how to look at it."""

from __future__ import annotations

import shlex
from pathlib import Path

from rich.console import Console

from raymtl.results.logdir import logdir, write_logdir


def lay_out(sweep: Path, embeddings: bool, console: Console) -> None:
    """Writes the folder for TensorBoard and prints the command."""
    names = write_logdir(sweep.resolve(), embeddings)
    shown = list(names)[:5]
    console.print(f"{len(names)} runs, such as {', '.join(shown)}", markup=False, soft_wrap=True)
    command = shlex.join(["tensorboard", "--logdir", str(logdir(sweep))])
    console.print(command, markup=False, soft_wrap=True)

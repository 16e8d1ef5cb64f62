"""`raymtl tensorboard`: a sweep under short names, and how to look at it."""

from __future__ import annotations

import shlex
from pathlib import Path

from rich.console import Console

from raymtl.results.logdir import logdir, write_logdir
from raymtl.wording import counted


def lay_out(sweep: Path, embeddings: bool, console: Console) -> None:
    """Writes the folder for TensorBoard and prints the command."""
    names = write_logdir(sweep.resolve(), embeddings)
    shown = list(names)[:5]
    console.print(
        f"{counted(len(names), 'run')}, such as {', '.join(shown)}", markup=False, soft_wrap=True
    )
    command = shlex.join(["tensorboard", "--logdir", str(logdir(sweep))])
    console.print(command, markup=False, soft_wrap=True)

"""`raymtl tensorboard`: a sweep under short names, and how to look at it."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from raymtl.results.tracking.logdir import CLIPS, Points, logdir, write_logdir
from raymtl.wording import counted

_TICKED = 40  # runs that TensorBoard shows without being asked


def lay_out(sweep: Path, embeddings: bool, console: Console) -> None:
    """Writes the folder for TensorBoard and prints the command."""
    placing = _Placing(console)
    names = write_logdir(sweep.resolve(), embeddings, placing)
    shown = list(names)[:5]
    console.print(
        f"{counted(len(names), 'run')}, such as {', '.join(shown)}", markup=False, soft_wrap=True
    )
    if embeddings:
        placing.tell()
    if len(names) > _TICKED:
        console.print(
            f"Of more than {_TICKED} runs TensorBoard shows none until some are ticked: filter "
            "them by name, such as /f1$, and tick those."
        )
    command = shlex.join(["tensorboard", "--logdir", str(logdir(sweep))])
    console.print(command, markup=False, soft_wrap=True)


class _Placing:
    """Puts test clips where the network's heads see them, and counts runs where that cannot be."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._placed = 0
        self._not: Counter[str] = Counter()

    def __call__(self, run: Path) -> Sequence[Points]:
        from raymtl.deploy.embedding import clouds
        from raymtl.errors import RaymtlError

        try:
            found = clouds(run, CLIPS)
        except RaymtlError as error:
            self._not[str(error).removeprefix(f"{run}: ")] += 1
            return []
        self._placed += bool(found)
        return found

    def tell(self) -> None:
        runs = counted(self._placed, "run")
        self._console.print(f"{runs}: test clips lie where the input of the heads puts them.")
        for reason, count in self._not.most_common(5):
            self._console.print(
                f"{counted(count, 'run')}: by their scores, for {reason}",
                markup=False,
                soft_wrap=True,
            )

"""`raymtl track`: finished runs of a sweep, handed to a tracker of experiments."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console

from raymtl.results.tracking.tracked import tracked
from raymtl.results.tracking.trackers import to_mlflow, to_wandb
from raymtl.wording import counted


def track(
    sweep: Path, to: str, uri: str | None, project: str | None, offline: bool, console: Console
) -> None:
    """Writes what the tracker lacks and says how many runs that was.

    Raises:
        PreflightError: for what keeps the tracker from writing.
    """
    sweep = sweep.resolve()
    name = project or sweep.name
    if to == "mlflow":
        count = to_mlflow(tracked(sweep), uri, name)
    else:
        noted = sweep / "tracked" / f"wandb-{name}{'-offline' if offline else ''}.json"
        count = to_wandb(tracked(sweep), sweep / "tracked", name, offline, noted)
    console.print(f"{counted(count, 'run')} written to {to}: {name}", markup=False)

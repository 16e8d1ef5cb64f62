"""`--keep` of a sweep and its plan: what it costs, and which finished runs lack what it wants."""

from __future__ import annotations

import shlex
import shutil

from rich.console import Console

from raymtl.commands.prune import size
from raymtl.errors import PreflightError
from raymtl.kept import Keep, spelt
from raymtl.plan import Plan
from raymtl.results.runs.epochs import lacking
from raymtl.wording import counted

_SHOWN = 5  # runs named


def check_keep(plan: Plan, keep: Keep) -> None:
    """Refuses epochs that no run has.

    Raises:
        PreflightError: for a number above the epochs of every run.
    """
    longest = max((job.training.epochs for job in plan.runs), default=0)
    asked = max([*keep.numbers, keep.every])
    if asked > longest:
        raise PreflightError(
            f"--keep: epoch {asked}, but no run of the study is trained for more than {longest}. "
            f"Ask for epochs from 1 to {longest}, last or all."
        )


def tell_kept(plan: Plan, keep: Keep, count: int, console: Console) -> None:
    """Says what keeping will take of the disk, and which finished runs lack what is asked for.

    count: bytes, as `kept_bytes` gives them.
    """
    if keep.best_alone:
        return
    if plan.missing:
        at = next(folder for folder in (plan.store, *plan.store.parents) if folder.exists())
        free = shutil.disk_usage(at).free
        console.print(
            f"kept epochs: at most {size(count)} more on disk, {size(free)} of which are free"
            if count <= free
            else f"[bold red]kept epochs: up to {size(count)}; {size(free)} are free[/]"
        )
    done = [plan.sweep / "runs" / job.run for job in plan.runs if plan.is_done(job.run)]
    without = lacking(done, keep)
    if not without:
        return
    console.print(
        f"{counted(len(without), 'finished run')} without epochs that --keep asks for, which were "
        "not kept then:"
    )
    for run, epochs in list(without.items())[:_SHOWN]:
        console.print(f"  {run}: {spelt(epochs)}", markup=False, soft_wrap=True)
    if len(without) > _SHOWN:
        console.print(f"  ... and {counted(len(without) - _SHOWN, 'more run')}")
    first = next(iter(without))
    words = ["raymtl", "rerun", f"{plan.sweep.name}/{first}", "--store", str(plan.store), "--keep"]
    console.print(
        f"This trains one again, checks that it is the same, and adds them: "
        f"{shlex.join(words)} {keep.text}",
        markup=False,
        soft_wrap=True,
    )

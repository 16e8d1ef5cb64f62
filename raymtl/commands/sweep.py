"""`raymtl sweep`: plan, carry out, collect, report."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path

from rich.console import Console

from raymtl.commands.keeping import check_keep, tell_kept
from raymtl.commands.setting import settle
from raymtl.engine.sweep import SweepOptions, SweepResult, carry_out, preflight
from raymtl.plan import Plan, make_plan
from raymtl.plan.estimate import kept_bytes
from raymtl.results.report import write_report
from raymtl.results.terminal import print_results
from raymtl.wording import counted

OK, SOME_FAILED, INTERRUPTED = 0, 1, 130


def run_sweep(
    study: Path,
    data: Path | None,
    store: str,
    only: str | None,
    options: SweepOptions,
    console: Console,
) -> int:
    """Does what the study lacks and shows what came of it; returns the exit code."""
    preflight(options)  # before any data is read
    setting = settle(study, data, store)
    plan = make_plan(
        setting.study,
        setting.experiment,
        setting.data,
        setting.store,
        only=only,
        bad_files=options.bad_files,
    )
    check_keep(plan, options.keep)
    _greet(plan, setting.miniature, console)
    tell_kept(plan, options.keep, kept_bytes(plan, options.keep), console)
    result = carry_out(plan, setting.store, options, console=console)
    page = write_report(plan.sweep)
    print_results(plan.sweep, console)
    _close(plan, result, page, console)
    if result.interrupted:
        again = shlex.join(["raymtl", *sys.argv[1:]])
        console.print(f"Interrupted. This goes on: {again}", markup=False, soft_wrap=True)
        return INTERRUPTED
    return SOME_FAILED if result.failed or result.done < len(plan.runs) else OK


def _greet(plan: Plan, miniature: bool, console: Console) -> None:
    corpus = "miniature corpora" if miniature else "recordings"
    console.print(
        f"[bold]{plan.experiment.name}[/]: {counted(len(plan.experiment.sources), 'source')} of "
        f"{corpus}, {counted(len(plan.cells), 'cell')}, {counted(len(plan.runs), 'run')}"
    )
    for note in plan.notes:
        console.print(f"  note: {note}", markup=False)
    if not plan.missing:
        console.print("Nothing to do: every run has a record.")


def _close(plan: Plan, result: SweepResult, page: Path, console: Console) -> None:
    for failure in result.failed:
        console.print(
            f"{failure.status}: {failure.run}: {failure.reason}", markup=False, soft_wrap=True
        )
    for skipped in result.skipped:
        console.print(f"skipped: {skipped.path}: {skipped.reason}", markup=False, soft_wrap=True)
    console.print(f"TensorBoard: tensorboard --logdir {plan.sweep}", markup=False, soft_wrap=True)
    console.print(f"report: {page}", markup=False, soft_wrap=True)

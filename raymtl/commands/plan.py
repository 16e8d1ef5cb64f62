"""`raymtl plan`: what a sweep would do and what it would cost."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console
from rich.table import Table

from raymtl.commands.keeping import check_keep, tell_kept
from raymtl.commands.setting import settle
from raymtl.experiment import short_names
from raymtl.kept import Keep
from raymtl.plan import Plan, make_plan
from raymtl.plan.estimate import Cost, estimate
from raymtl.wording import counted

_MOST_CELLS = 40


def show_plan(
    study: Path,
    data: Path | None,
    store: str,
    only: str | None,
    bad_files: str,
    keep: Keep,
    console: Console,
) -> None:
    """Prints sources, feature sets, cells and the estimate of what is left."""
    setting = settle(study, data, store, writes=False)
    plan = make_plan(
        setting.study,
        setting.experiment,
        setting.data,
        setting.store,
        only=only,
        bad_files=bad_files,
    )
    console.print(_sources(plan))
    console.print(_features(plan))
    console.print(_cells(plan))
    for note in plan.notes:
        console.print(f"note: {note}", markup=False)
    for skipped in plan.corpora.skipped:
        console.print(f"skipped: {skipped.path}: {skipped.reason}", markup=False, soft_wrap=True)
    check_keep(plan, keep)
    cost = estimate(plan, keep)
    console.print(_summary(plan, cost), highlight=False)
    tell_kept(plan, keep, cost.kept_bytes, console)


def _sources(plan: Plan) -> Table:
    table = Table("source", "tasks", "clips", "train / val / test of fold 1", box=None)
    for name, prepared in plan.corpora.sources.items():
        part = plan.splits[0].parts[name]
        sizes = f"{len(part.train)} / {len(part.validation)} / {len(part.test)}"
        tasks = ", ".join(f"{t.name} ({t.outputs})" for t in prepared.source.tasks)
        table.add_row(name, tasks, str(len(prepared.table)), sizes)
    return table


def _features(plan: Plan) -> Table:
    names = dict(
        zip(plan.experiment.extractions, short_names(plan.experiment.extractions), strict=True)
    )
    table = Table("features", "sources", "clips", "state", box=None)
    for job in plan.features:
        state = "cached" if job.cached else f"{counted(len(job.chunks), 'chunk')} to extract"
        table.add_row(names[job.extraction], ", ".join(job.sources), str(len(job.rows)), state)
    return table


def _cells(plan: Plan) -> Table:
    table = Table("cell", "runs", "done", box=None)
    missing = {job.run for job in plan.missing}
    counts: dict[str, list[int]] = {}
    for job in plan.runs:
        count = counts.setdefault(job.cell.name, [0, 0])
        count[0] += 1
        count[1] += job.run not in missing
    for name, (runs, done) in list(counts.items())[:_MOST_CELLS]:
        table.add_row(name, str(runs), str(done))
    if len(counts) > _MOST_CELLS:
        table.add_row(f"... and {counted(len(counts) - _MOST_CELLS, 'more cell')}", "", "")
    return table


def _summary(plan: Plan, cost: Cost) -> str:
    todo = plan.needed_features()
    return (
        f"to do: {counted(sum(len(j.rows) for j in todo), 'clip')} to extract in "
        f"{counted(len(todo), 'feature set')}, {counted(len(plan.needed_fits()), 'fit')}, "
        f"{len(plan.missing)} of {counted(len(plan.runs), 'run')}\n"
        f"about {_time(cost.extraction_seconds)} of extraction and {_time(cost.training_seconds)} "
        f"of training at most, on one core; {_size(cost.feature_bytes)} of features, "
        f"{_size(cost.record_bytes)} of records"
    )


def _time(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


def _size(count: float) -> str:
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.0f} {unit}"
        count /= 1000
    return f"{count:.1f} TB"

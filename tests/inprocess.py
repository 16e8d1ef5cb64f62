"""A sweep in one process and without Ray: extract, fit and train what a plan lacks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from raymtl.plan import Plan
from raymtl.plan.inprocess import extract_here, fit_here
from raymtl.results.ledger import Entry
from raymtl.training.job import RunJob
from raymtl.training.run import Workbench, run_job


def extract(plan: Plan) -> None:
    """Every feature set that the plan needs."""
    extract_here(plan.store, plan.needed_features())


def fit(plan: Plan) -> None:
    """Every fit that the plan needs."""
    fit_here(plan.store, plan.needed_fits())


def prepare(plan: Plan) -> Workbench:
    """Features and fits of the plan, and a bench to train its runs on."""
    extract(plan)
    fit(plan)
    return Workbench(plan.store, plan.tables)


def run(
    plan: Plan,
    job: RunJob,
    bench: Workbench,
    stop: Callable[[], bool] = lambda: False,
    report: Callable[[Any], None] = lambda epoch: None,
    **options: Any,
) -> Entry:
    """One run of the plan."""
    return run_job(job, bench, plan.sweep, report=report, stop=stop, **options)


def sweep(plan: Plan, **options: Any) -> list[Entry]:
    """Everything the plan lacks."""
    bench = prepare(plan)
    return [run(plan, job, bench, **options) for job in plan.missing]

"""A sweep in one process and without Ray: extract, fit and train what a plan lacks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from raymtl.extraction.store import FeatureStore, extract_chunk
from raymtl.loading.fits import Measurement, fit_all, save_fit
from raymtl.plan import Plan
from raymtl.results.ledger import Entry
from raymtl.training.job import RunJob
from raymtl.training.run import Workbench, run_job


def extract(plan: Plan) -> None:
    """Every feature set that the plan needs."""
    root = plan.store / "features"
    store = FeatureStore(root)
    for job in plan.needed_features():
        rows = [
            row
            for chunk in job.chunks
            for row in extract_chunk(root, [job.address], job.signal, [job.extraction], chunk)
        ]
        store.commit(job.address, {}, rows)


def fit(plan: Plan) -> None:
    """Every fit that the plan needs; skipped clips are left out, as the engine's actors do."""
    store = FeatureStore(plan.store / "features")

    def measure(wanted: Sequence[Measurement]) -> list[Any]:
        answers = []
        for one in wanted:
            features = store.open(one.features)
            train = tuple(i for i in one.train if i in features.known)
            answers.append(replace(one, train=train).measure(features))
        return answers

    for address, fitted in fit_all(plan.needed_fits(), measure).items():
        save_fit(plan.store / "fits", address, fitted)


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


def sweep(plan: Plan) -> list[Entry]:
    """Everything the plan lacks."""
    bench = prepare(plan)
    return [run(plan, job, bench) for job in plan.missing]

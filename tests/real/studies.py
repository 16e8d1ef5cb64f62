"""The studies of `experiments/`, changed and planned on the real recordings."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from raymtl.experiment import Experiment
from raymtl.plan import Plan
from raymtl.results.records import Record, read_record
from raymtl.study import load_study

_FOLDER = Path(__file__).parents[2] / "experiments"


def study(name: str) -> Experiment:
    """The experiment of ``experiments/<name>.py``, loaded as the commands load it."""
    return load_study(_FOLDER / f"{name}.py").experiment


def records(plan: Plan) -> Iterator[Record]:
    """Record of every run of the plan, in its order."""
    for job in plan.runs:
        yield read_record(plan.sweep / "runs" / job.run)


def scores_of(record: Record, metric: str = "uar") -> dict[str, float]:
    """Test score by task."""
    return {row["task"]: row["scalars"][metric] for row in record.scores if row["part"] == "test"}

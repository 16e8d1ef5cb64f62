"""experiments/first.py with RAVDESS as its source: four actors, each left out once."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from raymtl.loading.splits import KFold
from raymtl.loading.stages import Standardise, Windows
from raymtl.plan import Plan
from readers.ravdess import ACTORS, Ravdess
from tests.corpora import plan_of
from tests.inprocess import sweep
from tests.real.studies import records, scores_of, study

pytestmark = pytest.mark.real
SOURCE = Ravdess().source(
    "emotion", "sex", folds=KFold(4), stages=(Standardise("feature"), Windows(frames=40, hop=20))
)


@pytest.fixture(scope="module")
def plan(recordings: Path, tmp_path_factory: pytest.TempPathFactory) -> Plan:
    plan = plan_of(
        replace(study("first"), sources=[SOURCE]), recordings, tmp_path_factory.mktemp("store")
    )
    assert [entry.status for entry in sweep(plan)] == ["done"] * 4
    return plan


def test_each_actor_is_left_out_once(plan: Plan) -> None:
    left_out: list[str] = []
    for job in plan.runs:
        (source,) = job.sources
        actors = [{i[-2:] for i in part} for part in (source.train, source.validation, source.test)]
        assert sum(map(len, actors)) == len(set().union(*actors)) == 4
        left_out += actors[2]
    assert sorted(left_out) == list(ACTORS[:4])


def test_every_clip_is_tested_and_both_tasks_are_scored(plan: Plan) -> None:
    assert sum(len(job.sources[0].test) for job in plan.runs) == 33
    for record in records(plan):
        assert set(scores_of(record)) == {"emotion", "sex"}
        rows = [row for row in record.scores if row["part"] == "test"]
        assert all(sum(map(sum, row["confusion"])) in (8, 9) for row in rows)

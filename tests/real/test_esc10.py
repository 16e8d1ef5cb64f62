"""experiments/first.py with ESC-10 as its source: two of the official folds."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from raymtl.extraction.audio import Signal
from raymtl.loading.stages import Standardise, Windows
from raymtl.plan import Plan
from readers.esc import TEN, Esc10
from tests.corpora import plan_of
from tests.inprocess import sweep
from tests.real.studies import records, scores_of, study

pytestmark = pytest.mark.real
SOURCE = Esc10().source(
    signal=Signal(rate=16_000), stages=(Standardise("feature"), Windows(frames=40, hop=40))
)


@pytest.fixture(scope="module")
def plan(recordings: Path, tmp_path_factory: pytest.TempPathFactory) -> Plan:
    root = tmp_path_factory.mktemp("esc10")
    (root / "data").mkdir()
    (root / "data" / "ESC-10").symlink_to((recordings / "esc10").resolve())
    plan = plan_of(replace(study("first"), sources=[SOURCE]), root / "data", root / "store")
    assert [entry.status for entry in sweep(plan)] == ["done"] * 2
    return plan


def test_each_official_fold_is_tested_once(plan: Plan) -> None:
    for fold, job in enumerate(plan.runs, start=1):
        (source,) = job.sources
        assert len(source.test) == 80
        assert {i.split("/")[-1][0] for i in source.test} == {str(fold)}
        assert {i.split("/")[-1][0] for i in source.train + source.validation} == {str(3 - fold)}


def test_ten_categories_are_told_apart(plan: Plan) -> None:
    for record in records(plan):
        assert scores_of(record)["category10"] > 3 / len(TEN)  # chance is 1 / 10

"""What lies in the store is used because its digest verifies, not because it is there."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from raymtl.engine.extract import refuse_changed, set_aside_damaged
from raymtl.errors import AudioError
from raymtl.extraction.store import FeatureStore
from raymtl.plan import Plan, make_plan
from tests.corpora import DIGITS, plan_of
from tests.inprocess import extract, prepare


def _again(plan: Plan, data: Path) -> Plan:
    return make_plan(plan.study, plan.experiment, data, plan.store)


def _flip(path: Path, at: int) -> None:
    content = bytearray(path.read_bytes())
    content[at] ^= 1
    path.write_bytes(content)


def test_a_flipped_bit_in_a_shard_costs_its_extraction_and_no_more(
    corpora: Path, tmp_path: Path
) -> None:
    plan = plan_of(DIGITS, corpora, tmp_path)
    extract(plan)
    store = FeatureStore(tmp_path / "features")
    (job,) = plan.used_features()
    before = [store.open(job.address).matrix(row).copy() for row in range(3)]
    _flip(next(store.folder(job.address).glob("part-*.arrow")), -5000)
    told: list[str] = []

    set_aside_damaged([job], tmp_path / "features", told.append)

    assert len(told) == 1
    assert "changed after writing" in told[0]
    assert not store.complete(job.address)
    extract(_again(plan, corpora))
    for row, matrix in enumerate(before):
        np.testing.assert_array_equal(store.open(job.address, verify=True).matrix(row), matrix)


def test_a_whole_feature_set_is_left_alone(corpora: Path, tmp_path: Path) -> None:
    plan = plan_of(DIGITS, corpora, tmp_path)
    extract(plan)
    set_aside_damaged(plan.used_features(), tmp_path / "features", _refuse)
    assert _again(plan, corpora).needed_features() == []


def test_a_damaged_fit_is_fitted_again(corpora: Path, tmp_path: Path) -> None:
    plan = plan_of(replace(DIGITS, name="fits"), corpora, tmp_path)
    prepare(plan)
    assert _again(plan, corpora).needed_fits() == []
    damaged = sorted((tmp_path / "fits").glob("*.json"))[0]
    _flip(damaged, 100)
    assert [request.address for request in _again(plan, corpora).needed_fits()] == [damaged.stem]


def _refuse(text: str) -> None:
    raise AssertionError(text)


def test_recordings_that_change_while_extracted_are_refused(corpora: Path, tmp_path: Path) -> None:
    data = tmp_path / "data"
    shutil.copytree(corpora / "fsdd", data / "fsdd")
    plan = plan_of(DIGITS, data, tmp_path / "store")
    (job,) = plan.used_features()
    extract(plan)
    refuse_changed(job, plan.corpora.facts, plan.store)
    _flip(Path(job.rows[0].path), -10)

    with pytest.raises(AudioError, match=r"1 recordings changed .* Run again"):
        refuse_changed(job, plan.corpora.facts, plan.store)

    assert not (plan.store / "features" / job.address).exists()

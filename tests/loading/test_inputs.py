"""Network inputs: the same numbers resident or gathered, joined on the id."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from raymtl.errors import StoreError
from raymtl.loading.fitted import Cut, FittedStages, Framing
from raymtl.loading.inputs import Inputs
from raymtl.loading.stages import Standardise
from raymtl.models import InputShape
from tests.loading.memory import random_features

FEATURES = random_features(1, clips=20, frames=(2, 9), channels=2)


def fitted(*parts, over: str = "feature") -> FittedStages:
    stage = Standardise(over)
    return FittedStages((stage.fit(stage.measure(FEATURES, np.arange(20))), *parts))


STAGES = {
    "nothing": FittedStages(()),
    "own length": fitted(),
    "fixed": fitted(Cut(5, 0.5)),
    "windows": fitted(Framing(3, 1, 0.0), over="cell"),
    "cut then windows": fitted(Cut(6, 0.0), Framing(3, 2, -1.0), over="cell"),
}


@pytest.mark.parametrize("stages", STAGES.values(), ids=STAGES)
@settings(max_examples=20)
@given(data=st.data())
def test_resident_and_gathered_batches_are_the_same(stages: FittedStages, data) -> None:
    ids = data.draw(st.permutations(FEATURES.ids))[:11]
    resident, gathered = Inputs(FEATURES, ids, stages), Inputs(FEATURES, ids, stages, budget=0)
    assert resident.nbytes > 0
    assert gathered.nbytes == 0
    assert len(resident) == len(gathered)
    rows = np.array(data.draw(st.lists(st.integers(0, len(resident) - 1), min_size=1)))
    one, other = resident.batch(rows), gathered.batch(rows)
    assert one.keys() == other.keys() == {"features", "lengths"}
    for name, value in one.items():
        assert torch.equal(value, other[name]), name


def test_a_row_is_the_clip_its_id_names() -> None:
    ids = FEATURES.ids[::-1][:7]
    inputs = Inputs(FEATURES, ids, FittedStages(()))
    for row, clip in enumerate(ids):
        expected = FEATURES.matrices[FEATURES.ids.index(clip)]
        batch = inputs.batch(np.array([row]))
        np.testing.assert_array_equal(batch["features"][0].numpy(), expected)
        assert batch["lengths"].tolist() == [expected.shape[1]]


@pytest.mark.parametrize("budget", [0, 1 << 20])
def test_a_window_is_that_slice_of_its_clip(budget: int) -> None:
    inputs = Inputs(FEATURES, FEATURES.ids[4:9], FittedStages((Framing(3, 2, -9.0),)), budget)
    rows = [
        (clip, start)
        for clip, i in enumerate(range(4, 9))
        for start in range(0, max(int(FEATURES.frames[i]) - 3, 0) + 1, 2)
    ]
    assert inputs.clips.tolist() == [clip for clip, _ in rows]
    assert len(rows) > 5
    batch = inputs.batch(np.arange(len(rows)))["features"].numpy()
    for row, (clip, start) in zip(batch, rows, strict=True):
        expected = FEATURES.matrices[4 + clip][:, start : start + 3]
        np.testing.assert_array_equal(row[:, : expected.shape[1]], expected)
        assert (row[:, expected.shape[1] :] == -9.0).all()


def test_shapes_say_whether_rows_have_one_length() -> None:
    assert Inputs(FEATURES, FEATURES.ids, STAGES["fixed"]).shape == InputShape(2, 5, 4)
    assert Inputs(FEATURES, FEATURES.ids, STAGES["own length"]).shape == InputShape(2, None, 4)
    even = random_features(2, clips=5, frames=(1, 1))
    assert Inputs(even, even.ids[:3], FittedStages(())).shape == InputShape(1, 1, 4)


def test_a_part_may_be_empty_and_an_unknown_id_is_an_error() -> None:
    assert len(Inputs(FEATURES, [], STAGES["fixed"])) == 0
    with pytest.raises(StoreError, match="no features of"):
        Inputs(FEATURES, ["nobody"], STAGES["fixed"])


def test_a_fit_from_disk_gives_the_same_inputs(tmp_path: Path) -> None:
    stages = STAGES["cut then windows"]
    again = FittedStages.from_json(stages.to_json())
    rows = np.arange(12)
    one, other = (Inputs(FEATURES, FEATURES.ids, s).batch(rows) for s in (stages, again))
    assert torch.equal(one["features"], other["features"])

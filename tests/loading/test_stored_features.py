"""Fits and inputs over the real feature store give what they give in memory."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from raymtl.extraction.featureset import FeatureSet
from raymtl.extraction.shards import ShardWriter
from raymtl.extraction.store import FeatureStore
from raymtl.loading.fits import FitMember, FitRequest, fit_all, measure_with
from raymtl.loading.inputs import Inputs
from raymtl.loading.stages import FixedLength, MinMax, Standardise, Windows
from tests.loading.memory import MemoryFeatures, random_features

STAGES = {
    "scaled, fixed": (FixedLength("median"), Standardise("feature")),
    "cells, windows": (Standardise("cell"), Windows(3, 2)),
    "two scalings": (MinMax("cell"), Standardise("feature")),
}


@pytest.fixture(scope="module", params=[1, 2], ids=["mono", "stereo"])
def both(request, tmp_path_factory) -> tuple[FeatureSet, MemoryFeatures]:
    """The same clips in two shards on disk, not in id order, and in memory."""
    held = random_features(11, clips=40, frames=(1, 12), channels=request.param)
    store = FeatureStore(tmp_path_factory.mktemp("features"))
    order = np.random.default_rng(0).permutation(40)
    rows = []
    for key, part in (("b" * 8, order[:25]), ("a" * 8, order[25:])):
        writer = ShardWriter(store.folder("address"), key)
        writer.add([held.ids[i] for i in part], [held.matrices[i] for i in part])
        rows.append(writer.finish((), 1.0, 0.1))
        writer.discard()
    store.commit("address", {}, rows)
    return store.open("address"), held


@pytest.mark.parametrize("stages", STAGES.values(), ids=STAGES)
@pytest.mark.parametrize("budget", [0, 1 << 20], ids=["from the map", "resident"])
@settings(max_examples=10)
@given(data=st.data())
def test_stored_and_held_features_give_the_same_batches(both, stages, budget, data) -> None:
    ids = data.draw(st.permutations(both[1].ids))
    batches = []
    for features in both:
        request = FitRequest(stages, FitMember("address", tuple(ids[:20])))
        fitted = fit_all([request], measure_with(lambda _, f=features: f))[request.address]
        inputs = Inputs(features, ids[20:], fitted, budget)
        batches.append(inputs.batch(np.arange(len(inputs))))
    for name, value in batches[0].items():
        # blocks of the store end elsewhere: sums differ in the last bit
        torch.testing.assert_close(value, batches[1][name], rtol=1e-5, atol=1e-5)

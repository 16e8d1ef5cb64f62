"""Fits through actors equal fits in one process, and scikit-learn's."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import ray
import ray.cloudpickle
from sklearn.preprocessing import StandardScaler

from raymtl.engine.fit import fit_and_save
from raymtl.engine.resources import Share
from raymtl.errors import StoreError
from raymtl.extraction.audio import Skipped
from raymtl.extraction.shards import ShardWriter
from raymtl.extraction.store import FeatureStore
from raymtl.loading.fits import FitMember, FitRequest, fit_all, measure_with
from raymtl.loading.fitted import load_fit
from raymtl.loading.stages import FixedLength, Standardise

pytestmark = [
    pytest.mark.ray,
    pytest.mark.filterwarnings("ignore::FutureWarning"),  # Ray's own
    pytest.mark.filterwarnings("ignore::ResourceWarning"),  # files Ray leaves to the collector
]

CLIPS = 12
STAGES = (Standardise("feature", scope="combination"), FixedLength("maximum"))


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three feature sets, a, b and c; the last clip of each was skipped."""
    root = tmp_path_factory.mktemp("store")
    for number, address in enumerate("abc"):
        rng = np.random.default_rng(number)
        writer = ShardWriter(root / "features" / address, "0")
        ids = [f"{address}/{i:02}" for i in range(CLIPS)]
        matrices = [
            rng.normal(number, 1 + number, (1, 5 + i + number, 4)).astype(np.float32)
            for i in range(CLIPS - 1)
        ]
        writer.add(ids[:-1], matrices)
        row = writer.finish((Skipped(ids[-1], "x.wav", "empty"),), 1.0, 0.0)
        FeatureStore(root / "features").commit(address, {}, [row])
    return root


def _requests() -> list[FitRequest]:
    """Each source in the combination of all three; the skipped clip is among the training ids."""
    members = [FitMember(a, tuple(f"{a}/{i:02}" for i in range(3, CLIPS))) for a in "abc"]
    return [FitRequest(STAGES, own, tuple(m for m in members if m is not own)) for own in members]


def test_more_sets_than_cpus_are_fitted_as_in_one_process(cluster: Share, store: Path) -> None:
    fit_and_save(_requests(), store, cpus=2)
    features = FeatureStore(store / "features")
    present = [
        FitRequest(r.stages, _whole(r.own), tuple(map(_whole, r.others))) for r in _requests()
    ]
    alone = fit_all(present, measure_with(features.open))
    for request, counterpart in zip(_requests(), present, strict=True):
        fitted = load_fit(store / "fits", request.address)
        assert fitted.to_plain() == alone[counterpart.address].to_plain()


def _whole(member: FitMember) -> FitMember:
    return FitMember(member.features, member.train[:-1])


def test_the_fit_is_scikit_learns_on_all_training_frames(cluster: Share, store: Path) -> None:
    requests = _requests()
    fit_and_save(requests, store, cpus=2)
    opened = {a: FeatureStore(store / "features").open(a) for a in "abc"}
    frames = np.concatenate(
        [
            features.matrix(int(row))[0]
            for address, features in opened.items()
            for row in features.row([f"{address}/{i:02}" for i in range(3, CLIPS - 1)])
        ]
    )
    scaler = StandardScaler().fit(frames.astype(np.float64))
    affine = load_fit(store / "fits", requests[0].address).affine
    assert affine is not None
    np.testing.assert_allclose(affine.shift.ravel(), scaler.mean_, rtol=1e-6)
    np.testing.assert_allclose(affine.gain.ravel(), 1 / scaler.scale_, rtol=1e-6)


def test_no_actor_keeps_a_cpu(cluster: Share, store: Path) -> None:
    fit_and_save(_requests(), store, cpus=2)
    task = ray.remote(num_cpus=2)(lambda: "ran")  # needs every CPU there is
    assert ray.get(task.remote(), timeout=240) == "ran"


def test_a_damaged_set_is_named(cluster: Share, store: Path) -> None:
    missing = FitRequest((Standardise("feature"),), FitMember("nothing", ("x",)))
    with pytest.raises(StoreError, match="no complete feature set"):
        fit_and_save([missing], store, cpus=2)

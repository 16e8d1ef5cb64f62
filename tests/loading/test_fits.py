"""Fits from merged measurements against refitting, and the laws about test clips."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.preprocessing import StandardScaler

from raymtl.errors import StoreError, StudyError
from raymtl.loading.fits import (
    FitMember,
    FitRequest,
    Measurement,
    fit_all,
    load_fit,
    measure_with,
    save_fit,
)
from raymtl.loading.stages import FixedLength, MinMax, Stage, Standardise, Windows
from tests.loading.memory import MemoryFeatures, random_features

SHARED = Standardise(scope="combination")
SETS = {name: random_features(seed, 20, prefix=name) for seed, name in enumerate("abcd")}
MEMBERS = {name: FitMember(name, tuple(SETS[name].ids[:12])) for name in SETS}


def request(stages: tuple[Stage, ...], own: str, *others: str) -> FitRequest:
    return FitRequest(stages, MEMBERS[own], tuple(MEMBERS[name] for name in others))


def fit(*requests: FitRequest, sets: dict[str, MemoryFeatures] | None = None):
    return fit_all(requests, measure_with((sets or SETS).__getitem__))


def test_a_combination_fit_equals_scikit_learn_on_all_training_frames() -> None:
    found = fit(
        *(request((SHARED,), *names) for n in (1, 2, 3, 4) for names in combinations("abcd", n))
    )
    assert len(found) == 15
    for n in (1, 2, 3, 4):
        for names in combinations("abcd", n):
            frames = np.concatenate(
                [
                    SETS[name].matrix(row)[0]
                    for name in names
                    for row in SETS[name].row(MEMBERS[name].train)
                ]
            ).astype(np.float64)
            scaler = StandardScaler().fit(frames)
            affine = found[request((SHARED,), *names).address].affine
            np.testing.assert_allclose(affine.shift[0, 0], scaler.mean_, rtol=1e-6)
            np.testing.assert_allclose(1 / affine.gain[0, 0], scaler.scale_, rtol=1e-6)


def test_every_source_is_measured_once_for_all_combinations() -> None:
    asked: list[Measurement] = []

    def measure(wanted):
        asked.extend(wanted)
        return [m.measure(SETS[m.features]) for m in wanted]

    stages = (FixedLength("median"), SHARED)
    requests = [
        FitRequest(stages, MEMBERS[own], tuple(MEMBERS[n] for n in names if n != own))
        for k in (1, 2, 3, 4)
        for names in combinations("abcd", k)
        for own in names
    ]
    found = fit_all(requests, measure)
    assert len(found) == 15  # one a combination: both stages are shared
    assert sorted((m.features, type(m.stage).__name__) for m in asked) == sorted(
        (name, kind) for name in "abcd" for kind in ("FixedLength", "Standardise")
    )


def test_the_address_knows_what_can_change_a_number() -> None:
    alone = (Standardise(), FixedLength(5))
    assert request(alone, "a").address == request(alone, "a", "b").address
    assert request(alone, "a").address != request(alone, "b").address
    shared = (Standardise(), FixedLength("median"))
    assert request(shared, "a").address != request(shared, "a", "b").address
    assert request(shared, "a", "b", "c").address == request(shared, "a", "c", "b").address
    assert request(shared, "a", "b").address != request(shared, "b", "a").address
    assert request((SHARED,), "a", "b").address == request((SHARED,), "b", "a").address
    fewer = FitRequest(alone, FitMember("a", MEMBERS["a"].train[1:]))
    assert fewer.address != request(alone, "a").address
    turned = FitRequest(alone, FitMember("a", MEMBERS["a"].train[::-1]))
    assert turned.address == request(alone, "a").address
    assert request((Standardise("cell"),), "a").address != request((Standardise(),), "a").address


@pytest.mark.parametrize("poison", [np.nan, 1e9])
def test_what_test_clips_hold_changes_no_fit(poison: float) -> None:
    stages = (MinMax("cell"), SHARED, FixedLength("maximum"), Standardise("cell"))
    requests = [request(stages, own, *(n for n in "ab" if n != own)) for own in "ab"]
    poisoned = {}
    for name in "ab":
        held = MemoryFeatures(dict(zip(SETS[name].ids, SETS[name].matrices, strict=True)))
        held.matrices = [
            m if i in MEMBERS[name].train else np.full((1, 40, 4), poison, np.float32)
            for i, m in zip(held.ids, held.matrices, strict=True)
        ]
        held.frames = np.array([m.shape[1] for m in held.matrices])
        poisoned[name] = held
    clean, dirty = fit(*requests), fit(*requests, sets=poisoned)
    assert clean.keys() == dirty.keys()
    for address, fitted in clean.items():
        assert fitted.to_json() == dirty[address].to_json()
    for name in "ab":
        assert poisoned[name].read <= set(MEMBERS[name].train)


@settings(max_examples=15)
@given(st.permutations("abcd"), st.permutations("abcd"))
def test_the_order_of_sources_and_requests_changes_no_bit(one, other) -> None:
    stages = (Standardise(), MinMax(scope="combination"), SHARED)
    results = []
    for order in (one, other):
        requests = [request(stages, own, *(n for n in order if n != own)) for own in order]
        results.append({a: f.to_json() for a, f in fit(*requests).items()})
    assert results[0] == results[1]


def test_a_shared_stage_after_a_stage_of_the_source_sees_each_source_scaled() -> None:
    stages = (Standardise(), SHARED)
    found = fit(request(stages, "a", "b"))
    parts = []
    for name in "ab":
        rows = SETS[name].row(MEMBERS[name].train)
        frames = np.concatenate([SETS[name].matrix(r)[0] for r in rows]).astype(np.float64)
        parts.append(StandardScaler().fit_transform(frames))
    both = StandardScaler().fit(np.concatenate(parts))
    second = next(iter(found.values())).parts[1]
    np.testing.assert_allclose(second.shift[0, 0], both.mean_, atol=1e-9)
    np.testing.assert_allclose(1 / second.gain[0, 0], both.scale_, rtol=1e-9)


def test_sources_that_do_not_fit_together_are_named() -> None:
    sets = SETS | {"e": random_features(9, 5, features=7, prefix="e")}
    wide = FitRequest((SHARED,), MEMBERS["a"], (FitMember("e", tuple(sets["e"].ids)),))
    with pytest.raises(StudyError, match=r"1 channels x \d and of 1 x \d"):
        fit(wide, sets=sets)


def test_a_fit_comes_back_from_disk_bit_for_bit(tmp_path: Path) -> None:
    stages = (Standardise("cell"), FixedLength("median", pad=-1.5), Windows(3, 2, pad=0.25))
    wanted = request(stages, "a", "b")
    fitted = fit(wanted)[wanted.address]
    save_fit(tmp_path, wanted.address, fitted)
    again = load_fit(tmp_path, wanted.address)
    np.testing.assert_array_equal(again.affine.shift, fitted.affine.shift)
    np.testing.assert_array_equal(again.affine.gain, fitted.affine.gain)
    assert (again.cut, again.windows) == (fitted.cut, fitted.windows)
    assert (again.frames_out, again.pad) == (3, 0.25)


def test_a_damaged_or_misnamed_fit_is_refused(tmp_path: Path) -> None:
    wanted = request((Standardise(),), "a")
    save_fit(tmp_path, wanted.address, fit(wanted)[wanted.address])
    path = tmp_path / f"{wanted.address}.json"
    (tmp_path / "other.json").write_bytes(path.read_bytes())
    with pytest.raises(StoreError, match="holds the fit"):
        load_fit(tmp_path, "other")
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(StoreError, match="does not match its seal"):
        load_fit(tmp_path, wanted.address)
    with pytest.raises(StoreError, match="cannot be read"):
        load_fit(tmp_path, "absent")

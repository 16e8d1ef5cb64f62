"""Stages against scikit-learn, against plain loops, and the laws of mergeable summaries."""

from __future__ import annotations

from functools import reduce
from operator import add

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.preprocessing import MinMaxScaler, StandardScaler

from raymtl.errors import StudyError
from raymtl.loading.fitted import Affine, Cut, FittedStages, Framing
from raymtl.loading.stages import FixedLength, MinMax, Stage, Standardise, Windows, check_stages
from raymtl.loading.summaries import Extremes, Lengths, Moments
from raymtl.spec import digest
from tests.loading.memory import MemoryFeatures, random_features

EVERY = slice(None)


def rows_of(features: MemoryFeatures) -> np.ndarray:
    return np.arange(len(features.ids))


def transformed(stage: Stage, features: MemoryFeatures) -> np.ndarray:
    """All clips, of equal length, through the fitted stage: (clips, channels, frames, features)."""
    fitted = FittedStages((stage.fit(stage.measure(features, rows_of(features))),))
    batch, lengths = features.gather(rows_of(features))
    return fitted.apply(batch, lengths)


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("over", ["feature", "cell"])
@pytest.mark.parametrize(
    ("stage", "scaler"),
    [
        (Standardise, StandardScaler()),
        (MinMax, MinMaxScaler()),
        (lambda over: MinMax(over, -1.0, 3.0), MinMaxScaler((-1.0, 3.0))),
    ],
    ids=["standardise", "minmax", "minmax -1..3"],
)
def test_value_stages_agree_with_scikit_learn(stage, scaler, over: str, channels: int) -> None:
    features = random_features(1, clips=30, frames=(7, 7), channels=channels)
    for matrix in features.matrices:
        matrix[..., 2] = 4.0  # a constant feature
    found = transformed(stage(over=over), features)
    raw = np.stack(features.matrices).astype(np.float64)
    width, frames = (4, 1) if over == "feature" else (28, 7)
    for channel in range(channels):
        flat = raw[:, channel].reshape(-1, width)
        expected = scaler.fit_transform(flat).reshape(30, 7, 4)
        np.testing.assert_allclose(found[:, channel], expected, rtol=0, atol=1e-5)  # float32 input
    parameters = stage(over=over).fit(stage(over=over).measure(features, rows_of(features)))
    if isinstance(scaler, StandardScaler):
        scaler.fit(raw[:, 0].reshape(-1, width))
        shift, gain = parameters.shift[0, :frames], parameters.gain[0, :frames]
        np.testing.assert_allclose(shift.ravel(), scaler.mean_, rtol=1e-6)
        np.testing.assert_allclose(1 / gain.ravel(), scaler.scale_, rtol=1e-6)


def test_statistics_count_real_frames_only_when_lengths_differ() -> None:
    features = random_features(2, clips=25, frames=(1, 9))
    rows = rows_of(features)
    frames = np.concatenate([m[0] for m in features.matrices]).astype(np.float64)
    pooled = Standardise("feature").measure(features, rows)
    assert pooled.count.tolist() == [len(frames)]
    np.testing.assert_allclose(pooled.mean[0, 0], frames.mean(0), rtol=1e-12)
    np.testing.assert_allclose(pooled.spread[0, 0], len(frames) * frames.var(0), rtol=1e-10)
    cell = Standardise("cell").measure(features, rows)
    for t in range(int(features.frames.max())):
        at = np.array([m[0, t] for m in features.matrices if m.shape[1] > t], np.float64)
        assert cell.count[t] == len(at)
        np.testing.assert_allclose(cell.mean[0, t], at.mean(0), rtol=1e-12)
        np.testing.assert_allclose(cell.spread[0, t], len(at) * at.var(0), rtol=1e-9, atol=1e-12)
    extremes = MinMax("cell").measure(features, rows)
    at = np.stack([m[0, 0] for m in features.matrices])
    np.testing.assert_array_equal(extremes.low[0, 0], at.min(0))
    np.testing.assert_array_equal(extremes.high[0, 0], at.max(0))


def test_cells_beyond_the_longest_training_clip_use_pooled_statistics() -> None:
    features = random_features(3, clips=12, frames=(4, 4))
    cell = Standardise("cell").fit(Standardise("cell").measure(features, rows_of(features)))
    pooled = Standardise("feature").fit(Standardise("feature").measure(features, rows_of(features)))
    shift, gain = cell.at(4, 3)
    np.testing.assert_allclose(shift, np.repeat(pooled.shift, 3, axis=1), rtol=1e-12)
    np.testing.assert_allclose(gain, np.repeat(pooled.gain, 3, axis=1), rtol=1e-10)


def test_a_second_value_stage_sees_what_the_first_gives() -> None:
    features = random_features(4, clips=20, frames=(5, 5))
    rows = rows_of(features)
    first = MinMax("cell").fit(MinMax("cell").measure(features, rows))
    second = Standardise("feature").fit(Standardise("feature").measure(features, rows, first))
    batch, lengths = features.gather(rows)
    found = FittedStages((first, second)).apply(batch.copy(), lengths)
    raw = np.stack([m[0] for m in features.matrices]).astype(np.float64)
    scaled = MinMaxScaler().fit_transform(raw.reshape(20, -1)).reshape(-1, 4)
    expected = StandardScaler().fit_transform(scaled).reshape(20, 5, 4)
    np.testing.assert_allclose(found[:, 0], expected, rtol=0, atol=1e-5)


@settings(max_examples=40)
@given(data=st.data(), seed=st.integers(0, 10_000), over=st.sampled_from(["feature", "cell"]))
def test_summaries_merge_in_any_order_and_any_grouping(data, seed: int, over: str) -> None:
    features = random_features(seed, clips=12, frames=(1, 7))
    order = data.draw(st.permutations(range(12)))
    cuts = sorted(data.draw(st.sets(st.integers(1, 11), max_size=4)))
    groups = np.split(np.array(order), cuts)
    for stage in (Standardise(over), MinMax(over), FixedLength("median")):
        whole = stage.measure(features, np.arange(12))
        parts = [stage.measure(features, group) for group in groups]
        merged = reduce(add, data.draw(st.permutations(parts)))
        same_summary(whole, merged)
        same_summary(whole, whole + stage.measure(features, np.zeros(0, np.int64)))


def same_summary(one, other) -> None:
    assert type(one) is type(other)
    if isinstance(one, Moments):
        np.testing.assert_array_equal(one.count, other.count)
        # relative to the size of the values that were added, not of what cancelled
        size = np.sqrt(one.spread + one.count[:, None] * one.mean**2) + 1e-30
        assert (np.abs(one.mean - other.mean) / size).max() <= 1e-12
        assert (np.abs(one.spread - other.spread) / size**2).max() <= 1e-12
    elif isinstance(one, Extremes):
        np.testing.assert_array_equal(one.low, other.low)
        np.testing.assert_array_equal(one.high, other.high)
    else:
        np.testing.assert_array_equal(one.frames, other.frames)
        np.testing.assert_array_equal(one.clips, other.clips)


@given(st.lists(st.integers(1, 50), min_size=1, max_size=40))
def test_lengths_give_median_minimum_and_maximum(frames: list[int]) -> None:
    values, counts = np.unique(frames, return_counts=True)
    lengths = Lengths(values, counts)
    assert lengths.median() == int(np.median(frames))
    cuts = [FixedLength(rule).fit(lengths).frames for rule in ("median", "minimum", "maximum")]
    assert cuts == [int(np.median(frames)), min(frames), max(frames)]


def test_scaling_survives_a_mean_far_from_zero() -> None:
    rng = np.random.default_rng(0)
    values = {str(i): (1e4 + rng.normal(0, 1, (1, 50, 1))).astype(np.float32) for i in range(20)}
    features = MemoryFeatures(values)
    found = transformed(Standardise(), features)
    expected = StandardScaler().fit_transform(
        np.stack(features.matrices).reshape(-1, 1).astype(np.float64)
    )
    np.testing.assert_allclose(found.ravel(), expected.ravel(), atol=2e-3)  # 1e4 in float32


def test_padding_is_put_in_after_scaling_and_holds_the_stated_value() -> None:
    features = random_features(5, clips=6, frames=(2, 8))
    rows = rows_of(features)
    affine = Standardise().fit(Standardise().measure(features, rows))
    for parts in ((affine, Cut(6, -7.0)), (Cut(6, -7.0), affine)):
        fitted = FittedStages(parts)
        batch, _ = features.gather(rows, 6)
        lengths = fitted.lengths(features.frames, np.zeros(6, np.int64))
        found = fitted.apply(batch, lengths)
        for row, matrix in enumerate(features.matrices):
            real = min(matrix.shape[1], 6)
            expected = (matrix[0, :real] - affine.shift[0]) * affine.gain[0]
            np.testing.assert_allclose(found[row, 0, :real], expected, rtol=0, atol=1e-5)
            assert (found[row, 0, real:] == -7.0).all()


@given(
    frames=st.lists(st.integers(1, 30), min_size=1, max_size=8),
    size=st.integers(1, 10),
    hop=st.integers(1, 10),
    cut=st.none() | st.integers(1, 25),
)
def test_windows_are_those_of_a_plain_loop(frames, size: int, hop: int, cut: int | None) -> None:
    parts = (Framing(size, hop, 0.0),) if cut is None else (Cut(cut, 0.0), Framing(size, hop, 0.0))
    clips, starts = FittedStages(parts).rows(np.array(frames))
    expected = []
    for clip, count in enumerate(frames):
        length = count if cut is None else min(count, cut)
        expected.append((clip, 0))
        start = hop
        while start + size <= length:
            expected.append((clip, start))
            start += hop
    assert list(zip(clips.tolist(), starts.tolist(), strict=True)) == expected


def test_cell_scaling_of_windows_uses_the_frame_index_of_the_clip() -> None:
    features = random_features(6, clips=9, frames=(8, 8))
    rows = rows_of(features)
    affine = Standardise("cell").fit(Standardise("cell").measure(features, rows))
    fitted = FittedStages((affine, Framing(3, 2, 0.0)))
    clips, starts = fitted.rows(features.frames)
    batch, lengths = features.gather(clips, 3, 0.0, starts)
    found = fitted.apply(batch, lengths, starts)
    whole, counts = features.gather(rows)
    scaled = FittedStages((affine,)).apply(whole, counts)
    for window, clip, start in zip(found, clips, starts, strict=True):
        np.testing.assert_array_equal(window, scaled[clip][:, start : start + 3])


@settings(max_examples=30)
@given(seed=st.integers(0, 10_000), places=st.tuples(st.integers(1, 4), st.integers(1, 4)))
def test_two_affine_transforms_are_one(seed: int, places: tuple[int, int]) -> None:
    rng = np.random.default_rng(seed)
    one, two = (Affine(rng.normal(0, 3, (1, p, 3)), rng.uniform(0.1, 5, (1, p, 3))) for p in places)
    values = rng.normal(0, 2, (1, 6, 3))
    both = values
    for part in (one, two):
        shift, gain = part.at(0, 6)
        both = (both - shift) * gain
    shift, gain = one.then(two).at(0, 6)
    np.testing.assert_allclose((values - shift) * gain, both, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(
    ("stages", "message"),
    [
        ((FixedLength(5), FixedLength(6)), "FixedLength appears twice"),
        ((Windows(5, 5), FixedLength(6)), "FixedLength after Windows"),
        ((Standardise(), "mean"), "'mean' is not a stage"),
    ],
)
def test_stages_that_make_no_sense_are_refused(stages, message: str) -> None:
    with pytest.raises(StudyError, match=message):
        check_stages(stages)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: FixedLength(0), "expected a number of 1 or more"),
        (lambda: FixedLength("mean"), "'median', 'minimum' or 'maximum'"),
        (lambda: Windows(4, 0), "expected both >= 1"),
        (lambda: MinMax(low=1.0, high=1.0), "expected low < high"),
        (lambda: Standardise(scope="all"), "expected source or combination"),
    ],
)
def test_parameters_out_of_range_are_refused(make, message: str) -> None:
    with pytest.raises(StudyError, match=message):
        make()


def test_stages_are_specs_with_positional_first_fields() -> None:
    assert FixedLength("median").frames == "median"
    assert FixedLength("median").scope == "combination"
    assert Standardise("cell").over == "cell"
    assert (
        len(
            {
                digest(s)
                for s in (
                    Standardise(),
                    Standardise("cell"),
                    MinMax(),
                    Standardise(scope="combination"),
                )
            }
        )
        == 4
    )

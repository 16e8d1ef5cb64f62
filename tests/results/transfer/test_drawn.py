"""Metrics on draws against scikit-learn, and against clips written out as often as drawn."""

from __future__ import annotations

import operator
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, f1_score, r2_score, recall_score

from raymtl.results.transfer import drawn
from raymtl.results.transfer.drawn import Draws, drawn_f1, drawn_map, drawn_r2, drawn_uar
from raymtl.results.transfer.inference import clip_draws
from raymtl.tasks.metrics import mean_average_precision

DRAWS = 300


@pytest.fixture(autouse=True)
def few_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Draws are summed side by side in parts, the last of them smaller."""
    monkeypatch.setattr(drawn, "_WIDTH", 128)


def some_draws(clips: int, clusters: int, seed: int = 0) -> Draws:
    member = np.random.default_rng(seed).integers(0, clusters, clips)
    member[:clusters] = np.arange(clusters)
    return clip_draws(tuple(map(str, member)), DRAWS, seed)


@pytest.mark.parametrize("clusters", [60, 7])
def test_uar_is_scikit_learns(clusters: int) -> None:
    rng = np.random.default_rng(0)
    truth, decided = rng.integers(0, 5, (2, 60))  # none of the 6th label
    draws = some_draws(60, clusters)
    found = drawn_uar(truth, decided, 6, draws)
    for value, weights in zip(found, draws.weights, strict=True):
        rows = np.flatnonzero(weights)
        labels = np.unique(truth[rows])  # recalls of those drawn alone
        each = recall_score(truth, decided, labels=labels, average=None, sample_weight=weights)
        assert value == pytest.approx(np.mean(each), abs=1e-12)


@pytest.mark.parametrize("clusters", [40, 6])
@pytest.mark.parametrize("mean", [0.0, 1e6])
def test_r2_is_scikit_learns(clusters: int, mean: float) -> None:
    """Far from zero as well, where sums of plain squares would lose what is looked for."""
    rng = np.random.default_rng(0)
    truth = rng.normal(mean, 1.0, 40)
    said = truth + rng.normal(0, 0.5, 40)
    draws = some_draws(40, clusters)
    theirs = [r2_score(truth, said, sample_weight=w.astype(float)) for w in draws.weights]
    np.testing.assert_allclose(drawn_r2(said, truth, draws), theirs, rtol=1e-9, atol=1e-9)


def test_r2_of_numbers_close_together_is_exact() -> None:
    """Two far values and many within a thousandth, against fractions."""
    truth = np.concatenate([[-1e3, 1e3], 500 + np.arange(30) / 2**15])
    said = truth + np.arange(32) / 2**12
    draws = some_draws(32, 32)
    for value, weights in zip(drawn_r2(said, truth, draws), draws.weights, strict=True):
        times, of = [int(w) for w in weights], [Fraction(t) for t in truth]
        mean = sum(map(operator.mul, times, of)) / sum(times)
        spread = sum(n * (t - mean) ** 2 for n, t in zip(times, of, strict=True))
        missed = sum(n * (Fraction(s) - t) ** 2 for n, s, t in zip(times, said, of, strict=True))
        assert value == pytest.approx(float(1 - missed / spread), rel=1e-9, abs=1e-9)


def test_r2_of_one_truth_is_undefined() -> None:
    one = np.zeros((40, 1), np.float32)
    one[0] = 7
    truth = np.arange(40.0)
    assert np.isnan(drawn_r2(truth, truth, Draws(np.arange(40), one)))


@pytest.mark.parametrize("clusters", [50, 8])
def test_map_is_scikit_learns(clusters: int) -> None:
    """Without ties, and with a label that some draws hold no positive of."""
    rng = np.random.default_rng(1)
    scores = rng.random((50, 4)).astype(np.float32)
    truth = rng.random((50, 4)) > 0.7
    truth[:, 3] = np.arange(50) == 7
    draws = some_draws(50, clusters)
    found = drawn_map(scores, truth, draws)
    for value, weights in zip(found, draws.weights, strict=True):
        each = [
            average_precision_score(truth[:, k], scores[:, k], sample_weight=weights)
            for k in range(4)
            if weights[truth[:, k]].any()
        ]
        assert value == pytest.approx(np.mean(each), abs=1e-12)


@pytest.mark.parametrize("clusters", [50, 8])
def test_f1_is_scikit_learns(clusters: int) -> None:
    """With a label that nobody is said to have, and one that some draws lack."""
    rng = np.random.default_rng(2)
    truth, decided = rng.random((2, 50, 4)) > 0.6
    truth[:, 3], decided[:, 2] = np.arange(50) == 7, False
    draws = some_draws(50, clusters)
    found = drawn_f1(np.flatnonzero(truth), np.flatnonzero(decided), 4, draws)
    assert np.isnan(found[3]).any()
    for values, weights in zip(found.T, draws.weights, strict=True):
        each = f1_score(truth, decided, average=None, sample_weight=weights, zero_division=0.0)
        lacking = [not weights[truth[:, k]].any() for k in range(4)]
        np.testing.assert_allclose(values, np.where(lacking, np.nan, each), rtol=0, atol=1e-12)


@given(st.integers(0, 10**6), st.integers(1, 30), st.integers(1, 5), st.integers(1, 8))
def test_map_is_that_of_repeated_clips(seed: int, clips: int, labels: int, levels: int) -> None:
    """With ties, labels without a positive, and clusters that are not drawn."""
    rng = np.random.default_rng(seed)
    scores = rng.integers(0, levels, (clips, labels)) / np.float32(5)
    truth = rng.random((clips, labels)) < rng.random(labels)
    counts = rng.integers(0, 3, (clips, 10)).astype(np.float32)
    draws = Draws(rng.permutation(clips), counts)
    found = drawn_map(scores, truth, draws)
    for value, weights in zip(found, draws.weights, strict=True):
        rows = np.repeat(np.arange(clips), weights.astype(int))
        valid = np.ones((len(rows), labels), np.bool_)
        theirs = mean_average_precision(scores[rows], truth[rows], valid)
        assert np.isnan(value) if theirs is None else value == pytest.approx(theirs, abs=1e-12)

"""Intervals against scipy and statsmodels, and what they promise against simulation."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from statsmodels.stats.multitest import multipletests

from raymtl.errors import StudyError
from raymtl.results.transfer.drawn import Draws
from raymtl.results.transfer.inference import (
    Interval,
    benjamini_hochberg,
    bootstrapped,
    cluster_bootstrap,
    corrected_t,
    holm,
)
from raymtl.results.transfer.verdicts import delta_m, verdict

SOME = [0.03, -0.01, 0.02, 0.05, 0.00, 0.04]


def test_without_correction_it_is_the_paired_t_test() -> None:
    """As the ratio goes to 0 the correction vanishes."""
    found, plain = corrected_t(SOME, 1e-15), stats.ttest_1samp(SOME, 0.0)
    interval = plain.confidence_interval(0.95)
    assert found.p == pytest.approx(plain.pvalue, abs=1e-9)
    assert (found.low, found.high) == pytest.approx((interval.low, interval.high), abs=1e-9)


def test_the_correction_is_the_published_one() -> None:
    """By hand: t = mean / sqrt((1/n + n_test/n_train) var), n - 1 degrees of freedom."""
    d = np.array(SOME)
    t = d.mean() / np.sqrt((1 / 6 + 1 / 4) * d.var(ddof=1))
    found = corrected_t(SOME, 1 / 4)
    assert found.p == pytest.approx(2 * stats.t.sf(t, 5), abs=1e-12)
    assert found.n == 6


def test_one_pair_has_no_spread() -> None:
    assert corrected_t([0.1], 0.25) == Interval(0.1, None, None, None, 1)


def test_equal_differences_tell_nothing_of_spread_unless_they_are_zero_often_enough() -> None:
    """Often enough: a sign test would refuse that zero is the less likely difference."""
    assert corrected_t([0.0] * 5, 0.25) == Interval(0.0, 0.0, 0.0, 1.0, 5)
    assert corrected_t([0.0] * 4, 0.25) == Interval(0.0, None, None, None, 4)
    assert [stats.binomtest(n, n, 0.5, "greater").pvalue < 0.05 for n in (4, 5)] == [False, True]
    assert corrected_t([0.1] * 4, 0.25) == Interval(pytest.approx(0.1), None, None, None, 4)


@pytest.mark.parametrize("bad", [[], [0.1, float("nan")]])
def test_differences_that_say_nothing(bad: list[float]) -> None:
    with pytest.raises(StudyError, match="finite ones expected"):
        corrected_t(bad, 0.25)


def test_a_ratio_that_cannot_be() -> None:
    with pytest.raises(StudyError, match="expected above 0"):
        corrected_t(SOME, 0)


def test_a_far_tail_is_normal() -> None:
    """5 deviations from zero: no draw is there, and the claim stands among many others."""
    rng = np.random.default_rng(0)
    draws = rng.normal(0.5, 0.1, 1_000)
    found = bootstrapped(0.5, draws.tolist(), 3)
    assert found.p == pytest.approx(2 * stats.norm.sf(0.5 / draws.std(ddof=1)), rel=1e-9)
    assert holm([found.p or 1.0, *[1.0] * 500])[0] < 0.01


@pytest.mark.parametrize("z", [0.5, 1.5, 2.0])
def test_a_near_tail_is_counted(z: float) -> None:
    draws = np.random.default_rng(1).normal(z, 1.0, 20_000)
    found = bootstrapped(z, draws.tolist(), 3)
    assert found.p == pytest.approx(2 * stats.norm.sf(z), rel=0.06)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=40))
def test_adjusted_as_statsmodels_does(p: list[float]) -> None:
    assert holm(p) == pytest.approx(multipletests(p, method="holm")[1], abs=1e-12)
    assert benjamini_hochberg(p) == pytest.approx(multipletests(p, method="fdr_bh")[1], abs=1e-12)


def test_nothing_to_adjust() -> None:
    assert holm([]) == benjamini_hochberg([]) == []


def test_a_percentile_interval() -> None:
    draws = np.arange(1, 1001) / 1000
    found = bootstrapped(0.5, draws.tolist(), 3)
    assert (found.low, found.high) == pytest.approx((0.025975, 0.975025), abs=1e-9)
    assert found.p == pytest.approx(2 / 1001)


def _weighted(gain: np.ndarray) -> Callable[[Draws], np.ndarray]:
    """Mean of (seeds, N) differences of clips, each as often as it is drawn."""
    return lambda draws: gain @ draws.weights.T / draws.weights.sum(axis=1)


def test_a_clustered_mean_has_the_error_of_cluster_means() -> None:
    """With clusters of one size the bootstrap's error is that of the mean of cluster means."""
    rng = np.random.default_rng(0)
    clusters = np.repeat(np.arange(40), 5)
    gain = rng.normal(0.1, 1.0, 40)[clusters] + rng.normal(0, 0.1, 200)
    found = cluster_bootstrap(_weighted(gain[None]), [str(c) for c in clusters], draws=4_000)
    means = gain.reshape(40, 5).mean(axis=1)
    half = 1.96 * means.std() / np.sqrt(40)
    assert found.mean == pytest.approx(gain.mean())
    assert found.low == pytest.approx(gain.mean() - half, abs=0.05 * half + 0.02)
    assert found.high == pytest.approx(gain.mean() + half, abs=0.05 * half + 0.02)


def test_the_error_is_that_of_scipys_bootstrap() -> None:
    """Clips that are their own clusters."""
    gain = np.random.default_rng(1).normal(0.05, 0.2, 120)
    found = cluster_bootstrap(_weighted(gain[None]), [str(i) for i in range(120)], draws=5_000)
    theirs = stats.bootstrap((gain,), np.mean, n_resamples=5_000, method="percentile", rng=0)
    assert found.low == pytest.approx(theirs.confidence_interval.low, abs=0.003)
    assert found.high == pytest.approx(theirs.confidence_interval.high, abs=0.003)


def test_seeds_are_drawn_too() -> None:
    """Clips all agree, seeds do not: the interval is theirs."""
    gain = np.repeat([[0.0], [1.0]], 30, axis=1)
    found = cluster_bootstrap(_weighted(gain), [str(i) for i in range(30)], draws=500)
    assert (found.mean, found.low, found.high) == (0.5, 0.0, 1.0)


def test_one_cluster_says_nothing() -> None:
    with pytest.raises(StudyError, match="form one group"):
        cluster_bootstrap(_weighted(np.ones((1, 3))), ["a"] * 3)


def test_a_metric_that_is_mostly_undefined() -> None:
    with pytest.raises(StudyError, match="undefined in 100 of 100 draws"):
        cluster_bootstrap(lambda d: np.full((1, d.counts.shape[1]), np.nan), ["a", "b"], draws=100)


@pytest.mark.parametrize(
    ("low", "high", "p", "said"),
    [
        (0.01, 0.05, 0.01, "helps"),
        (-0.05, -0.01, 0.01, "hurts"),
        (-0.004, 0.004, 0.9, "equivalent"),
        (0.001, 0.004, 0.001, "equivalent"),  # sure, and too small to care for
        (0.01, 0.05, 0.20, "inconclusive"),  # not after adjusting for the others
        (-0.01, 0.05, 0.2, "inconclusive"),
        (None, None, None, "inconclusive"),
    ],
)
def test_verdicts(low: float | None, high: float | None, p: float | None, said: str) -> None:
    assert verdict(Interval(0.0, low, high, p, 5), p, rope=0.005, level=0.05) == said


def test_delta_m() -> None:
    assert delta_m([0.10, -0.02]) == pytest.approx(4.0)


def test_false_claims_stay_below_the_level() -> None:
    """200 null studies of 12 comparisons, 5 folds × 3 seeds whose folds share noise."""
    rng = np.random.default_rng(1)
    claims = 0
    for _ in range(200):
        shared = rng.normal(0, 0.02, (12, 5, 1)) + rng.normal(0, 0.02, (12, 5, 3))
        found = [corrected_t(d.ravel().tolist(), 1 / 4) for d in shared]
        adjusted = holm([f.p or 0.0 for f in found])
        said = [verdict(f, a, 0.005, 0.05) for f, a in zip(found, adjusted, strict=True)]
        claims += "helps" in said
    assert claims <= 10  # 5 % of 200; expected far below, for the test is conservative

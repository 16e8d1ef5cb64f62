"""Intervals and p values for differences between two kinds of runs, and many of them at once.

Runs of one study share clips: k folds train on overlapping parts, and seeds of one fold test on the
same clips. A plain t test takes them for independent and finds too much.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt
from scipy import special, stats

from raymtl.errors import StudyError
from raymtl.results.transfer.drawn import Draws

Doubles = npt.NDArray[np.float64]
_TAIL = 10  # draws
_ZEROS = 5  # were zero the less likely difference, so many would come in 1 of 32 studies at most


@dataclass(frozen=True)
class Interval:
    """A mean difference, its two-sided interval, and the p value of "no difference".

    n: number of paired differences. low, high, p: None where they say nothing of spread: there is
    one, or all are equal; but `_ZEROS` or more, all of them zero, are an interval of no width.
    """

    mean: float
    low: float | None
    high: float | None
    p: float | None
    n: int


def corrected_t(differences: Sequence[float], ratio: float, confidence: float = 0.95) -> Interval:
    """The corrected resampled t test of paired differences over folds × seeds.

    The variance of the mean is taken as (1/n + ratio) times the sample variance, for the training
    parts overlap: Nadeau & Bengio, Inference for the generalization error, Machine Learning 52
    (2003), 10.1023/A:1024068626366, equation 9; n - 1 degrees of freedom.

    Args:
        differences: (n,) with the partner minus without.
        ratio: test clips over training clips of one fold.

    Raises:
        StudyError: for no difference, or a ratio that is not above 0.
    """
    found = _checked(differences)
    if not ratio > 0:
        raise StudyError(f"corrected t: test over training clips is {ratio}, expected above 0.")
    mean, n = float(found.mean()), len(found)
    if n < 2:
        return Interval(mean, None, None, None, n)
    error = float(np.sqrt((1 / n + ratio) * found.var(ddof=1)))
    if error <= 1e-12 * abs(mean):  # coarse scores, few runs: their spread is not known to be zero
        return without_spread(mean, n)
    half = error * float(special.stdtrit(n - 1, 0.5 + confidence / 2))
    p = 2 * float(special.stdtr(n - 1, -abs(mean) / error))
    return Interval(mean, mean - half, mean + half, p, n)


def without_spread(mean: float, n: int) -> Interval:
    """Of n pairs that all differ by `mean`, or do so on whichever clips are drawn."""
    if mean == 0 and n >= _ZEROS:
        return Interval(mean, mean, mean, 1.0, n)
    return Interval(mean, None, None, None, n)


def bootstrapped(
    mean: float, draws: Sequence[float] | Doubles, n: int, confidence: float = 0.95
) -> Interval:
    """Percentile interval of resampled mean differences, and its two-sided p value.

    p is twice the smaller share of draws on either side of zero, (count + 1) / (draws + 1)
    (Davison & Hinkley, Bootstrap Methods and their Application, 1997, section 4.2.3). Where fewer
    than `_TAIL` draws lie there that share says little but that it is small, and could not stand
    an adjustment for many comparisons: p is then that of a normal distribution with the draws'
    deviation (ibid., section 4.4.1), where that is smaller still.
    """
    found = _checked(draws)
    low, high = np.quantile(found, [0.5 - confidence / 2, 0.5 + confidence / 2])
    tail = min(int((found <= 0).sum()), int((found >= 0).sum()))
    p = min(1.0, 2 * (tail + 1) / (len(found) + 1))
    deviation = float(found.std(ddof=1)) if len(found) > 1 else 0.0
    if tail < _TAIL and deviation > 0:
        p = min(p, 2 * float(stats.norm.sf(abs(mean) / deviation)))
    return Interval(mean, float(low), float(high), p, n)


@lru_cache(maxsize=8)
def clip_draws(clusters: tuple[str, ...], draws: int, seed: int) -> Draws:
    """Test clips with their clusters, (N,), each once, and then in each of the draws.

    Whole clusters (speakers, recordings) are drawn with replacement, as many as there are.

    Raises:
        StudyError: when there is only one cluster, which says nothing of others.
    """
    names, member = np.unique(np.array(clusters), return_inverse=True)
    if len(names) < 2:
        raise StudyError("bootstrap: the test clips form one group; no spread can be told.")
    generator = np.random.default_rng(seed)
    counts = generator.multinomial(len(names), np.full(len(names), 1 / len(names)), size=draws)
    whole = np.ones((len(names), 1 + draws), np.float32)
    whole[:, 1:] = counts.T
    return Draws(member.reshape(-1), whole)


def cluster_bootstrap(
    differences: Callable[[Draws], Doubles],
    clusters: Sequence[str],
    draws: int = 1_000,
    seed: int = 0,
    confidence: float = 0.95,
) -> Interval:
    """Difference between two kinds of runs on one fixed test set, clusters × seeds resampled.

    Every draw takes clusters of test clips with replacement and, crossed with them, seeds, and
    averages over the drawn seeds the score with the partner minus that without.

    Args:
        differences: draws of the test clips to the difference of each paired seed, (seeds, draws);
            NaN where the metric is undefined.
        clusters: (N,) the cluster of each test clip.

    Raises:
        StudyError: when there is one cluster, or the metric is undefined in most draws.
    """
    drawn = clip_draws(tuple(clusters), draws, seed)
    return over_seeds(differences(drawn), len(drawn.counts), seed, confidence)


def over_seeds(
    differences: Doubles, clusters: int, seed: int = 0, confidence: float = 0.95
) -> Interval:
    """As `cluster_bootstrap`, of differences (seeds, 1 + draws) on draws of so many clusters.

    Raises:
        StudyError: when the metric is undefined in most draws.
    """
    whole, each = differences[:, 0], differences[:, 1:]
    seeds, draws = each.shape
    picked = np.random.default_rng([seed, 1]).integers(seeds, size=(draws, seeds))
    found = np.take_along_axis(each.T, picked, axis=1).mean(axis=1)
    known = found[np.isfinite(found)]
    if len(known) < draws // 2 or not np.isfinite(whole).all():
        raise StudyError(
            f"bootstrap: the metric is undefined in {draws - len(known)} of {draws} draws of "
            f"{clusters} groups. Score a metric that few clips of a class do not undo."
        )
    return bootstrapped(float(whole.mean()), known, seeds, confidence)


def holm(p: Sequence[float]) -> list[float]:
    """Adjusted p values that bound the chance of any false claim among them all.

    Holm, A simple sequentially rejective multiple test procedure, Scand. J. Statist. 6 (1979).
    """
    found = np.asarray(p, np.float64)
    order = np.argsort(found, kind="stable")
    steps = found[order] * np.arange(len(found), 0, -1)
    adjusted = np.empty_like(found)
    adjusted[order] = np.minimum(np.maximum.accumulate(steps), 1.0)
    return [float(value) for value in adjusted]


def benjamini_hochberg(p: Sequence[float]) -> list[float]:
    """Adjusted p values that bound the share of false finds among those made, for screening.

    Benjamini & Hochberg, J. R. Statist. Soc. B 57 (1995); as scipy computes it.
    """
    if not len(p):
        return []
    return [float(value) for value in stats.false_discovery_control(np.asarray(p, np.float64))]


def _checked(values: Sequence[float] | Doubles) -> Doubles:
    found = np.asarray(values, np.float64)
    if not len(found) or not np.isfinite(found).all():
        raise StudyError(f"{len(found)} differences, finite ones expected; nothing can be told.")
    return found

"""Metrics on many draws of the same test clips at once: what a bootstrap of one test set needs.

Every metric here is one of `tasks.metrics` with each clip counted as often as it was drawn. Clips
are ranked once and not once a draw, and counts of those drawn are summed for all draws side by
side.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from torch import Tensor

Doubles = npt.NDArray[np.float64]
Singles = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
_WIDTH = 512  # draws summed side by side: few calls, and what they count is not too large to keep
_FLOOR = np.float32(1e-30)  # beside a count it is nothing; without a clip it makes 0 of 0 / 0


@dataclass(frozen=True, eq=False)
class Draws:
    """Test clips drawn with replacement, whole clusters of them (speakers, recordings) at a time.

    member: (N,) the cluster of each clip. counts: (clusters, draws) how often each was drawn,
    whole numbers.
    """

    member: Ints
    counts: Singles

    @property
    def weights(self) -> Singles:
        """How often each clip counts, (draws, N)."""
        return np.ascontiguousarray(self.counts[self.member].T)

    @cached_property
    def _blocks(self) -> tuple[Tensor, ...]:
        import torch  # takes a second, and few sweeps have one fixed test set

        starts = range(0, self.counts.shape[1], _WIDTH)
        parts = (np.ascontiguousarray(self.counts[:, at : at + _WIDTH]) for at in starts)
        return tuple(map(torch.from_numpy, parts))

    def counted(self, clips: Ints, starts: Ints) -> Iterator[Singles]:
        """How many clips each bag holds in some of the draws after others, (bags, some), exact.

        clips: the clips of all bags, one bag after another. starts: (bags,) where each begins.
        """
        import torch
        from torch.nn import functional

        members = torch.from_numpy(self.member[clips])
        begins = torch.from_numpy(starts)
        for block in self._blocks:
            yield functional.embedding_bag(members, block, begins, mode="sum").numpy()


def drawn_uar(truth: Ints, decided: Ints, labels: int, draws: Draws) -> Doubles:
    """Unweighted average recall in each draw, over the labels drawn: (N,) codes, to (draws,)."""
    order = np.argsort(truth, kind="stable")
    right = order[(truth == decided)[order]]
    every = np.arange(labels)
    support = draws.counted(order, np.searchsorted(truth[order], every))
    hits = draws.counted(right, np.searchsorted(truth[right], every))
    return np.concatenate([_recalls(h, s) for h, s in zip(hits, support, strict=True)])


def _recalls(hits: Singles, support: Singles) -> Doubles:
    present = support > 0
    recalls = np.divide(hits, np.maximum(support, 1), dtype=np.float64)
    found: Doubles = recalls.sum(axis=0) / np.maximum(present.sum(axis=0), 1)
    return found


def drawn_f1(truth: Ints, decided: Ints, labels: int, draws: Draws) -> Doubles:
    """F1 of each label in each draw, (labels, draws); NaN where no clip drawn has the label.

    truth, decided: clip * labels + label of every label that a clip has, and that it was said to
    have; each once.
    """
    right = decided[np.isin(decided, truth)]
    clusters = len(draws.counts)

    def counts(pairs: Ints) -> Singles:
        clip, label = np.divmod(pairs, labels)
        held = np.bincount(label * clusters + draws.member[clip], minlength=labels * clusters)
        found: Singles = held.reshape(labels, clusters).astype(np.float32) @ draws.counts
        return found

    support = counts(truth)
    both = np.maximum(support + counts(decided), 1)
    f1: Doubles = np.divide(2 * counts(right), both, dtype=np.float64)
    f1[support == 0] = np.nan
    return f1


def drawn_map(scores: npt.NDArray[np.floating], truth: Bools, draws: Draws) -> Doubles:
    """Mean average precision in each draw: (N, K) scores and flags, to (draws,).

    The mean is over the labels of which the draw holds a positive; NaN without any. Clips of equal
    score are accepted together.
    """
    ranks = _ranked(scores, truth)
    if not len(ranks.first):
        return np.full(draws.counts.shape[1], np.nan)
    above = draws.counted(ranks.clips, ranks.starts)
    among = draws.counted(ranks.positives, ranks.positive_starts)
    return np.concatenate(
        [_precisions(a, p, ranks.first) for a, p in zip(above, among, strict=True)]
    )


def _precisions(above: Singles, among: Singles, first: Ints) -> Doubles:
    """Means of the labels' average precisions, (some,); arguments as `_Ranks` orders them.

    above: (steps, some) clips accepted by each step that were not by the step before it.
    among: the positives among them.
    """
    ends = np.append(first[1:], len(above))
    shape = int(ends[0]), above.shape[1]
    seen, hits, total = np.full(shape, _FLOOR), np.zeros(shape, np.float32), np.zeros(shape)
    for begin, end in zip(first.tolist(), ends.tolist(), strict=True):
        these = slice(0, end - begin)
        seen[these] += above[begin:end]
        hits[these] += among[begin:end]
        gained = hits[these] * among[begin:end]
        total[these] += np.divide(gained, seen[these], dtype=np.float64)
    known = (hits > 0).sum(axis=0)
    each = total / np.maximum(hits, 1)
    found: Doubles = np.where(known > 0, each.sum(axis=0) / np.maximum(known, 1), np.nan)
    return found


@dataclass(frozen=True, eq=False)
class _Ranks:
    """Where precision is taken: at every score of a label that a positive has.

    Steps are ordered by their place within their label, then by label, those with most steps first:
    the n-th steps of all labels follow one another, and their labels are the first so many of those
    of the steps before.

    clips, starts: the clips that each step accepts, and where its own begin. positives,
    positive_starts: those of them that are positive. first: where the first, second, ... steps of
    the labels begin.
    """

    clips: Ints
    starts: Ints
    positives: Ints
    positive_starts: Ints
    first: Ints


def _ranked(scores: npt.NDArray[np.floating], truth: Bools) -> _Ranks:
    clips, labels = scores.shape
    falling = -np.ascontiguousarray(scores.T)
    order = np.argsort(falling, axis=1)
    ranked = np.take_along_axis(falling, order, axis=1)
    positive = np.take_along_axis(truth.T, order, axis=1).ravel()
    last = np.ones((labels, clips), np.bool_)  # of those with the same score
    last[:, :-1] = ranked[:, :-1] != ranked[:, 1:]
    ends: Ints = np.flatnonzero(last)
    held: Ints = np.cumsum(positive, dtype=np.int64)[ends]
    held_before: Ints = np.append(0, held[:-1])
    steps = held > held_before
    ends, held, held_before = ends[steps], held[steps], held_before[steps]
    label = ends // max(clips, 1)
    begins = np.maximum(np.append(0, ends[:-1] + 1)[: len(ends)], label * clips)
    order_of, first = _side_by_side(label, labels)
    flat = order.ravel()
    accepted, starts = _runs(begins[order_of], (ends + 1)[order_of])
    ranks, positive_starts = _runs(held_before[order_of], held[order_of])
    return _Ranks(
        flat[accepted], starts, flat[np.flatnonzero(positive)[ranks]], positive_starts, first
    )


def _side_by_side(label: Ints, labels: int) -> tuple[Ints, Ints]:
    """The order of `_Ranks` for steps sorted by label, and where each place's steps begin."""
    steps = np.bincount(label, minlength=labels)
    place = np.arange(len(label)) - (np.cumsum(steps) - steps)[label]
    most_first = np.argsort(np.argsort(-steps, kind="stable"))
    each = np.bincount(place)
    return np.lexsort((most_first[label], place)), np.cumsum(each) - each


def _runs(begins: Ints, ends: Ints) -> tuple[Ints, Ints]:
    """The whole numbers from each begin up to its end, one run after another, and where each
    begins."""
    sizes = ends - begins
    starts = np.cumsum(sizes) - sizes
    return np.arange(int(sizes.sum())) + np.repeat(begins - starts, sizes), starts


def drawn_r2(said: Doubles, truth: Doubles, draws: Draws) -> Doubles:
    """Coefficient of determination in each draw, (N,) and (N,) to (draws,); NaN where all clips
    drawn have one truth.

    Squares are summed of deviations, as large numbers close to one another lose none of their
    digits there: within clusters from a cluster's mean, and of those from the mean of the draw.
    """
    truth, said = truth - truth.mean(), said - truth.mean()
    size = np.bincount(draws.member, minlength=len(draws.counts))
    mean = _totals(truth, draws) / np.maximum(size, 1)
    within = _totals((truth - mean[draws.member]) ** 2, draws)
    missed = _totals((said - truth) ** 2, draws)
    least = (1e-12 * float(np.abs(truth).max())) ** 2  # of equal numbers rounding makes no more
    found = [
        _determined(block, size, mean, within, missed, least)
        for block in np.array_split(draws.counts, -(-draws.counts.shape[1] // _WIDTH), axis=1)
    ]
    return np.concatenate(found)


def _totals(values: Doubles, draws: Draws) -> Doubles:
    """Sums over the clips of each cluster, (N,) to (clusters,)."""
    found: Doubles = np.bincount(draws.member, values, minlength=len(draws.counts)).astype(float)
    return found


def _determined(
    counts: Singles, size: Ints, mean: Doubles, within: Doubles, missed: Doubles, least: float
) -> Doubles:
    """R^2 of some draws, (clusters, some) to (some,), from sums over the clips of each cluster."""
    times = counts.astype(np.float64)
    clips = times * size[:, None]
    gaps = mean[:, None] - mean @ clips / np.maximum(clips.sum(axis=0), 1)
    spread = (clips * gaps**2).sum(axis=0) + within @ times
    known = spread > least * clips.sum(axis=0)
    found: Doubles = 1 - missed @ times / np.where(known, spread, np.nan)
    return found

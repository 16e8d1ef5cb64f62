"""Ranks of many rows at once, for permutation tests: each row holds the numbers of one draw."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Doubles = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]


def ranked(values: Doubles, known: Bools) -> Doubles:
    """(D, M) ranks from 1 among the known entries of each row, equal ones sharing their mean;
    0 where not known.

    Args:
        values: (D, M), finite where known. known: (D, M).
    """
    held = np.where(known, values, np.inf)
    order = np.argsort(held, axis=1, kind="stable")
    rising = np.take_along_axis(held, order, axis=1)
    at = np.arange(held.shape[1])
    differs = rising[:, 1:] != rising[:, :-1]
    edge = np.ones((len(held), 1), np.bool_)
    first = np.maximum.accumulate(np.where(np.hstack([edge, differs]), at, 0), axis=1)
    ends = np.where(np.hstack([differs, edge]), at, len(at))
    last = np.minimum.accumulate(ends[:, ::-1], axis=1)[:, ::-1]
    found = np.zeros(held.shape)
    np.put_along_axis(found, order, (first + last) / 2 + 1, axis=1)
    return np.where(known, found, 0.0)


def correlations(one: Doubles, other: Doubles, known: Bools, least: int) -> Doubles:
    """(D,) Spearman's correlations of the known entries of two (D, M); NaN where fewer than `least`
    are known or one side is constant."""
    ranks = [ranked(values, known) for values in (one, other)]
    count = known.sum(axis=1)
    middle = (count[:, None] + 1) / 2
    a, b = (np.where(known, of - middle, 0.0) for of in ranks)
    spread = np.sqrt((a**2).sum(axis=1) * (b**2).sum(axis=1))
    usable = (count >= least) & (spread > 0)
    found: Doubles = np.where(usable, (a * b).sum(axis=1) / np.where(usable, spread, 1.0), np.nan)
    return found


def areas(truth: Bools, said: Doubles, known: Bools) -> Doubles:
    """(D,) areas under the curve of each row's known entries, from the ranks of those that are true
    (Mann & Whitney 1947, 10.1214/aoms/1177730491); NaN where all or none is true.

    Args:
        truth, said, known: (D, M).
    """
    true = truth & known
    ones = true.sum(axis=1)
    others = known.sum(axis=1) - ones
    usable = (ones > 0) & (others > 0)
    above = np.where(true, ranked(said, known), 0.0).sum(axis=1) - ones * (ones + 1) / 2
    found: Doubles = np.where(usable, above / np.where(usable, ones * others, 1), np.nan)
    return found

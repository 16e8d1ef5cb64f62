"""Matrices over tasks, and what happens to them when the tasks change places.

Entries of such a matrix are not independent: those of one row share a task. So nulls are made by
giving the tasks each other's places, rows and columns alike: Mantel, Cancer Research 27 (1967);
Krackhardt, Social Networks 10 (1988), 10.1016/0378-8733(88)90004-4.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice, permutations
from math import factorial

import numpy as np
import numpy.typing as npt

Doubles = npt.NDArray[np.float64]
Places = npt.NDArray[np.int64]


def rearrangements(nodes: int, draws: int, seed: int = 0) -> Iterator[Places]:
    """Places of the nodes, (nodes,) each, the identity left out: all of them where these are at
    most `draws`, else as many at random."""
    if factorial(nodes) - 1 <= draws:
        yield from (np.array(p) for p in islice(permutations(range(nodes)), 1, None))
        return
    random = np.random.default_rng(seed)
    for _ in range(draws):
        places = random.permutation(nodes)
        while (places == np.arange(nodes)).all():
            places = random.permutation(nodes)
        yield places


def moved(matrix: Doubles, places: Places) -> Doubles:
    """(nodes, nodes) with node i where node places[i] was; (D, nodes, nodes) for (D, nodes)."""
    taken: Doubles = matrix[places[..., :, None], places[..., None, :]]
    return taken


def all_moved(matrix: Doubles, draws: int, seed: int = 0) -> Doubles:
    """(D, nodes, nodes): the matrix after each of the `rearrangements`."""
    places = list(rearrangements(len(matrix), draws, seed))
    return moved(matrix, np.array(places, np.int64).reshape(-1, len(matrix)))


def tail(found: float, null: list[float]) -> float:
    """One-sided p value: the share of what chance gives, `found` included, that is as large."""
    return (1 + sum(value >= found - 1e-12 for value in null)) / (1 + len(null))

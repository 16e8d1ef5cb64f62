"""Ordered pairs of sources: what one gains from the other, beside what is known of both."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from raymtl.results.relations.evaluation import Pairs
from raymtl.results.relations.tasks import Facts
from raymtl.results.transfer.gains import Gain

Doubles = npt.NDArray[np.float64]
Between: TypeAlias = Mapping[str, Mapping[tuple[str, str], float]]  # what -> (main, partner) -> ...


def pair_gains(
    gains: Sequence[Gain], method: tuple[str, str] | None = None
) -> dict[tuple[str, str], float]:
    """(main, partner) -> mean gain in pairs, over tasks of the source and methods; no controls.

    Args:
        method: the only extraction and model looked at; all without.
    """
    found: dict[tuple[str, str], list[float]] = defaultdict(list)
    for gain in gains:
        if method is not None and (gain.how.extraction, gain.how.model) != tuple(method):
            continue
        if len(gain.how.partners) == 1 and not gain.how.control and gain.what.label is None:
            found[gain.what.source, gain.how.partners[0]].append(gain.mean)
    return {pair: float(np.mean(values)) for pair, values in sorted(found.items())}


def pairs_of(
    gained: Mapping[tuple[str, str], float], facts: Facts, between: Between | None = None
) -> tuple[Pairs, Doubles]:
    """The pairs both of whose sources have facts, and their gains (N,).

    Columns: each fact that all sources have, of main and of partner and, where it is above 0
    everywhere, their ratio; each measure between two that all pairs have.
    """
    rows = [pair for pair in gained if all(name in facts for name in pair)]
    names = tuple(sorted({name for pair in rows for name in pair}))
    common = sorted(set.intersection(*(set(facts[name]) for name in names))) if names else []
    columns: dict[str, list[float]] = {}
    for fact in common:
        main, partner = ([facts[pair[side]][fact] for pair in rows] for side in (0, 1))
        columns[f"main {fact}"], columns[f"partner {fact}"] = main, partner
        if min(main + partner) > 0:
            columns[f"ratio {fact}"] = [a / b for a, b in zip(main, partner, strict=True)]
    for what, values in sorted((between or {}).items()):
        if rows and all(pair in values for pair in rows):
            columns[what] = [values[pair] for pair in rows]
    numbers = np.array([gained[pair] for pair in rows])
    main_at, partner_at = (np.array([names.index(p[side]) for p in rows], int) for side in (0, 1))
    values_of = np.array(list(columns.values())).T.reshape(len(rows), len(columns))
    return Pairs(names, main_at, partner_at, numbers > 0, values_of, tuple(columns)), numbers

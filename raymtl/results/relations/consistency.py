"""Are relations the same under other features, another network, a third task?

Two matrices of gains are compared by rank correlation. No two can agree better than one setting
agrees with itself on another seed, so that agreement is reported beside as the ceiling.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from raymtl.results.relations.nodes import all_moved, tail
from raymtl.results.relations.ranks import correlations
from raymtl.results.transfer.gains import Gain

Doubles = npt.NDArray[np.float64]
LEAST = 4  # entries below which a rank correlation says nothing


class Setting(NamedTuple):
    """Under what gains were measured; third: also trained on in both arms."""

    extraction: str
    model: str
    third: str = ""


@dataclass(frozen=True)
class Agreement:
    """How alike the gains of two settings are.

    axis: extraction, model or third task: what differs. entries: ordered pairs compared.
    rho: Spearman's correlation of the mean gains; None below `LEAST` entries or for a constant.
    p: node permutation, one-sided.
    across: correlation of one repetition under one setting with another repetition under the other.
    ceiling: correlation of two repetitions under the same setting, mean over both; None with one.
    """

    axis: str
    one: Setting
    other: Setting
    entries: int
    rho: float | None
    p: float | None
    across: float | None
    ceiling: float | None


def agreements(gains: Sequence[Gain], draws: int = 999, seed: int = 0) -> list[Agreement]:
    """Every two settings that differ in one axis; a third task is compared with none.

    Repetitions are seeds, or folds where there is one seed. Several tasks of a source are averaged.
    """
    names = sorted(
        {gain.what.source for gain in gains} | {p for g in gains for p in g.how.partners}
    )
    found = matrices(gains, names)
    alike = {setting: _repeated(repeats, repeats) for setting, repeats in found.items()}
    compared = []
    for one, other in combinations(sorted(found), 2):
        axis = _axis(one, other)
        if axis:
            ceiling = _average([alike[one], alike[other]])
            compared.append(_agreement(axis, (one, other), found, ceiling, draws, seed))
    return compared


def matrices(gains: Sequence[Gain], names: Sequence[str]) -> dict[Setting, dict[int, Doubles]]:
    """Setting -> repetition -> (main, partner) gains, NaN where there is none.

    With a third task k, the gain from j is score(i, j, k) - score(i, k).
    """
    by_seed = len({pair.seed for gain in gains for pair in gain.pairs}) > 1
    scores = _scores(gains, by_seed)
    cells: dict[tuple[Setting, int], dict[tuple[str, str], list[float]]] = defaultdict(
        lambda: defaultdict(list)
    )
    for (main, partners, extraction, model, task), repeats in scores.items():
        for partner in partners:
            rest = tuple(name for name in partners if name != partner)
            base = scores.get((main, rest, extraction, model, task), {})
            if len(rest) > 1 or not base:
                continue
            setting = Setting(extraction, model, *rest)
            for repeat in repeats.keys() & base.keys():
                common = repeats[repeat].keys() & base[repeat].keys()
                cells[setting, repeat][main, partner] += [
                    repeats[repeat][place] - base[repeat][place] for place in sorted(common)
                ]
    found: dict[Setting, dict[int, Doubles]] = defaultdict(dict)
    for (setting, repeat), entries in cells.items():
        matrix = np.full((len(names), len(names)), np.nan)
        for (main, partner), values in entries.items():
            if values:
                matrix[names.index(main), names.index(partner)] = np.mean(values)
        found[setting][repeat] = matrix
    return dict(found)


_Key = tuple[str, tuple[str, ...], str, str, str]  # main, partners, extraction, model, task
_Repeats = dict[int, dict[tuple[int, int], float]]  # repetition -> (fold, seed) -> score


def _scores(gains: Iterable[Gain], by_seed: bool) -> dict[_Key, _Repeats]:
    found: dict[_Key, _Repeats] = defaultdict(lambda: defaultdict(dict))
    for gain in gains:
        what, how = gain.what, gain.how
        if how.control or what.label is not None:
            continue
        for pair in gain.pairs:
            repeat = pair.seed if by_seed else pair.fold
            place = (pair.fold, pair.seed)
            for partners, score in ((how.partners, pair.score), ((), pair.base)):
                key = (what.source, tuple(sorted(partners)), how.extraction, how.model, what.task)
                found[key][repeat][place] = score
    return found


def spearman(one: Doubles, other: Doubles) -> float | None:
    """Rank correlation of the entries, off the diagonal, that both have."""
    return _finite(_spearmans(one[None], other[None]))[0]


def mantel(one: Doubles, other: Doubles, draws: int = 999, seed: int = 0) -> float | None:
    """One-sided p value of their rank correlation under node permutation; None where there is no
    correlation, or chance gives one too seldom to say."""
    found = spearman(one, other)
    if found is None:
        return None
    null = _finite(_spearmans(one[None], all_moved(other, draws, seed)))
    known = [value for value in null if value is not None]
    return tail(found, known) if len(known) * 2 > len(null) else None


def _spearmans(ones: Doubles, others: Doubles) -> Doubles:
    """(D,) of matrices (D, nodes, nodes), or one beside D; NaN where there is none."""
    off = ~np.eye(ones.shape[-1], dtype=bool)
    a, b = np.broadcast_arrays(ones[:, off], others[:, off])
    return correlations(a, b, np.isfinite(a) & np.isfinite(b), LEAST)


def _finite(values: Doubles) -> list[float | None]:
    return [value if np.isfinite(value) else None for value in values.tolist()]


def _agreement(
    axis: str,
    settings: tuple[Setting, Setting],
    found: Mapping[Setting, Mapping[int, Doubles]],
    ceiling: float | None,
    draws: int,
    seed: int,
) -> Agreement:
    one, other = (found[setting] for setting in settings)
    means = _mean(one.values()), _mean(other.values())
    known = np.isfinite(means[0]) & np.isfinite(means[1])
    return Agreement(
        axis,
        *settings,
        int(known.sum()),
        spearman(*means),
        mantel(*means, draws, seed),
        _repeated(one, other),
        ceiling,
    )


def _repeated(one: Mapping[int, Doubles], other: Mapping[int, Doubles]) -> float | None:
    """Mean correlation of a repetition of `one` with a different one of `other`."""
    both = [(one[a], other[b]) for a in one for b in other if a != b]
    if not both:
        return None
    return _average(_finite(_spearmans(*(np.stack(side) for side in zip(*both, strict=True)))))


def _average(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else None


def _mean(parts: Iterable[Doubles]) -> Doubles:
    stack = np.stack(list(parts))
    counts = np.isfinite(stack).sum(axis=0)
    sums = np.nansum(stack, axis=0)
    return np.where(counts > 0, sums / np.maximum(counts, 1), np.nan)


def _axis(one: Setting, other: Setting) -> str:
    differing = [name for name in Setting._fields if getattr(one, name) != getattr(other, name)]
    if len(differing) != 1 or (one.third and other.third):
        return ""
    return "third task" if differing[0] == "third" else differing[0]

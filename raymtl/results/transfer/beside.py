"""Gains taken together over methods, and gains over controls: more pairs of runs to be judged."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import replace

from raymtl.results.transfer.gains import Gain, How, Pair, What


def over_methods(found: Sequence[Gain], fixed: Collection[str] = ()) -> list[Gain]:
    """Each (task, partner set) over all its extractions and models, which are left empty.

    With several folds a pair is the mean over methods of one fold and seed, where every method has
    both runs, so n counts folds × seeds and not methods; its runs are those of the first method.
    On one test set every pair of runs is kept, and is drawn as a seed is.

    Args:
        fixed: sources whose test clips are the same in every fold.
    """
    together: dict[tuple[What, How], list[Gain]] = defaultdict(list)
    for gain in found:
        together[gain.what, gain.how._replace(extraction="", model="")].append(gain)
    pooled = []
    for (what, how), gains in together.items():
        pairs = _together(gains, what.source in fixed)
        if pairs:
            pooled.append(Gain(what, how, tuple(pairs)))
    return pooled


def over_controls(found: Sequence[Gain]) -> list[Gain]:
    """Each controlled cell against its control instead of its source alone, by fold and seed."""
    cells = {(gain.what, gain.how): gain for gain in found}
    beside = []
    for gain in found:
        cell = cells.get((gain.what, gain.how._replace(control="")))
        if not gain.how.control or cell is None:
            continue
        ours = {(pair.fold, pair.seed): pair for pair in cell.pairs}
        pairs = tuple(
            _over(ours[at], pair) for pair in gain.pairs if (at := (pair.fold, pair.seed)) in ours
        )
        if pairs:
            beside.append(replace(gain, pairs=pairs))
    return beside


def _over(ours: Pair, control: Pair) -> Pair:
    """`ours`, over the control's run in place of the source alone."""
    return ours._replace(base_run=control.run, base=control.score)


def _together(gains: Sequence[Gain], fixed: bool) -> list[Pair]:
    """Pairs over several methods; as `over_methods` tells."""
    every = [pair for gain in gains for pair in gain.pairs]
    if fixed or len({pair.fold for pair in every}) == 1:
        return every
    places: dict[tuple[int, int], list[Pair]] = defaultdict(list)
    for pair in every:
        places[pair.fold, pair.seed].append(pair)
    whole = [pairs for _, pairs in sorted(places.items()) if len(pairs) == len(gains)]
    if len({pairs[0].fold for pairs in whole}) == 1:  # the others are not all there yet
        return [pair for pairs in whole for pair in pairs]
    return [_mean(pairs) for pairs in whole]


def _mean(pairs: Sequence[Pair]) -> Pair:
    return pairs[0]._replace(
        score=sum(pair.score for pair in pairs) / len(pairs),
        base=sum(pair.base for pair in pairs) / len(pairs),
    )

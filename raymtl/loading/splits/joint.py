"""All sources of a study split together, so that no group is trained in one and tested in another.

Groups are joined into components over all sources. Official splits come first, then the sources in
their order; each decides the components that are still open and follows the rest. So a source
added at the end that shares no group leaves every earlier fold as it was.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from raymtl.errors import StudyError
from raymtl.loading.splits.checks import check_parts
from raymtl.loading.splits.components import Links, connect
from raymtl.loading.splits.dealing import Deal, Ints, deal, hashes, shuffled
from raymtl.loading.splits.splitters import Splitter, Validation
from raymtl.loading.splits.view import FREE, TEST, TRAIN, VALIDATION, Bools, Sides, View, view_of
from raymtl.reading.clips import ClipTable
from raymtl.tasks import Task


@dataclass(frozen=True)
class Part:
    """Clip ids of one source in one split, each sorted."""

    train: tuple[str, ...]
    validation: tuple[str, ...]
    test: tuple[str, ...]


@dataclass(frozen=True)
class Conflict:
    """A group that official splits put on both sides.

    trained: source in whose training or validation part it is.
    tested: source in whose test part it is, with `clips` clips.
    """

    group: str
    trained: str
    tested: str
    clips: int


@dataclass(frozen=True)
class Split:
    """One split of all sources; `fold` counts from 1, as official folds do."""

    fold: int
    parts: Mapping[str, Part]
    conflicts: tuple[Conflict, ...]


@dataclass(frozen=True, eq=False)
class SplitInput:
    """A source to split; the table has a target column for each of `tasks`.

    content: clip id to a digest of what is heard in it; clips with equal content stay together.
    """

    name: str
    table: ClipTable
    tasks: tuple[Task, ...]
    splitter: Splitter
    content: Mapping[str, str] = field(default_factory=dict)


def split_sources(sources: Sequence[SplitInput], validation: Validation, seed: int) -> list[Split]:
    """Splits all sources at once: a pure function of ids, groups, labels and seed.

    Every splitter gives the same number of splits, or one, which then serves every fold.

    Raises:
        StudyError: when a part would be empty, a label would not be trained, groups do not
            suffice, or the numbers of splits differ.
    """
    if not sources:
        return []
    links = connect([s.table for s in sources], [s.content for s in sources])
    base = hashes(links.keys)
    views = [
        view_of(s.name, s.table, s.tasks, component, links.keys, base)
        for s, component in zip(sources, links.components, strict=True)
    ]
    numbers = _numbers(sources, views)
    folds = max(numbers)
    sides = _sides(sources, views, links, folds, seed)
    for fold in range(folds):
        own = [fold if number > 1 else 0 for number in numbers]  # one split is the same everywhere
        _carve(views, links, [side[:, fold] for side in sides], own, validation, seed)
    for source, view, side in zip(sources, views, sides, strict=True):
        check_parts(view, side, source.splitter, validation.fraction > 0)
    return [
        Split(
            fold + 1,
            {v.name: _part(v, side[:, fold]) for v, side in zip(views, sides, strict=True)},
            _conflicts(views, links, [side[:, fold] for side in sides]),
        )
        for fold in range(folds)
    ]


def _numbers(sources: Sequence[SplitInput], views: Sequence[View]) -> list[int]:
    """How many splits each source gives."""
    numbers = [s.splitter.splits(v) for s, v in zip(sources, views, strict=True)]
    if len({n for n in numbers if n > 1}) > 1:
        found = ", ".join(f"{s.name}: {n}" for s, n in zip(sources, numbers, strict=True))
        raise StudyError(
            f"the sources give different numbers of splits ({found}). Expected the same number "
            "everywhere, or one. Give sources a splitter of their own (folds=)."
        )
    return numbers


def _sides(
    sources: Sequence[SplitInput], views: Sequence[View], links: Links, folds: int, seed: int
) -> list[Sides]:
    """Train or test for each clip, per source (N, folds); official validation parts as they are."""
    settled = np.full((len(links.keys), folds), FREE, np.int8)
    sides: dict[int, Sides] = {}
    for i in sorted(range(len(sources)), key=lambda i: not sources[i].splitter.first):
        here = np.unique(links.components[i])
        sides[i] = sources[i].splitter.assign(views[i], settled[here], seed)
        found = _settled(views[i], sides[i])
        settled[here] = np.where(settled[here] == FREE, found, settled[here])
    return [sides[i] for i in range(len(sources))]


def _settled(view: View, sides: Sides) -> Sides:
    """Side of each component (C, folds), FREE where a split leaves it open.

    A component that official folds put on both sides counts as tested in the fold that tests most
    of it; one that an official split separates the same way in every fold stays open.
    """
    tested = _members(view, sides == TEST)
    trained = _members(view, (sides == TRAIN) | (sides == VALIDATION))
    both = (tested > 0) & (trained > 0)
    most = np.arange(sides.shape[1]) == np.where(both, tested, 0).argmax(axis=1)[:, None]
    found = np.where(tested > 0, TEST, np.where(trained > 0, TRAIN, FREE))
    found = np.where(both, np.where(most, TEST, TRAIN), found)
    found[both.all(axis=1)] = FREE
    return found.astype(np.int8)


def _members(view: View, flags: Bools) -> Ints:
    """(C, folds) flagged clips of each component; flags (N, folds)."""
    counts = np.zeros((view.components, flags.shape[1]), np.int64)
    np.add.at(counts, view.component, flags)
    return counts


def _carve(
    views: Sequence[View],
    links: Links,
    sides: Sequence[Sides],
    folds: Sequence[int],
    validation: Validation,
    seed: int,
) -> None:
    """Turns part of the training clips of one split into validation clips; sides (N,), in place.

    Sources with an official validation part keep it; the others do not train on its groups, nor
    hold out for validation what those train on.
    """
    official = [bool((side == VALIDATION).any()) for side in sides]
    order = sorted(range(len(views)), key=lambda i: not official[i])
    chosen = np.full(len(links.keys), FREE, np.int8)  # TRAIN or VALIDATION, of components
    for i in order:
        here = np.unique(links.components[i])
        if official[i]:
            chosen[here] = _as_given(views[i], sides[i], chosen[here])
        elif validation.fraction > 0:
            chosen[here] = _chosen(views[i], sides[i], chosen[here], validation, seed, folds[i])
    for i in order:
        if not official[i]:
            held = chosen[links.components[i]] == VALIDATION
            sides[i][(sides[i] == TRAIN) & held] = VALIDATION


def _as_given(view: View, side: Sides, chosen: Sides) -> Sides:
    held = _members(view, side[:, None] == VALIDATION)[:, 0] > 0
    used = _members(view, side[:, None] == TRAIN)[:, 0] > 0
    found = np.where(held, VALIDATION, np.where(used, TRAIN, FREE))
    return np.where(chosen == FREE, found, chosen).astype(np.int8)


def _chosen(
    view: View, side: Sides, chosen: Sides, validation: Validation, seed: int, fold: int
) -> Sides:
    """TRAIN or VALIDATION for each component (C,) with training clips that is still open."""
    counts = view.counts(side == TRAIN)
    used = counts[:, -1] > 0
    free = used & (chosen == FREE)
    if not free.any() and not (used & (chosen == VALIDATION)).any():
        free = used  # all were claimed for training elsewhere; take some of them back
    kept = used & ~free
    held = np.stack([counts[kept & (chosen == s)].sum(axis=0) for s in (TRAIN, VALIDATION)])
    bins = deal(
        Deal(
            counts[free],
            shuffled(view.base, seed, f"validation/{fold}")[free],
            np.array([1 - validation.fraction, validation.fraction]),
            held,
            view.spread(stratify=True),
            tested=(1,),
        )
    )
    result = chosen.copy()
    result[free] = np.where(bins == 1, VALIDATION, TRAIN)
    return result


def _part(view: View, side: Sides) -> Part:
    train, validation, test = (
        tuple(view.ids[i] for i in np.flatnonzero(side == s)) for s in (TRAIN, VALIDATION, TEST)
    )
    return Part(train, validation, test)


def _conflicts(views: Sequence[View], links: Links, sides: Sequence[Sides]) -> tuple[Conflict, ...]:
    """Ties with clips on both sides, sorted; only official splits can cause them."""
    trained = np.zeros((len(views), len(links.names)), np.int64)
    tested = np.zeros_like(trained)
    for i, (edges, side) in enumerate(zip(links.edges, sides, strict=True)):
        of = side[edges[:, 0]]
        np.add.at(trained[i], edges[(of == TRAIN) | (of == VALIDATION), 1], 1)
        np.add.at(tested[i], edges[of == TEST, 1], 1)
    ties = np.flatnonzero(trained.any(axis=0) & tested.any(axis=0))
    found = [
        Conflict(links.names[t], views[a].name, views[b].name, int(tested[b, t]))
        for t in ties
        for a in np.flatnonzero(trained[:, t]).tolist()
        for b in np.flatnonzero(tested[:, t]).tolist()
    ]
    return tuple(sorted(found, key=lambda c: (c.group, c.trained, c.tested)))

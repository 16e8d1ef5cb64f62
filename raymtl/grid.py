"""The points of a study's grid, and what they are called."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from itertools import combinations as subsets
from math import comb
from typing import Any, Literal

import numpy as np

from raymtl.errors import StudyError
from raymtl.extraction.features import Extraction
from raymtl.models.model import Model
from raymtl.spec import Spec


@dataclass(frozen=True)
class RandomSets(Spec):
    """So many different sets of one size, drawn with a seed: more of them contain fewer of them."""

    size: int
    count: int
    seed: int

    def of(self, names: Sequence[str]) -> list[tuple[str, ...]]:
        """Sets of source names, each sorted; all there are where these are not more."""
        ordered = sorted(names)
        random = np.random.default_rng([self.seed, self.size])
        found: dict[tuple[str, ...], None] = {}
        while len(found) < min(self.count, comb(len(ordered), self.size)):
            picked = sorted(random.choice(len(ordered), self.size, replace=False))
            found[tuple(ordered[at] for at in picked)] = None
        return list(found)


@dataclass(frozen=True)
class Combinations(Spec):
    """Which sources are trained together: sets of these sizes, all of them, named or random."""

    sizes: tuple[int, ...] = ()
    everything: bool = False
    named: tuple[tuple[str, ...], ...] = ()
    random: tuple[RandomSets, ...] = ()

    def of(self, names: Sequence[str]) -> list[tuple[str, ...]]:
        """Sets of source names, smallest first, none twice; each set sorted by name.

        Raises:
            StudyError: for a size or a name that the study cannot give.
        """
        chosen: list[tuple[str, ...]] = []
        for size in (*self.sizes, *(part.size for part in self.random)):
            if not 1 <= size <= len(names):
                raise StudyError(
                    f"combinations of {size}: the study has {len(names)} sources; "
                    "give sizes between 1 and that."
                )
        chosen += [one for size in self.sizes for one in subsets(names, size)]
        chosen += [one for part in self.random for one in part.of(names)]
        chosen += [tuple(names)] if self.everything else []
        for named in self.named:
            unknown = [name for name in named if name not in names]
            if unknown:
                raise StudyError(
                    f"combination {named}: no source {unknown[0]!r}; "
                    f"the study has {', '.join(names)}."
                )
            if not named:
                raise StudyError(f"combination {named}: no source in it; name at least one.")
            chosen.append(named)
        if not chosen:
            raise StudyError("no combinations; give sizes, 'all' or lists of source names.")
        return sorted({tuple(sorted(set(c))) for c in chosen}, key=lambda c: (len(c), c))


def combinations(*which: int | Literal["all"] | Sequence[str] | Combinations) -> Combinations:
    """Sets by size (``1``), all sources (``"all"``), by name (``["a", "b"]``), or what
    `random_combinations` draws."""
    sizes: list[int] = []
    named: list[tuple[str, ...]] = []
    random: list[RandomSets] = []
    everything = False
    for part in which:
        if isinstance(part, Combinations):
            sizes += part.sizes
            named += part.named
            random += part.random
            everything |= part.everything
        elif part == "all":
            everything = True
        elif isinstance(part, int):
            sizes.append(part)
        elif isinstance(part, str):
            raise StudyError(f"combinations({part!r}): expected a size, 'all' or a list of names.")
        else:
            named.append(tuple(part))
    return Combinations(tuple(sizes), everything, tuple(named), tuple(random))


def random_combinations(count: int, sizes: Sequence[int] = (3,), seed: int = 0) -> Combinations:
    """So many random sets of each size, from which `raymtl relate` draws a line to all others: Li,
    Sharma & Zhang, TMLR 2023, arXiv 2303.14582. Gains need every source alone too:
    ``combinations(1, random_combinations(40))``.

    Raises:
        StudyError: for a count below 1.
    """
    if isinstance(count, bool) or not isinstance(count, int) or count < 1:
        raise StudyError(f"random_combinations({count!r}): give a number of sets, 1 or more.")
    return Combinations(random=tuple(RandomSets(size, count, seed) for size in sorted(set(sizes))))


@dataclass(frozen=True)
class Cell(Spec):
    """One point of the grid; its runs differ only in fold and seed.

    control: "" for what the study asks; else what it is held against (`raymtl.controls`), with
    main: the one source whose score matters there, and
    like: the combination it is a control of.
    """

    sources: tuple[str, ...]
    extraction: Extraction
    model: Model
    name: str
    control: str = ""
    main: str = ""
    like: tuple[str, ...] = ()

    @property
    def shuffled(self) -> tuple[str, ...]:
        """Sources that learn from labels in random order."""
        return tuple(s for s in self.sources if self.control == "shuffled" and s != self.main)


def short_names(specs: Sequence[Spec]) -> list[str]:
    """A name a spec: its class, lower case, and the fields that tell it from its siblings."""
    names = []
    for spec in specs:
        siblings = [s for s in specs if type(s) is type(spec)]
        differing = [
            f.name for f in fields(spec) if len({repr(getattr(s, f.name)) for s in siblings}) > 1
        ]
        values = [f"{name}{_plain(getattr(spec, name))}" for name in differing]
        names.append("-".join([type(spec).__name__.lower(), *values]))
    return names


def _plain(value: object) -> str:
    return re.sub(r"[^A-Za-z0-9.]+", "_", str(value)).strip("_")


def cell_name(combination: Iterable[str], extraction: str, model: str) -> str:
    """A label for people; results are found by digest."""
    return f"{'__'.join(combination)}--{extraction}--{model}".replace("+", "_")


def repeated(values: Sequence[Any]) -> list[Any]:
    return sorted({value for value in values if values.count(value) > 1})

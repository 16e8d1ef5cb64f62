"""The study's policy on leaks: what is shared by training and test, counted and acted upon.

The count is made of every combination in every fold, zeros included, and is kept with the plan and
the records: it is the proof that nothing leaks, or of how much does.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from raymtl.errors import StudyError
from raymtl.experiment import Cell, Experiment
from raymtl.loading.splits import Part, Split
from raymtl.loading.splits.leaks import LeakCount, Leaks, Ties
from raymtl.loading.splits.view import label_flags
from raymtl.plan.sources import Corpora, Prepared
from raymtl.wording import counted

_MOST = 10  # combinations and folds, or pairs, named in a message


class Firewall:
    """Leaks of every combination in every fold, and the parts that the policy leaves of them.

    same: digest of a recording to that of another one that it shall count as.
    """

    def __init__(
        self,
        experiment: Experiment,
        corpora: Corpora,
        splits: Sequence[Split],
        same: Mapping[str, str] | None = None,
    ) -> None:
        self._policy = experiment.leaks
        self._sources = corpora.sources
        self._splits = {split.fold: split for split in splits}
        ties = [_ties(name, p, corpora, same or {}) for name, p in corpora.sources.items()]
        self._count = LeakCount(ties, splits)
        self._combinations = list(dict.fromkeys(cell.sources for cell in experiment.cells()))
        self._parts: dict[tuple[tuple[str, ...], int], Mapping[str, Part]] = {}
        self.found: dict[tuple[tuple[str, ...], int], Leaks] = {}
        for combination in self._combinations:
            for split in splits:
                self._look(combination, split)

    def parts(self, combination: tuple[str, ...], split: Split) -> Mapping[str, Part]:
        """Clips that the combination trains, chooses and tests with in this split."""
        return self._parts[combination, split.fold]

    def leaks(self, combination: tuple[str, ...], split: Split) -> Leaks:
        return self.found[combination, split.fold]

    def refuse(self, cells: Sequence[Cell]) -> None:
        """With the policy ``error``, refuses cells that leak.

        Raises:
            StudyError: with the counts and the first pairs.
        """
        wanted = {cell.sources for cell in cells}
        bad = {key: leaks for key, leaks in self.found.items() if leaks and key[0] in wanted}
        if self._policy == "error" and bad:
            raise StudyError(_refusal(bad, len(wanted) * len(self._splits)))

    def notes(self) -> list[str]:
        """One sentence on what was found, none where nothing was."""
        bad = [leaks for leaks in self.found.values() if leaks]
        if not bad:
            return []
        groups, audio = (max(f) for f in zip(*(_sizes(leaks) for leaks in bad), strict=True))
        clips = max(sum(leaks.clips.values()) for leaks in bad)
        done = (
            f"the training clips concerned, up to {clips}, are left out there (leaks='drop')"
            if self._policy == "drop"
            else f"it concerns up to {counted(clips, 'training clip')}, "
            "which leaks='drop' would leave out"
        )
        return [
            f"leaks: training and test share up to {counted(groups, 'group')} and "
            f"{counted(audio, 'recording')} in "
            f"{len(bad)} of {len(self.found)} combinations and folds; {done}"
        ]

    def facts(self) -> dict[str, Any]:
        """The proof as JSON data: every combination and fold."""
        return {
            "policy": self._policy,
            "combinations": [
                {"sources": list(combination), "fold": fold, **leaks.facts()}
                for (combination, fold), leaks in self.found.items()
            ],
        }

    def _look(self, combination: tuple[str, ...], split: Split) -> None:
        leaks = self._count.of(combination, split.fold)
        parts: Mapping[str, Part] = {name: split.parts[name] for name in combination}
        if leaks and self._policy == "drop":
            parts = self._count.parts(combination, split)
            leaks = _dropped(leaks)
            for name in leaks.clips:
                _check(self._sources[name], split.parts[name], parts[name], combination, split.fold)
        self.found[combination, split.fold] = leaks
        self._parts[combination, split.fold] = parts


def _ties(name: str, prepared: Prepared, corpora: Corpora, same: Mapping[str, str]) -> Ties:
    table = prepared.table
    content = corpora.content(name)
    return Ties(
        name,
        pa.array(table.ids, pa.string()),
        table.table.column("groups").combine_chunks(),
        prepared.groups.combine_chunks(),
        pa.array([same.get(content[i], content[i]) for i in table.ids], pa.string()),
        [f"{table.root.name}/{a}" for a in table.table.column("audio").to_pylist()],
    )


def _dropped(leaks: Leaks) -> Leaks:
    return Leaks(leaks.groups, leaks.audio, leaks.allowed, leaks.clips, True, leaks.pairs)


def _sizes(leaks: Leaks) -> tuple[int, int]:
    return sum(leaks.groups.values()), leaks.audio


def _refusal(bad: Mapping[tuple[tuple[str, ...], int], Leaks], looked: int) -> str:
    lines = []
    for (combination, fold), leaks in list(bad.items())[:_MOST]:
        kinds = [counted(n, f"{kind} group") for kind, n in leaks.groups.items()]
        shared = ", ".join([*kinds, *([counted(leaks.audio, "recording")] if leaks.audio else [])])
        lines.append(
            f"  {' + '.join(combination)}, fold {fold}: {shared}, "
            f"{counted(sum(leaks.clips.values()), 'training clip')}"
        )
    more = [f"  (+{len(bad) - _MOST} more)"] if len(bad) > _MOST else []
    pairs = dict.fromkeys(str(pair) for leaks in bad.values() for pair in leaks.pairs)
    return "\n".join(
        [
            f"leaks='error': training and test share groups or recordings in {len(bad)} of "
            f"{looked} combinations and folds:",
            *lines,
            *more,
            "first of them:",
            *(f"  {pair}" for pair in list(pairs)[:_MOST]),
            "Leave the training clips concerned out (leaks='drop'), go on and have it shown "
            "(leaks='report'), or let raymtl split these sources (folds=KFold(...)).",
        ]
    )


def _check(
    prepared: Prepared, before: Part, after: Part, combination: tuple[str, ...], fold: int
) -> None:
    """What is left of a source can still be trained with.

    Raises:
        StudyError: when a part is empty, or no clip is left that trains a label.
    """
    where = f"leaks='drop': source {prepared.source.name} in {' + '.join(combination)}, fold {fold}"
    remedy = "Use leaks='report', another splitter, or leave this combination out."
    for part in ("train", "validation"):
        if getattr(before, part) and not getattr(after, part):
            raise StudyError(f"{where}: no {part} clip would be left. {remedy}")
    held, left = (_trained(prepared, part) for part in (before, after))
    if held - left:
        raise StudyError(
            f"{where}: no training clip of {min(held - left)!r} would be left. {remedy}"
        )


def _trained(prepared: Prepared, part: Part) -> set[str]:
    """Labels, as ``task:label``, of the training clips."""
    ids = pa.array(part.train, pa.string())
    rows = pc.index_in(ids, value_set=prepared.table.table.column("id").combine_chunks())
    labels, flags = label_flags(prepared.table, prepared.source.chosen, rows.to_numpy())
    return {labels[at] for at in np.flatnonzero(flags[:, :-1].any(axis=0))}

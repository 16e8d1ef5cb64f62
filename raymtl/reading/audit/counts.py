"""What is in a corpus and what is wrong with it: counts, durations, groups, bad and equal files."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from raymtl.reading.audit.sounds import Heard, Histogram, Sound, heard_of
from raymtl.reading.clips import SPLITS, ClipTable
from raymtl.reading.spans import misplaced
from raymtl.tasks import Task

QUANTILES = (0.0, 0.05, 0.5, 0.95, 1.0)


class Facts(Protocol):
    """What `stats` must know of a file; `raymtl.extraction.inspection.FileFacts` is one."""

    @property
    def sha256(self) -> str: ...
    @property
    def frames(self) -> int: ...
    @property
    def rate(self) -> int: ...
    @property
    def channels(self) -> int: ...
    @property
    def error(self) -> str | None: ...


@dataclass(frozen=True)
class TaskCounts:
    """Targets of one task. Parts are official splits, or else ``fold 1`` and so on, or ``all``.

    labels: part -> label -> how often it is given (for events in time: events). Every declared
        label is there, in its order.
    missing: part -> clips without a target.
    """

    task: str
    labels: Mapping[str, Mapping[str, int]]
    missing: Mapping[str, int]

    @property
    def totals(self) -> dict[str, int]:
        """Label -> how often it is given in all parts."""
        total: Counter[str] = Counter()
        for counts in self.labels.values():
            total.update(counts)
        return dict(total)

    @property
    def once(self) -> tuple[str, ...]:
        """Labels that are given exactly once."""
        return tuple(label for label, count in self.totals.items() if count == 1)

    @property
    def imbalance(self) -> float | None:
        """How many times the commonest label is given for once that the rarest is; of those given.

        None with fewer than two of them.
        """
        counts = [count for count in self.totals.values() if count]
        return max(counts) / min(counts) if len(counts) > 1 else None

    @property
    def absent(self) -> tuple[str, ...]:
        """Declared labels that are never given."""
        return tuple(label for label, count in self.totals.items() if not count)


@dataclass(frozen=True)
class GroupCounts:
    """Groups of one kind: how many, and the one with most clips."""

    kind: str
    count: int
    largest: str
    clips: int


@dataclass(frozen=True)
class Stats:
    """A corpus in numbers. Files are named by their path below the corpus folder.

    hours: of clips, not of files. rates and channels: value -> files.
    seconds: shortest clip, 5 %, median, 95 % and longest; empty when no file can be read.
    lengths: the same of all clips, as a histogram.
    heard: what decoding showed; None when nobody listened.
    undecodable: (file, reason), those with a clip that ends after its file does among them.
    duplicates: files of equal content.
    straddling: groups with clips in several parts.
    """

    clips: int
    files: int
    hours: float
    rates: Mapping[int, int]
    channels: Mapping[int, int]
    parts: Mapping[str, int]
    tasks: tuple[TaskCounts, ...]
    groups: tuple[GroupCounts, ...]
    seconds: tuple[float, ...]
    lengths: Histogram
    heard: Heard | None
    undecodable: tuple[tuple[str, str], ...]
    duplicates: tuple[tuple[str, ...], ...]
    straddling: tuple[str, ...]
    notes: tuple[str, ...]

    @property
    def silent(self) -> tuple[str, ...] | None:
        """Files of zeros only; None when nobody listened."""
        return None if self.heard is None else self.heard.silent


def stats(
    table: ClipTable,
    tasks: Sequence[Task],
    facts: Mapping[str, Facts],
    sounds: Mapping[str, Sound] | None = None,
) -> Stats:
    """Counts over a clip table, from metadata and headers; `sounds` adds what needs decoding.

    Args:
        facts: of every file of the table, by its path as a string.
        sounds: what decoding showed of each file, by its path; None when nobody listened.
    """
    names = dict(zip(table.paths(), table.table.column("audio").to_pylist(), strict=True))
    readable = [facts[str(path)] for path in names if facts[str(path)].error is None]
    seconds = _seconds(table, facts)
    parts = parts_of(table)
    heard = None if sounds is None else heard_of(names, sounds, QUANTILES)
    return Stats(
        clips=len(table),
        files=len(names),
        hours=float(seconds.sum()) / 3600,
        rates=dict(sorted(Counter(fact.rate for fact in readable if fact.rate).items())),
        channels=dict(sorted(Counter(fact.channels for fact in readable).items())),
        parts={part: parts.count(part) for part in _ordered(parts)},
        tasks=tuple(_counted(table, task, parts) for task in tasks),
        groups=_grouped(table),
        seconds=tuple(float(q) for q in np.quantile(seconds, QUANTILES)) if seconds.size else (),
        lengths=Histogram.of(seconds),
        heard=heard,
        undecodable=_unusable(table, names, facts, heard),
        duplicates=_duplicates(names, facts),
        straddling=_straddling(table, parts),
        notes=table.notes,
    )


def _seconds(table: ClipTable, facts: Mapping[str, Facts]) -> np.ndarray[Any, np.dtype[Any]]:
    """Length of every clip whose file can be read, (clips,) float64."""
    starts, ends = (table.table.column(name).to_pylist() for name in ("start", "end"))
    lengths = []
    for path, start, end in zip(table.paths(), starts, ends, strict=True):
        fact = facts[str(path)]
        if fact.error is None and fact.rate:
            whole = fact.frames / fact.rate
            lengths.append(max(0.0, (whole if end is None else min(end, whole)) - (start or 0.0)))
    return np.array(lengths, np.float64)


def parts_of(table: ClipTable) -> list[str]:
    """Official part of each clip, or else its fold."""
    columns = (table.table.column(name).to_pylist() for name in ("split", "fold"))
    return [
        split or ("all" if fold is None else f"fold {fold}")
        for split, fold in zip(*columns, strict=True)
    ]


def _ordered(parts: Sequence[str]) -> list[str]:
    """Parts that occur: train, validation, test, folds by number, all."""
    known = {name: at for at, name in enumerate(SPLITS)}
    number = {part: int(part.split()[1]) for part in set(parts) if part.startswith("fold ")}
    return sorted(set(parts), key=lambda part: (known.get(part, 3), number.get(part, 0), part))


def _counted(table: ClipTable, task: Task, parts: Sequence[str]) -> TaskCounts:
    aliases: dict[str, str | None] = dict(getattr(task, "aliases", ()))
    labels = {part: dict.fromkeys(task.labels_, 0) for part in _ordered(parts)}
    missing = dict.fromkeys(labels, 0)
    for part, target in zip(parts, table.target(task.name).to_pylist(), strict=True):
        found = _labels(target, task.labels_, aliases)
        missing[part] += found is None
        for label in (found or ()) if task.labels_ else ():  # a number has no labels to count
            labels[part][label] = labels[part].get(label, 0) + 1
    return TaskCounts(task.name, labels, missing)


def _labels(
    target: Any, names: Sequence[str], aliases: Mapping[str, str | None]
) -> list[str] | None:
    """Labels in one cell: a string, a flag, a list of strings, or events; None when missing."""
    if target is None:
        return None
    if isinstance(target, list):
        found = [part["label"] if isinstance(part, dict) else str(part) for part in target]
        return [name for label in found if (name := aliases.get(label, label)) is not None]
    label = names[int(target)] if isinstance(target, bool) else str(target)
    name = aliases.get(label, label)
    return None if name is None else [name]


def _grouped(table: ClipTable) -> tuple[GroupCounts, ...]:
    sizes: dict[str, Counter[str]] = defaultdict(Counter)
    for groups in table.groups():
        for group in groups:
            sizes[group.split(":")[0]][group] += 1
    largest = {
        kind: min(found, key=lambda name: (-found[name], name)) for kind, found in sizes.items()
    }
    return tuple(
        GroupCounts(kind, len(sizes[kind]), largest[kind], sizes[kind][largest[kind]])
        for kind in sorted(sizes)
    )


def _unusable(
    table: ClipTable, names: Mapping[Path, str], facts: Mapping[str, Facts], heard: Heard | None
) -> tuple[tuple[str, str], ...]:
    """By header, else by decoding, else because a clip is not within its recording."""
    reasons = dict(_misplaced(table, names, facts)) | dict(heard.failed if heard else ())
    reasons |= {
        name: error for path, name in names.items() if (error := facts[str(path)].error) is not None
    }
    return tuple(sorted(reasons.items()))


def _misplaced(
    table: ClipTable, names: Mapping[Path, str], facts: Mapping[str, Facts]
) -> Iterator[tuple[str, str]]:
    starts, ends = (table.table.column(name).to_pylist() for name in ("start", "end"))
    for clip, path, start, end in zip(table.ids, table.paths(), starts, ends, strict=True):
        fact = facts[str(path)]
        if fact.rate and (fault := misplaced(start, end, fact.frames / fact.rate)):
            yield names[path], f"{clip}: {fault}"


def _duplicates(
    names: Mapping[Path, str], facts: Mapping[str, Facts]
) -> tuple[tuple[str, ...], ...]:
    same: dict[str, list[str]] = defaultdict(list)
    for path, name in names.items():
        if facts[str(path)].error is None:
            same[facts[str(path)].sha256].append(name)
    return tuple(sorted(tuple(sorted(found)) for found in same.values() if len(found) > 1))


def _straddling(table: ClipTable, parts: Sequence[str]) -> tuple[str, ...]:
    found: dict[str, set[str]] = defaultdict(set)
    for part, groups in zip(parts, table.groups(), strict=True):
        for group in groups:
            found[group].add(part)
    return tuple(sorted(group for group, where in found.items() if len(where) > 1))

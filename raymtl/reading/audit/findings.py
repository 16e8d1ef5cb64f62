"""An audit as one value, and what it says in words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from raymtl.reading.audit.across import Alike, Coverage, SharedGroups
from raymtl.reading.audit.counts import Stats
from raymtl.wording import counted

UNEVEN = 10.0  # times the commonest label is given for once that the rarest is
_NAMED = 5


@dataclass(frozen=True)
class LeakRow:
    """Training against test in one combination and fold of a study.

    groups, allowed: kind -> groups on both sides that must not be, and that may be.
    audio: recordings on both sides; near: those and near-identical ones, None if not looked for.
    clips: training clips concerned by groups and audio. pairs: the first few, in words.
    """

    sources: tuple[str, ...]
    fold: int
    groups: Mapping[str, int]
    audio: int
    near: int | None
    allowed: Mapping[str, int]
    clips: int
    pairs: tuple[str, ...]

    @property
    def leaks(self) -> bool:
        return bool(self.groups or self.audio)

    @property
    def only_near(self) -> int:
        """Near-identical recordings on both sides that are not the same byte for byte."""
        return max(0, (self.near or 0) - self.audio)


@dataclass(frozen=True)
class Audit:
    """All that was found in the corpora of a reader, a source or a study.

    near: near-identical recordings; None when nobody listened.
    plain: recordings too plain to be compared, as steady tones are.
    leaks: of a study; empty otherwise. policy: what the study does about them.
    """

    name: str
    corpora: Mapping[str, Stats]
    shared: tuple[SharedGroups, ...]
    equal: tuple[Alike, ...]
    near: tuple[Alike, ...] | None
    plain: int
    coverage: Coverage
    leaks: tuple[LeakRow, ...] = ()
    policy: str = ""


@dataclass(frozen=True)
class Finding:
    """One sentence. weight: ``leak`` can flatter scores, ``fault`` costs clips or labels, ``note``
    is good to know, ``good`` was looked for and is not there."""

    weight: Literal["leak", "fault", "note", "good"]
    text: str


def findings(audit: Audit) -> list[Finding]:
    """What the audit says, the gravest first."""
    order = ("leak", "fault", "note", "good")
    found = [*_of_leaks(audit), *_of_recordings(audit), *_of_groups(audit), *_of_tasks(audit)]
    found += [f for name, stats in audit.corpora.items() for f in _of_corpus(name, stats)]
    return sorted(found, key=lambda finding: order.index(finding.weight))


def _of_leaks(audit: Audit) -> Iterator[Finding]:
    if not audit.leaks:
        return
    looked = len(audit.leaks)
    bad = [row for row in audit.leaks if row.leaks]
    if bad:
        groups = max(sum(row.groups.values()) for row in bad)
        yield Finding(
            "leak",
            f"Training and test share groups or recordings in {len(bad)} of {looked} combinations "
            f"and folds: up to {counted(groups, 'group')} and "
            f"{counted(max(row.audio for row in bad), 'recording')}, "
            f"with up to {counted(max(row.clips for row in bad), 'training clip')}. The study's "
            f"policy is leaks={audit.policy!r}.",
        )
    else:
        yield Finding(
            "good",
            f"Training and test share no group and no recording in any of the {looked} "
            "combinations and folds.",
        )
    near = max(row.only_near for row in audit.leaks)
    if near:
        yield Finding(
            "leak",
            f"Up to {counted(near, 'near-identical recording')} on both sides of a split. Give "
            "them a group in the reader, so that splits keep them together.",
        )


def _of_recordings(audit: Audit) -> Iterator[Finding]:
    for what, alike in (("byte-identical", audit.equal), ("near-identical", audit.near)):
        if alike is None:
            yield Finding("note", f"Nobody listened for {what} recordings.")
            continue
        if not alike:
            yield Finding("good", f"No {what} recordings.")
            continue
        across = sum(len(a.corpora) > 1 for a in alike)
        divided = sum(a.straddles for a in alike)
        where = f"; {across} lie in several corpora" if across else ""
        where += f"; {divided} lie in several official parts or folds" if divided else ""
        noun = "set" if what == "byte-identical" else "pair"
        many = counted(len(alike), noun)
        yield Finding("leak" if divided else "note", f"{many} of {what} recordings{where}.")
    if audit.plain:
        yield Finding(
            "note",
            f"{counted(audit.plain, 'recording')} too plain to be compared, as steady tones are.",
        )


def _of_groups(audit: Audit) -> Iterator[Finding]:
    for shared in audit.shared:
        yield Finding(
            "note",
            f"{shared.one} and {shared.other} share "
            f"{counted(shared.count, f'{shared.kind} group')} (of {shared.clips[0]:,} and "
            f"{counted(shared.clips[1], 'clip')}): {_some(shared.names)}. Splits made by "
            "raymtl keep them on one side.",
        )
    if len(audit.corpora) > 1 and not audit.shared:
        yield Finding("good", "No two corpora share a group.")


def _of_tasks(audit: Audit) -> Iterator[Finding]:
    apart = [f"{one} and {other}" for one, other in audit.coverage.apart]
    if apart:
        yield Finding("note", f"No clip has targets for both of: {_some(apart)}.")


def _of_corpus(name: str, stats: Stats) -> Iterator[Finding]:
    for kind, groups in _by_kind(stats.straddling).items():
        yield Finding(
            "leak",
            f"{name}: {counted(len(groups), f'{kind} group')} in several official parts or folds: "
            f"{_some(groups)}.",
        )
    if stats.undecodable:
        yield Finding("fault", f"{name}: {_files(stats.undecodable)} cannot be used.")
    for listed, what in _audible(stats):
        if listed:
            yield Finding("fault", f"{name}: {_files(listed)} {what}.")
    for task in stats.tasks:
        if task.once:
            yield Finding(
                "fault", f"{name}, {task.task}: labels given only once: {_some(task.once)}."
            )
        if task.absent:
            yield Finding("note", f"{name}, {task.task}: labels never given: {_some(task.absent)}.")
        if task.imbalance is not None and task.imbalance >= UNEVEN:
            yield Finding(
                "note",
                f"{name}, {task.task}: the commonest label is given {task.imbalance:,.0f} times "
                "as often as the rarest.",
            )
    if len(stats.rates) > 1 or len(stats.channels) > 1:
        yield Finding(
            "note",
            f"{name}: {counted(len(stats.rates), 'sample rate')} and "
            f"{counted(len(stats.channels), 'number')} of channels.",
        )


def _audible(stats: Stats) -> Iterator[tuple[Sequence[Any], str]]:
    if stats.heard is not None:
        yield stats.heard.silent, "silent: all samples are zero"
        yield stats.heard.quiet, "nearly silent: almost all below -60 dB of full scale"
        yield stats.heard.clipped, "clipped: a thousandth or more of the samples at full scale"
        yield stats.heard.offset, "with a direct current of a hundredth or more of full scale"


def _files(listed: Sequence[Any]) -> str:
    first = listed[0] if isinstance(listed[0], str) else listed[0][0]
    more = f" (+{len(listed) - 1} more)" if len(listed) > 1 else ""
    return f"{counted(len(listed), 'recording')}, {first}{more},"


def _by_kind(groups: Sequence[str]) -> dict[str, list[str]]:
    kinds: dict[str, list[str]] = {}
    for group in groups:
        kinds.setdefault(group.split(":")[0], []).append(group)
    return kinds


def _some(names: Sequence[str]) -> str:
    more = f" (+{len(names) - _NAMED} more)" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more

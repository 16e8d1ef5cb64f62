"""The reader contract and the sources made from readers.

A reader knows one corpus: where its files lie and what its metadata says. It opens no audio.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

from raymtl.errors import ReaderError, StudyError
from raymtl.reading.choosing import Choice
from raymtl.reading.clips import ClipTable
from raymtl.reading.deriving import Derived
from raymtl.spec import Spec
from raymtl.tasks import Task


@dataclass(frozen=True)
class Published:
    """What a corpus, as published, does that readers otherwise may not; the contract allows it.

    straddles: kinds of groups that its official parts or folds divide.
    absent, empty: metadata that may be so, as parts of paths; the clips are the same.
    redundant: it says everything twice, so one list may be lost without loss.
    listed: its metadata names the recordings, so that one that is missing is noticed.
    """

    straddles: tuple[str, ...] = ()
    absent: tuple[str, ...] = ()
    empty: tuple[str, ...] = ()
    redundant: bool = False
    listed: bool = True


@dataclass(frozen=True)
class Reader(Spec, ABC):
    """Turns a corpus folder into a clip table.

    `corpus` and `folder` name the corpus, most simply as class variables; dataclass fields are
    variants of it (a release, a subset). Without a `miniature`, a corpus needs real data.
    """

    media: ClassVar[str] = "audio"  # what its files are: "audio", "image" or "table"
    home: ClassVar[str] = ""  # the page it comes from
    licence: ClassVar[str] = ""  # as its page states it: "CC BY-NC 3.0"
    size: ClassVar[str] = ""  # clips and bytes to fetch: "2,000 wav, 600 MB"
    citation: ClassVar[str] = ""  # authors, title, venue, year
    published: ClassVar[Published] = Published()  # what the contract allows it

    @property
    @abstractmethod
    def corpus(self) -> str:
        """Short ASCII name, first part of every clip id: ``ravdess``."""

    @property
    @abstractmethod
    def folder(self) -> str:
        """Its folder below the data root."""

    @property
    def learns(self) -> tuple[tuple[str, str], ...]:
        """(task, kind of group): classes are such groups, so they must be on both sides."""
        return (("speaker", "speaker"),)

    @property
    @abstractmethod
    def tasks(self) -> tuple[Task, ...]:
        """All tasks the corpus has targets for."""

    @abstractmethod
    def read(self, root: Path) -> ClipTable:
        """The clip table of the corpus at `root` (its own folder, not the data root).

        Raises:
            ReaderError: for missing, empty or mangled metadata and missing files.
        """

    @staticmethod
    def miniature(root: Path, seed: int) -> None:
        """Writes a tiny corpus in the true layout to `root`: synthetic sound, real grammar.

        Raises:
            NotImplementedError: where the corpus has none.
        """
        raise NotImplementedError("a corpus of one's own needs no miniature")

    def locate(self, data: Path) -> Path:
        """The corpus folder below the data root.

        Raises:
            ReaderError: when it is not there, saying where it comes from.
        """
        root = data / self.folder
        if not root.is_dir():
            raise ReaderError(
                f"{root}: {type(self).__name__} not found. Expected the corpus in "
                f"a folder {self.folder!r} below {data}; put it there, or pass another --data. "
                f"Source: {self.provenance}"
            )
        return root

    @property
    def provenance(self) -> str:
        """Page, size and licence in one line; what is not stated is left out."""
        facts = (("size", self.size), ("licence", self.licence))
        stated = [f"{name}: {value}" for name, value in facts if value]
        return "; ".join([self.home or "your own data", *stated])

    def source(self, *tasks: str | Task | Derived, **changes: Any) -> Source:
        """This corpus with the named, given or derived tasks (all its own when none is named).

        Raises:
            StudyError: for a task that the corpus does not have.
        """
        if not isinstance(self, Reader):
            raise StudyError(f"source({self!r}) was called on a reader's class; write Reader().")
        chosen = tuple(self._task(task) for task in tasks) or self.tasks
        derived = tuple(task for task in tasks if isinstance(task, Derived))
        return Source(self, chosen, derived=derived).with_(**changes)

    def _task(self, task: str | Task | Derived) -> Task:
        if isinstance(task, Derived):
            return task.task
        if isinstance(task, Task):
            return task
        known = {t.name: t for t in self.tasks}
        if task not in known:
            raise StudyError(
                f"{type(self).__name__} has no task {task!r}; it has {', '.join(known)}."
            )
        return known[task]


@dataclass(frozen=True)
class Source(Spec):
    """A reader with the tasks chosen from it, and what is set for it alone.

    label: name in tables and folders; empty means ``<corpus>.<task>+<task>``.
    heads: (task name, head name) pairs; a renamed task gets a head of its own.
    limit: (label, most clips) pairs; 0 drops the label. Drawn with the study's seed, over groups'
        clips, before splitting.
    groups: kinds of groups kept on one side of a split; None means all but those a task learns.
    where: which clips of the corpus are taken at all; others are not extracted.
    train: learn from so many of the training clips (an int), or that fraction of them (a float up
        to 1.0), drawn with the study's seed: smaller draws are parts of larger ones. Validation
        and test clips stay as they are.
    derived: where the targets of derived tasks come from.
    signal, stages, folds: in place of the study's.
    """

    reader: Reader
    chosen: tuple[Task, ...]
    label: str = ""
    heads: tuple[tuple[str, str], ...] = ()
    limit: tuple[tuple[str, int], ...] = ()
    groups: tuple[str, ...] | None = None
    where: tuple[Choice, ...] = ()
    train: int | float | None = None
    derived: tuple[Derived, ...] = ()
    signal: Spec | None = None  # a Signal; typed loosely, for imports point down the page
    stages: tuple[Spec, ...] | None = None
    folds: Spec | None = None

    @property
    def name(self) -> str:
        return self.label or f"{self.reader.corpus}.{'+'.join(t.name for t in self.chosen)}"

    @property
    def tasks(self) -> tuple[Task, ...]:
        """The chosen tasks under their head names."""
        heads = dict(self.heads)
        return tuple(task.renamed(heads.get(task.name, task.name)) for task in self.chosen)

    @property
    def learnt_groups(self) -> frozenset[str]:
        """Kinds of groups that are classes of a chosen task, as speakers to be told apart."""
        learns = dict(self.reader.learns)
        return frozenset(learns[t.name] for t in self.chosen if t.name in learns)

    def with_(self, **changes: Any) -> Source:
        """A copy with some parts replaced; mappings and lists become tuples.

        Raises:
            StudyError: for a part that a source does not have.
        """
        known = set(self.__dataclass_fields__)
        unknown = sorted(set(changes) - known)
        if unknown:
            settable = sorted(known - {"reader", "chosen", "derived"})  # `Reader.source` sets these
            raise StudyError(
                f"source {self.name}: no part {unknown[0]!r}; {', '.join(settable)} can be set."
            )
        return replace(self, **{name: _frozen(value) for name, value in changes.items()})


def _frozen(value: Any) -> Any:
    if isinstance(value, Mapping):
        return tuple(sorted((key, _frozen(part)) for key, part in value.items()))
    if isinstance(value, Sequence) and not isinstance(value, str):
        return tuple(_frozen(part) for part in value)
    return value

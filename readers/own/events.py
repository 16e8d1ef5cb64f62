"""Events in time: DCASE lists, one for all recordings or one each, and Audacity's label files."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from raymtl.errors import ReaderError, StudyError
from raymtl.reading.clips import EVENTS, Clip, ClipTable
from raymtl.reading.listed import MISSING, choice, clip_id, keep
from raymtl.reading.tables import Row, read_text
from raymtl.tasks import AnyOf, Task
from raymtl.tasks.labels import Aliases
from readers.own.cells import Cells, Key, Reading
from readers.own.corpus import (
    INDEPENDENT,
    Own,
    Splits,
    by_folder,
    check_pattern,
    groups_by_name,
    parts_of,
)
from readers.own.table import check_table, codec, read_rows
from readers.own.undeclared import Undeclared, check_declared, listed


@dataclass(frozen=True)
class Events(Own):
    r"""Recordings and what is heard in them when; a signal's segments get the labels within them.

    annotations: a list for all recordings, ``"meta.txt"``, of recording, onset, offset, label (a
        line with the recording alone says that nothing is heard in it); or a file each,
        ``"labels/{name}.txt"``, of onset, offset, label, as Audacity exports them too. ``{name}``
        is the recording's path without its ending, ``{stem}`` the last part of that.
    labels: with none, reading lists those found, to be pasted.
    task: its name.
    columns: where onset, offset and label are, before them the recording in a list for all; by
        default in this order. Names where there is a header.
    delimiter, header, encoding, decimal: as for `Csv`.
    files: what stands for the recording in a list for all: ``"{}"``, or ``"audio/{}.wav"``.
    group, shared, splits, aliases: as for `Folder`; a label of None drops the event.
    missing: ``error`` when a listed recording is not there, or ``skip`` it with a note.

    Recordings without annotation have no target, which is not the same as no event. Times are
    seconds from the start of the file; onset and offset may be equal, as Audacity's points are.
    """

    annotations: str = "{name}.txt"
    labels: tuple[str, ...] = ()
    task: str = "events"
    columns: tuple[Key, ...] = ()
    delimiter: str = "\t"
    header: bool = False
    encoding: str = "utf-8"
    decimal: str = "."
    files: str = "{}"
    group: str = ""
    shared: tuple[str, ...] = ()
    splits: Splits = ()
    aliases: Aliases = ()
    missing: str = "error"

    def __post_init__(self) -> None:
        super().__post_init__()
        check_table(self.annotations, self.delimiter, self.encoding)
        check_pattern(self.group)
        parts_of(self.splits)
        choice(self.missing, MISSING, "missing")
        choice(self.decimal, (".", ","), "decimal")
        wanted = 3 if self._each else 4
        if self.columns and len(self.columns) != wanted:
            raise StudyError(
                f"columns={self.columns!r}: expected {wanted}, those of "
                f"{'' if self._each else 'recording, '}onset, offset and label."
            )
        if self.header and not self.columns:
            raise StudyError("header=True: name the columns in columns=.")
        wrong = [key for key in self._keys if isinstance(key, int) is self.header]
        if wrong:
            expected = "names" if self.header else "numbers from 0"
            raise StudyError(
                f"columns={self.columns!r}: {wrong[0]!r}; with header={self.header} columns are "
                f"{expected}."
            )
        self.tasks  # noqa: B018  refuses labels that cannot be meant

    @property
    def tasks(self) -> tuple[Task, ...]:
        if not self.labels:
            return (Undeclared(self.task),)
        return (AnyOf(self.task, self.labels, self.aliases),)

    @property
    def _each(self) -> bool:
        """Whether each recording has a file of its own."""
        return "{" in self.annotations

    @property
    def _keys(self) -> tuple[Key, ...]:
        return self.columns or tuple(range(3 if self._each else 4))

    def read(self, root: Path) -> ClipTable:
        names = self.present(root)
        found, notes = self._by_recording(root, names)
        parts, outside = by_folder(names, self.splits)
        if not parts:
            raise ReaderError(
                f"{root}: no recording lies in a folder {' or '.join(parts_of(self.splits))}."
            )
        self._check(root, [event for events in found.values() for event in events])
        groups = groups_by_name(list(parts), self.group, self.corpus, self.shared, root)
        clips = [
            Clip(clip_id(self.corpus, name), name, groups[name], self._target(found.get(name)),
                 split=part)
            for name, (part, _) in parts.items()
        ]  # fmt: skip
        bare = sum(not clip.targets for clip in clips)
        notes += (f"{bare} recordings have no annotation",) if bare else ()
        notes += (f"{outside} recordings lie in no part's folder",) if outside else ()
        notes += () if self.group else (INDEPENDENT,)
        return ClipTable.of(clips, root, self.tasks, {self.task: EVENTS}, notes)

    def _by_recording(
        self, root: Path, names: Sequence[str]
    ) -> tuple[dict[str, list[_Event]], tuple[str, ...]]:
        if not self._each:
            found = self._from_list(root)
            kept, notes = keep(set(found), names, root, self.annotations, self.missing)
            lost = tuple(note for note in notes if "are missing" in note)
            return {name: found[name] for name in sorted(kept)}, lost
        paths = {name: root / self._annotation(name) for name in names}
        found = {name: self._from_file(path) for name, path in paths.items() if path.is_file()}
        if not found:
            raise ReaderError(
                f"{root}: none of the {len(names)} recordings has an annotation; for "
                f"{names[0]!r} expected {self._annotation(names[0])!r}, as "
                f"annotations={self.annotations!r} says."
            )
        return found, ()

    def _annotation(self, name: str) -> str:
        path = name.rpartition(".")[0]
        return self.annotations.replace("{name}", path).replace("{stem}", path.rpartition("/")[2])

    def _rows(self, path: Path) -> list[Cells]:
        if self.delimiter != "\t":
            found = read_rows(path, self.delimiter, self.encoding)
        else:  # without quoting: labels are free text
            lines = enumerate(read_text(path, codec(self.encoding)).split("\n"), start=1)
            found = [Row(path, n, tuple(line.split("\t"))) for n, line in lines if line.strip()]
        if not self.header:
            return [Cells(row, {key: int(key) for key in self._keys}) for row in found]
        names = [cell.strip() for cell in found[0].cells] if found else []
        lost = [key for key in self._keys if key not in names]
        if lost:
            raise ReaderError(
                f"{path}:1: no column {lost[0]!r}; it has {', '.join(map(repr, names)) or 'none'}. "
                "Mend columns=, or say delimiter=."
            )
        return [Cells(row, {key: names.index(str(key)) for key in self._keys}) for row in found[1:]]

    def _from_file(self, path: Path) -> list[_Event]:
        if not path.read_bytes().strip():
            return []
        rows = [row for row in self._rows(path) if row.row[0].strip() != "\\"]
        return [event for row in rows if (event := self._event(row, self._keys)) is not None]

    def _from_list(self, root: Path) -> dict[str, list[_Event]]:
        found: dict[str, list[_Event]] = {}
        for row in self._rows(root / self.annotations):
            name = self.files.replace("{}", self._reading.needed(row, self._keys[0], "recording"))
            events = found.setdefault(name.replace("\\", "/").removeprefix("./"), [])
            event = self._event(row, self._keys[1:])
            events += [] if event is None else [event]
        if not found:
            raise ReaderError(f"{root / self.annotations}: holds no lines with a recording.")
        return found

    @property
    def _reading(self) -> Reading:
        return Reading(self.decimal)

    def _event(self, row: Cells, keys: Sequence[Key]) -> _Event | None:
        """The event of a line; None where it says that there is none.

        Raises:
            ReaderError: for times that are none, or a label without times.
        """
        onset, offset = (self._reading.number(row, key) for key in keys[:2])
        label = row.value(keys[2]).strip()
        if onset is None and offset is None and not label:
            return None
        if onset is None or offset is None or not 0 <= onset <= offset:
            raise ReaderError(
                f"{row.where}: an event from {onset} to {offset} s; expected an onset of at "
                "least 0 and no later than the offset. Mend the line."
            )
        return _Event(row.where, onset, offset, label)

    def _check(self, root: Path, events: Sequence[_Event]) -> None:
        first: dict[str, str] = {}
        for event in events:
            first.setdefault(event.label, event.where)
        if not self.labels:
            raise listed(root, "the events", Counter(event.label for event in events))
        check_declared(first, self.labels, self.aliases)

    def _target(self, events: Sequence[_Event] | None) -> dict[str, Any]:
        """Events in order of their onset, under the labels that aliases give them."""
        if events is None:
            return {}
        to: dict[str, str | None] = dict(self.aliases)
        named = [(e.onset, e.offset, to.get(e.label, e.label)) for e in events]
        kept = sorted((start, end, name) for start, end, name in named if name is not None)
        return {self.task: [{"start": s, "end": e, "label": name} for s, e, name in kept]}


@dataclass(frozen=True)
class _Event:
    """Seconds from the start of the file; `where` is ``path:line``."""

    where: str
    onset: float
    offset: float
    label: str

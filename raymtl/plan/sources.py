"""From a source of the study to the clips that can be used: read, inspect, cut, limit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from raymtl.errors import DecodingError, ReaderError, StudyError
from raymtl.experiment import Experiment
from raymtl.extraction.addresses import by_path
from raymtl.extraction.inspection import FileFacts, inspect
from raymtl.extraction.segments import clip_rows, cut, too_short
from raymtl.extraction.signals import ClipRow, Decoding, Skipped
from raymtl.loading.limits import limit
from raymtl.reading.choosing import choose
from raymtl.reading.clips import TARGET, ClipTable
from raymtl.reading.reader import Reader, Source
from raymtl.reading.spans import misplaced
from raymtl.training.job import Origin
from raymtl.wording import counted

BAD_FILES = ("fail", "skip")


@dataclass(frozen=True, eq=False)
class Prepared:
    """A source ready to be planned with.

    table: the clips that are learnt from, after limits; groups are those that splits respect.
    rows: what is extracted: the same clips before limits, so that a limit costs no extraction.
    groups: all groups of each row of the table, also those that splits do not respect.
    origin: what users of a network that learns from it need to know of its clips.
    """

    source: Source
    signal: Decoding
    table: ClipTable
    rows: tuple[ClipRow, ...]
    skipped: tuple[Skipped, ...]
    notes: tuple[str, ...]
    groups: pa.ChunkedArray
    origin: Origin | None = None


@dataclass(frozen=True, eq=False)
class Corpora:
    """All sources of a study, and what is known of their files."""

    sources: dict[str, Prepared]
    facts: dict[Path, FileFacts]

    @property
    def skipped(self) -> tuple[Skipped, ...]:
        """Clips left out of any source, each once."""
        found = (entry for prepared in self.sources.values() for entry in prepared.skipped)
        return tuple(dict.fromkeys(found))

    def content(self, source: str) -> dict[str, str]:
        """Clip id to its recording: equal for byte-identical files, whatever part of them it is."""
        signal = self.sources[source].signal
        return {
            row.id: signal.content(row, self.facts[Path(row.path)].sha256)
            for row in clip_rows(self.sources[source].table)
        }


def prepare(experiment: Experiment, data: Path, cache: Path | None, bad_files: str) -> Corpora:
    """Reads every corpus once and inspects every recording that a source uses.

    Args:
        cache: Parquet file that remembers inspected recordings, or None.
        bad_files: ``fail`` or ``skip`` recordings that cannot be opened.

    Raises:
        ReaderError, DecodingError, StudyError, TaskError: what is wrong with the data, before any
            compute is spent on it.
    """
    tables = _read(experiment, data)
    chosen = {s.name: labelled(tables[s.reader], s) for s in experiment.sources}
    facts = _inspected(experiment, chosen, cache)
    chosen = {s.name: choose(chosen[s.name], s.where, s.name, facts) for s in experiment.sources}
    learnt = _learnt(experiment)
    sources = {}
    for source in experiment.sources:
        table, skipped = _usable(chosen[source.name], facts, bad_files, source.name)
        sources[source.name] = _prepared(source, table, skipped, facts, experiment, learnt)
    return Corpora(sources, facts)


def _inspected(
    experiment: Experiment, tables: Mapping[str, ClipTable], cache: Path | None
) -> dict[Path, FileFacts]:
    """Facts of every file, looked at as its source will decode it."""
    looks: dict[str, tuple[Decoding, set[Path]]] = {}
    for source in experiment.sources:
        signal = experiment.signal_of(source)
        looks.setdefault(signal.looks, (signal, set()))[1].update(tables[source.name].paths())
    facts: dict[Path, FileFacts] = {}
    for signal, paths in looks.values():
        facts |= inspect(sorted(paths), cache, decoding=signal)
    return facts


def _read(experiment: Experiment, data: Path) -> dict[Reader, ClipTable]:
    return {
        reader: reader.read(reader.locate(data))
        for reader in dict.fromkeys(source.reader for source in experiment.sources)
    }


def labelled(table: ClipTable, source: Source) -> ClipTable:
    """Clips that the source takes and that have a target for at least one chosen task."""
    for derived in source.derived:
        table = derived.add(table, labels_of(source.reader, derived.of))
    table = choose(table, source.where, source.name)
    valid = [pc.is_valid(table.target(task.name)).to_numpy() for task in source.chosen]
    kept = table.where(np.logical_or.reduce(valid))
    if not len(kept):
        raise ReaderError(
            f"source {source.name}: no clip of {table.root} has a target for "
            f"{', '.join(t.name for t in source.chosen)}."
        )
    for task in source.chosen:
        if not _events(kept, task.name):
            task.encode(kept.target(task.name))  # an unknown label is said now
    return kept


def labels_of(reader: Reader, task: str) -> list[str]:
    """Labels that a corpus' own task finds in it, other names for them included."""
    for own in reader.tasks:
        if own.name == task:
            return [*own.labels_, *(name for name, _ in getattr(own, "aliases", ()))]
    return []


def _events(table: ClipTable, task: str) -> bool:
    kind = table.table.schema.field(TARGET + task).type
    return bool(pa.types.is_list(kind) and pa.types.is_struct(kind.value_type))


def _usable(
    table: ClipTable, facts: Mapping[Path, FileFacts], bad_files: str, name: str
) -> tuple[ClipTable, tuple[Skipped, ...]]:
    skipped = tuple(
        Skipped(row.id, row.path, fault)
        for row in clip_rows(table)
        if (fault := _fault(row, facts[Path(row.path)]))
    )
    if skipped and bad_files == "fail":
        raise DecodingError(unreadable(name, skipped))
    bad = {s.id for s in skipped}
    return table.select(i for i in table.ids if i not in bad) if bad else table, skipped


def _fault(row: ClipRow, fact: FileFacts) -> str | None:
    """Why a clip cannot be used: its recording's fault, or metadata that name what is not in it."""
    return fact.error or misplaced(row.start, row.end, fact.seconds)


def unreadable(name: str, skipped: tuple[Skipped, ...], most: int = 20) -> str:
    """One message for all clips of a source that cannot be used."""
    lines = [f"  {s.path}: {s.reason}" for s in skipped[:most]]
    more = f"\n  (+{len(skipped) - most} more)" if len(skipped) > most else ""
    return (
        f"source {name}: {counted(len(skipped), 'clip')} cannot be used:\n"
        + "\n".join(lines)
        + more
        + "\nMend or remove them, or pass --bad-files skip to go on without them."
    )


def _learnt(experiment: Experiment) -> dict[str, frozenset[str]]:
    """Per corpus, the kinds of groups that some source learns as classes: none keeps them apart."""
    learnt: dict[str, frozenset[str]] = {}
    for source in experiment.sources:
        corpus = source.reader.corpus
        learnt[corpus] = learnt.get(corpus, frozenset()) | source.learnt_groups
    return learnt


def _prepared(
    source: Source,
    table: ClipTable,
    skipped: tuple[Skipped, ...],
    facts: Mapping[Path, FileFacts],
    experiment: Experiment,
    learnt: Mapping[str, frozenset[str]],
) -> Prepared:
    signal = experiment.signal_of(source)
    skipped += tuple(too_short(table, facts, signal))
    table = cut(table, facts, signal, source.chosen)
    rows = tuple(clip_rows(table))
    table = limit(table, source.chosen, source.limit, experiment.seed)
    kinds = learnt[source.reader.corpus]
    notes = [f"{source.reader.corpus}: {note}" for note in table.notes]
    present = {group.split(":")[0] for groups in table.groups() for group in groups}
    unknown = sorted(set(source.groups or ()) - present)
    if unknown:
        raise StudyError(
            f"source {source.name}: groups names {unknown[0]!r}; its clips have groups of kind "
            f"{', '.join(sorted(present)) or 'none'}."
        )
    for kind in sorted(present - set(source.groups or present)):
        notes.append(f"{source.name}: a {kind} may be on both sides of a split, as groups= says.")
    for kind in sorted(present & kinds if source.groups is None else set()):
        notes.append(
            f"{source.reader.corpus}: a {kind} may be on both sides of a split, for a "
            f"task of this study tells its {kind}s apart."
        )
    return Prepared(
        source,
        signal,
        _respecting(table, source.groups, kinds),
        rows,
        skipped,
        tuple(notes),
        table.table.column("groups"),
        _origin(source.reader, signal, rows, facts),
    )


def _origin(
    reader: Reader, signal: Decoding, rows: tuple[ClipRow, ...], facts: Mapping[Path, FileFacts]
) -> Origin:
    """Rate and longest clip as the signal gives them, and what the reader says of its corpus."""
    known = by_path(facts)
    limit = getattr(signal, "seconds", None) or float("inf")
    longest = rate = 0.0
    for row in rows:
        fact = known[row.path]
        end = fact.seconds if row.end is None else row.end
        longest, rate = max(longest, end - (row.start or 0.0)), max(rate, fact.rate)
    stated = {name: getattr(reader, name) for name in ("licence", "home", "size", "citation")}
    corpus = {"reader": type(reader).__name__, "corpus": reader.corpus, **stated}
    own = getattr(signal, "rate", None) or int(rate)
    return Origin(signal, own, min(longest, limit), tuple((n, v) for n, v in corpus.items() if v))


def _respecting(
    table: ClipTable, kept: tuple[str, ...] | None, learnt: frozenset[str]
) -> ClipTable:
    groups = [
        [
            g
            for g in groups
            if (g.split(":")[0] in kept if kept is not None else g.split(":")[0] not in learnt)
        ]
        for groups in table.groups()
    ]
    at = table.table.schema.get_field_index("groups")
    column = pa.array(groups, pa.list_(pa.string()))
    return replace(table, table=table.table.set_column(at, "groups", column))

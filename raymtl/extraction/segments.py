"""Cutting a clip table into segments, before anything is split or extracted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from raymtl.errors import StudyError
from raymtl.extraction.audio import Segments, Signal
from raymtl.extraction.inspection import FileFacts
from raymtl.extraction.signals import ClipRow, Decoding, Skipped
from raymtl.reading.clips import TARGET, ClipTable
from raymtl.tasks import Task
from raymtl.wording import counted

_MARGIN = 1e-6  # seconds by which sums of seconds may be off


@dataclass(frozen=True)
class _Piece:
    row: int
    start: float | None
    end: float | None


def clip_rows(table: ClipTable) -> list[ClipRow]:
    """The rows of a table as extraction takes them."""
    columns = (table.table.column(name).to_pylist() for name in ("id", "start", "end"))
    paths = (str(path) for path in table.paths())
    return [
        ClipRow(id_, path, start, end)
        for path, id_, start, end in zip(paths, *columns, strict=True)
    ]


def cut(
    table: ClipTable, facts: Mapping[Path, FileFacts], signal: Decoding, tasks: Sequence[Task]
) -> ClipTable:
    """The table with one row a segment, where the signal asks for segments.

    Ids become ``<id>@<start>-<end>`` (seconds in the file, 3 decimals); groups, split, fold and
    targets are inherited. A column of events (list of struct start, end, label) becomes the sorted
    labels that sound in the segment, however briefly; without segments, in the clip. Clips of files
    that cannot be used stay as they are, so that extraction reports them.

    Raises:
        StudyError: when rates or channel counts differ where the signal keeps them as they are, or
            no clip is as long as a segment.
    """
    uniform(table, facts, signal)
    rows = clip_rows(table)
    pieces = [piece for at, row in enumerate(rows) for piece in _pieces(at, row, facts, signal)]
    if not pieces:
        raise StudyError(
            f"{table.root}: no clip is as long as a segment of {signal}. "
            "Use shorter ones or partial='pad'."
        )
    new = table.table.take(pa.array([piece.row for piece in pieces], pa.int64()))
    if isinstance(signal, Signal) and signal.segments is not None:
        ids = [_segment_id(rows[piece.row].id, piece) for piece in pieces]
        new = _with(new, "id", pa.array(ids, pa.string()))
        new = _with(new, "start", pa.array([piece.start for piece in pieces], pa.float64()))
        new = _with(new, "end", pa.array([piece.end for piece in pieces], pa.float64()))
    for task in tasks:
        new = _labelled(new, TARGET + task.name, pieces)
    return ClipTable(new.sort_by("id"), table.root, table.notes)


def whole_clip(segment: str) -> str:
    """Id of the clip that a segment was cut from; clips of a part of a file have an @ of their own.

    segment: its id, as `cut` makes it.
    """
    return segment.rpartition("@")[0]


def too_short(table: ClipTable, facts: Mapping[Path, FileFacts], signal: Decoding) -> list[Skipped]:
    """Clips that `cut` drops because not even one segment fits."""
    if not isinstance(signal, Signal) or signal.segments is None:
        return []
    why = f"shorter than one segment of {signal.segments.seconds:g} s"
    return [
        Skipped(row.id, row.path, why)
        for at, row in enumerate(clip_rows(table))
        if not _pieces(at, row, facts, signal)
    ]


def uniform(table: ClipTable, facts: Mapping[Path, FileFacts], signal: Decoding) -> None:
    """Checks that what the signal keeps as it is, is the same in all usable files.

    Raises:
        StudyError: with the counts of each rate or number of channels.
    """
    if not isinstance(signal, Signal):
        return
    good = [facts[path] for path in dict.fromkeys(table.paths()) if facts[path].error is None]
    if signal.rate is None:
        _same(table.root, "rates", Counter(fact.rate for fact in good), "Signal(rate=16_000)")
    if signal.channels == "all":
        counts = Counter(fact.channels for fact in good)
        _same(table.root, "channel counts", counts, "Signal(channels='mono')")


def _same(root: Path, what: str, counts: Counter[int], remedy: str) -> None:
    if len(counts) > 1:
        shown = ", ".join(
            f"{value} ({counted(count, 'file')})" for value, count in sorted(counts.items())
        )
        raise StudyError(f"{root}: different {what} in one source: {shown}. Set {remedy}.")


def _pieces(
    at: int, row: ClipRow, facts: Mapping[Path, FileFacts], signal: Decoding
) -> list[_Piece]:
    fact = facts[Path(row.path)]
    segments = signal.segments if isinstance(signal, Signal) else None
    if segments is None or fact.error is not None:
        return [_Piece(at, row.start, row.end)]
    start = row.start or 0.0
    end = fact.seconds if row.end is None else min(row.end, fact.seconds)
    if isinstance(signal, Signal) and signal.seconds is not None:
        end = min(end, start + signal.seconds)
    return [_Piece(at, first, last) for first, last in _spans(start, end, segments)]


def _spans(start: float, end: float, segments: Segments) -> list[tuple[float, float]]:
    """Start and end of every segment of [start, end)."""
    hop = segments.hop or segments.seconds
    spans = []
    for number in range(int((end - start) / hop + _MARGIN) + 1):
        first = start + number * hop
        last = first + segments.seconds
        if last <= end + _MARGIN:
            spans.append((first, min(last, end)))
        elif segments.partial == "pad" and first < end - _MARGIN and not _covered(spans, end):
            spans.append((first, end))
    return spans


def _covered(spans: Sequence[tuple[float, float]], end: float) -> bool:
    """Whether the last segment reaches the end already, as overlapping ones do."""
    return bool(spans) and spans[-1][1] >= end - _MARGIN


def _segment_id(clip: str, piece: _Piece) -> str:
    if piece.start is None or piece.end is None:
        return clip
    return f"{clip}@{piece.start:.3f}-{piece.end:.3f}"


def _with(table: pa.Table, name: str, values: pa.Array) -> pa.Table:
    return table.set_column(table.column_names.index(name), name, values)


def _labelled(table: pa.Table, name: str, pieces: Sequence[_Piece]) -> pa.Table:
    """Events to the labels that sound within each row; other columns as they are."""
    if name not in table.column_names or not _of_events(table.column(name).type):
        return table
    active = [
        None if events is None else _active(events, piece)
        for events, piece in zip(table.column(name).to_pylist(), pieces, strict=True)
    ]
    return _with(table, name, pa.array(active, pa.list_(pa.string())))


def _of_events(kind: Any) -> bool:
    return bool(pa.types.is_list(kind) and pa.types.is_struct(kind.value_type))


def _active(events: Sequence[Mapping[str, Any]], piece: _Piece) -> list[str]:
    start = piece.start or 0.0
    end = float("inf") if piece.end is None else piece.end
    return sorted({e["label"] for e in events if e["start"] < end and e["end"] > start})

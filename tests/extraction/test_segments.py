"""Cutting clip tables into segments."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import soundfile

from raymtl.errors import StudyError
from raymtl.extraction.audio import Segments, Signal, decode_many
from raymtl.extraction.inspection import FileFacts, inspect
from raymtl.extraction.segments import clip_rows, cut, too_short
from raymtl.reading.clips import Clip, ClipTable
from raymtl.tasks import AnyOf, OneOf
from tests.extraction.sounds import write

EVENT = pa.list_(pa.struct({"start": pa.float64(), "end": pa.float64(), "label": pa.string()}))
STREET = AnyOf("event", ("car", "voice"))
SCENE = OneOf("scene", ("park", "tram"))


def corpus(
    root: Path, seconds: dict[str, float], rate: int = 8_000
) -> tuple[ClipTable, dict[Path, FileFacts]]:
    for name, length in seconds.items():
        write(root / f"{name}.wav", round(length * rate), rate)
    clips = [
        Clip(f"toy/{name}", f"{name}.wav", (f"place:{name}",), {"scene": "park"}, fold=2)
        for name in seconds
    ]
    table = ClipTable.of(clips, root, [SCENE])
    return table, inspect(table.paths())


def with_events(table: ClipTable, events: list[list[tuple[float, float, str]] | None]) -> ClipTable:
    column = [
        None if row is None else [dict(zip(("start", "end", "label"), e, strict=True)) for e in row]
        for row in events
    ]
    return ClipTable(table.table.append_column("target:event", pa.array(column, EVENT)), table.root)


@pytest.mark.parametrize(
    ("segments", "spans"),
    [
        (Segments(1.0), ["0.000-1.000", "1.000-2.000"]),
        (Segments(1.0, partial="pad"), ["0.000-1.000", "1.000-2.000", "2.000-2.500"]),
        (Segments(1.0, hop=0.5), ["0.000-1.000", "0.500-1.500", "1.000-2.000", "1.500-2.500"]),
        (
            Segments(1.0, hop=0.5, partial="pad"),
            ["0.000-1.000", "0.500-1.500", "1.000-2.000", "1.500-2.500"],
        ),
        (Segments(2.5), ["0.000-2.500"]),
        (Segments(3.0, partial="pad"), ["0.000-2.500"]),
        (Segments(0.5, hop=1.0), ["0.000-0.500", "1.000-1.500", "2.000-2.500"]),
    ],
)
def test_spans(tmp_path: Path, segments: Segments, spans: list[str]) -> None:
    table, facts = corpus(tmp_path, {"a": 2.5})
    new = cut(table, facts, Signal(segments=segments), [SCENE])
    assert new.ids == [f"toy/a@{span}" for span in spans]
    assert new.groups() == [("place:a",)] * len(spans)
    assert new.target("scene").to_pylist() == ["park"] * len(spans)
    assert new.table.column("fold").to_pylist() == [2] * len(spans)


def test_segments_sound_like_the_parts_of_the_file(tmp_path: Path) -> None:
    table, facts = corpus(tmp_path, {"a": 2.5, "b": 1.1})
    signal = Signal(rate=None, segments=Segments(0.7, hop=0.4, partial="pad"))
    rows = clip_rows(cut(table, facts, signal, [SCENE]))
    decoded = decode_many(rows, signal)
    assert not decoded.skipped
    for row, wave in zip(rows, decoded.waves, strict=True):
        whole, _ = soundfile.read(row.path, dtype="float32")
        part = whole[round((row.start or 0) * 8_000) : round((row.end or 0) * 8_000)]
        assert wave is not None
        assert wave.shape == (1, 5_600)
        np.testing.assert_array_equal(wave[0, : len(part)], part)
        assert not wave[0, len(part) :].any()


def test_the_first_seconds_are_cut(tmp_path: Path) -> None:
    table, facts = corpus(tmp_path, {"a": 5.0})
    new = cut(table, facts, Signal(seconds=2.2, segments=Segments(1.0)), [SCENE])
    assert new.ids == ["toy/a@0.000-1.000", "toy/a@1.000-2.000"]


def test_clips_inside_a_file(tmp_path: Path) -> None:
    write(tmp_path / "a.wav", 80_000, 8_000)
    clips = [Clip("toy/x", "a.wav", (), {}, 1.5, 4.0), Clip("toy/y", "a.wav", (), {}, 8.0, None)]
    table = ClipTable.of(clips, tmp_path, [SCENE])
    new = cut(table, inspect(table.paths()), Signal(segments=Segments(1.0)), [SCENE])
    assert new.ids == [
        "toy/x@1.500-2.500",
        "toy/x@2.500-3.500",
        "toy/y@8.000-9.000",
        "toy/y@9.000-10.000",
    ]


def test_events_become_the_labels_of_each_segment(tmp_path: Path) -> None:
    table, facts = corpus(tmp_path, {"a": 3.0, "b": 3.0, "c": 3.0})
    table = with_events(
        table, [[(0.5, 1.5, "voice"), (1.2, 1.3, "car"), (2.0, 3.0, "car")], None, []]
    )
    new = cut(table, facts, Signal(segments=Segments(1.0)), [STREET])
    assert new.target("event").to_pylist() == [
        ["voice"],
        ["car", "voice"],
        ["car"],
        None,
        None,
        None,
        [],
        [],
        [],
    ]
    assert STREET.encode(new.target("event")).values.tolist()[1] == [1.0, 1.0]


def test_an_event_that_only_touches_a_segment_is_not_in_it(tmp_path: Path) -> None:
    table, facts = corpus(tmp_path, {"a": 2.0})
    new = cut(
        with_events(table, [[(1.0, 2.0, "car")]]), facts, Signal(segments=Segments(1.0)), [STREET]
    )
    assert new.target("event").to_pylist() == [[], ["car"]]


def test_events_of_whole_clips(tmp_path: Path) -> None:
    table, facts = corpus(tmp_path, {"a": 2.0})
    table = with_events(table, [[(1.0, 2.0, "car"), (0.0, 0.1, "car")]])
    new = cut(table, facts, Signal(), [STREET])
    assert new.ids == ["toy/a"]
    assert new.target("event").to_pylist() == [["car"]]


def test_bad_files_stay_for_extraction_to_report(tmp_path: Path) -> None:
    table, _ = corpus(tmp_path, {"a": 2.0, "b": 2.0})
    (tmp_path / "b.wav").write_bytes(b"no sound")
    signal = Signal(segments=Segments(1.0))
    new = cut(table, inspect(table.paths()), signal, [SCENE])
    assert new.ids == ["toy/a@0.000-1.000", "toy/a@1.000-2.000", "toy/b"]
    assert [s.id for s in decode_many(clip_rows(new), signal).skipped] == ["toy/b"]


def test_clips_too_short_are_told(tmp_path: Path) -> None:
    table, facts = corpus(tmp_path, {"a": 2.0, "b": 0.9})
    signal = Signal(segments=Segments(1.0))
    assert cut(table, facts, signal, [SCENE]).ids == ["toy/a@0.000-1.000", "toy/a@1.000-2.000"]
    (short,) = too_short(table, facts, signal)
    assert (short.id, short.reason) == ("toy/b", "shorter than one segment of 1 s")
    with pytest.raises(StudyError, match="no clip is as long as a segment"):
        cut(table, facts, Signal(segments=Segments(10.0)), [SCENE])


def test_order_of_rows_does_not_matter(tmp_path: Path) -> None:
    table, facts = corpus(tmp_path, {"a": 2.0, "b": 3.0, "c": 1.5})
    signal = Signal(segments=Segments(0.5, hop=0.3, partial="pad"))
    turned = ClipTable(table.table.take([2, 0, 1]), table.root)
    assert cut(turned, facts, signal, [SCENE]).table == cut(table, facts, signal, [SCENE]).table


@pytest.mark.parametrize(
    ("signal", "message"),
    [
        (Signal(rate=None), r"different rates in one source: 8000 \(2 files\), 16000 \(1 file\)"),
        (Signal(channels="all"), r"different channel counts .* 1 \(2 files\), 2 \(1 file\)"),
    ],
)
def test_what_is_kept_as_it_is_must_be_the_same(
    tmp_path: Path, signal: Signal, message: str
) -> None:
    table, _ = corpus(tmp_path, {"a": 1.0, "b": 1.0, "c": 1.0})
    write(tmp_path / "c.wav", 16_000, 16_000, 2)
    with pytest.raises(StudyError, match=message):
        cut(table, inspect(table.paths()), signal, [SCENE])

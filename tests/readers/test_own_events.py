"""`Events`: DCASE lists, Audacity's label files, and what segments are told of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from raymtl.errors import ReaderError, StudyError
from raymtl.extraction.audio import Segments, Signal
from raymtl.extraction.inspection import inspect
from raymtl.extraction.segments import cut
from raymtl.reading.clips import EVENTS, ClipTable
from readers.own import Events

LABELS = ("car", "people walking")


def street(root: Path, **texts: str | bytes) -> Path:
    """Three recordings, and files given as ``path__to__file_txt=content``."""
    for name in ("audio/a.wav", "audio/b.wav", "audio/c.wav"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b"")
    for name, text in texts.items():
        path = root / name.replace("__", "/").replace("_", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return root


def events(table: ClipTable) -> list[list[tuple[float, float, str]] | None]:
    assert table.target("events").type == EVENTS
    return [
        None if found is None else [(e["start"], e["end"], e["label"]) for e in found]
        for found in table.target("events").to_pylist()
    ]


LIST = "audio/b.wav\t1.5\t2\tcar\r\naudio/a.wav\r\naudio/b.wav\t0.25\t3\tpeople walking\r\n"
HEARD = [[], [(0.25, 3.0, "people walking"), (1.5, 2.0, "car")], None]


def test_one_list_for_all_with_ragged_rows(tmp_path: Path) -> None:
    table = Events("street", "meta.txt", LABELS).read(street(tmp_path, meta_txt=LIST))
    assert events(table) == HEARD
    assert "1 recordings have no annotation" in table.notes
    assert table.groups()[0] == ("recording:street/audio/a",)


DESED = "filename,onset,offset,event_label\nb,1.5,2,car\na,,,\nb,0.25,3,people walking\n"


def test_a_list_with_a_header_and_names_without_endings(tmp_path: Path) -> None:
    reader = Events(
        "street", "meta.csv", LABELS, delimiter=",", header=True, files="audio/{}.wav",
        columns=("filename", "onset", "offset", "event_label"),
    )  # fmt: skip
    assert events(reader.read(street(tmp_path, meta_csv=DESED))) == HEARD


def test_columns_in_another_order(tmp_path: Path) -> None:
    text = "audio/b.wav\tstreet\t1,5\t2\tcar\n"
    reader = Events("street", "meta.txt", LABELS, columns=(0, 2, 3, 4), decimal=",")
    assert events(reader.read(street(tmp_path, meta_txt=text)))[1] == [(1.5, 2.0, "car")]


AUDACITY = "1.500000\t2.000000\tcar\n\\\t100.0\t2000.5\n0.250000\t0.250000\tpeople walking\n"


def test_label_files_of_audacity(tmp_path: Path) -> None:
    """Lines of a frequency range begin with a backslash; a point begins where it ends."""
    root = street(tmp_path, labels__a_txt=b"\xef\xbb\xbf" + AUDACITY.encode(), labels__b_txt="")
    found = events(Events("street", "labels/{stem}.txt", LABELS).read(root))
    assert found == [[(0.25, 0.25, "people walking"), (1.5, 2.0, "car")], [], None]


def test_a_file_each_beside_the_recording(tmp_path: Path) -> None:
    root = street(tmp_path, audio__a_ann="1.5\t2\tcar\tmixture\n")
    assert events(Events("s", "{name}.ann", LABELS).read(root))[0] == [(1.5, 2.0, "car")]


def test_labels_are_text_that_may_hold_quotes(tmp_path: Path) -> None:
    root = street(tmp_path, audio__a_txt='0\t1\t"car" horn, far\n0\t1\tcar\n')
    with pytest.raises(ReaderError, match="labels of the events are not declared") as error:
        Events("street").read(root)
    pasted = eval(f"dict({str(error.value).partition('study:' + chr(10))[2]})")
    assert pasted == {"labels": ('"car" horn, far', "car")}
    assert len(events(Events("street", **pasted).read(root))[0] or ()) == 2


def test_segments_have_the_labels_that_sound_in_them(tmp_path: Path) -> None:
    root = tmp_path / "street"
    root.mkdir()
    soundfile.write(root / "a.wav", np.zeros(4_000), 1_000)
    (root / "a.txt").write_text("0.5\t1.5\tcar\n2.25\t2.25\tpeople walking\n")
    reader = Events("street", labels=LABELS)
    table = reader.read(root)
    signal = Signal(rate=1_000, segments=Segments(1.0))
    pieces = cut(table, inspect(table.paths()), signal, reader.tasks)
    assert pieces.target("events").to_pylist() == [["car"], ["car"], ["people walking"], []]


def test_aliases_rename_and_drop_events(tmp_path: Path) -> None:
    root = street(tmp_path, audio__a_txt="0\t1\tCar\n0\t2\tnoise\n")
    reader = Events("street", labels=LABELS, aliases=(("Car", "car"), ("noise", None)))
    assert events(reader.read(root))[0] == [(0.0, 1.0, "car")]


BROKEN = [
    ("audio/a.wav\t2\t1\tcar\n", r"meta\.txt:1: an event from 2\.0 to 1\.0 s"),
    ("audio/a.wav\t-1\t1\tcar\n", "expected an onset of at least 0"),
    ("audio/a.wav\tone\t2\tcar\n", "meta.txt:1: 1 is 'one', expected a number"),
    ("audio/a.wav\t\t2\tcar\n", "an event from None to 2.0 s"),
    ("\naudio/a.wav\t1\t2\tcarr\n", r"meta\.txt:2: label 'carr'.*Did you mean 'car'"),
    ("audio/x.wav\t1\t2\tcar\n", r"1 audio files that meta\.txt lists are missing: audio/x\.wav"),
    ("\t1\t2\tcar\n", "meta.txt:1: no recording in 0"),
    ("", "holds no lines with a recording"),
    ("\0\1", "not text"),
]


@pytest.mark.parametrize(("text", "message"), BROKEN)
def test_broken_lists_are_errors_with_their_line(text: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(ReaderError, match=message):
        Events("street", "meta.txt", LABELS).read(street(tmp_path, meta_txt=text))


def test_missing_recordings_can_be_skipped_with_a_note(tmp_path: Path) -> None:
    root = street(tmp_path, meta_txt=LIST + "audio/x.wav\t1\t2\tcar\n")
    table = Events("street", "meta.txt", LABELS, missing="skip").read(root)
    assert events(table) == HEARD
    assert any("missing" in note and "audio/x.wav" in note for note in table.notes)


def test_no_annotation_at_all_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ReaderError, match=r"for 'audio/a\.wav' expected 'labels/audio/a\.txt'"):
        Events("street", "labels/{name}.txt", LABELS).read(street(tmp_path))
    with pytest.raises(ReaderError, match=r"lists\.txt: cannot be read"):
        Events("street", "lists.txt", LABELS).read(street(tmp_path))


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"columns": (0, 1)}, r"expected 3, those of onset, offset and label"),
        ({"annotations": "m.txt", "columns": (0, 1, 2)}, "expected 4, those of recording, onset"),
        ({"header": True}, "name the columns in columns="),
        ({"columns": ("on", "off", "label")}, r"'on'; with header=False columns are numbers"),
        ({"header": True, "columns": (0, 1, 2)}, "0; with header=True columns are names"),
        ({"group": "x"}, "names no group"),
        ({"encoding": "utf-9"}, "unknown"),
    ],
)
def test_declarations_that_cannot_be_meant(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(StudyError, match=message):
        Events("street", **{"labels": LABELS, **fields})

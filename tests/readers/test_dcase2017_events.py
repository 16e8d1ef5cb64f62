"""TUT Sound Events 2017: annotations of several widths, CRLF, overlapping events, cutting."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from raymtl.errors import ReaderError, StudyError
from raymtl.extraction.audio import Segments, Signal
from raymtl.extraction.inspection import inspect
from raymtl.extraction.segments import cut
from raymtl.reading.clips import EVENTS, ClipTable
from readers.dcase2017_events import LABELS, Dcase2017Events
from tests.learnability import summary
from tests.readers.laws import check, content, precision

BASE = "TUT-sound-events-2017-development"
EVALUATION = "TUT-sound-events-2017-evaluation"


@pytest.fixture(scope="module")
def miniature(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("events")
    Dcase2017Events.miniature(root, 3)
    return root


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    """Four recordings, one a fold, without any annotation yet; no reader opens them."""
    for fold, name in enumerate(("a001", "a002", "b003", "b004"), start=1):
        write(tmp_path, f"evaluation_setup/street_fold{fold}_test.txt",
              f"audio/street/{name}.wav\tstreet\r\n")  # fmt: skip
        write(tmp_path, f"audio/street/{name}.wav", "")
    return tmp_path


def write(root: Path, name: str, text: str, base: str = BASE) -> None:
    path = root / base / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode())


def events(table: ClipTable) -> dict[str, list[tuple[float, float, str]] | None]:
    """Events by recording."""
    return {
        Path(row["audio"]).stem: row["target:events"]
        and [(e["start"], e["end"], e["label"]) for e in row["target:events"]]
        for row in table.table.to_pylist()
    }


def test_three_and_seven_columns_lf_and_crlf(corpus: Path) -> None:
    write(corpus, "meta/street/a001.ann", "audio/street/a001.wav\tstreet\t1.5\t2.25\t"
          "people walking\tmixture\ta001\r\n")  # fmt: skip
    write(corpus, "meta/street/a002.ann", "3.5\t14.0\tcar\n1.0\t4.0\tlarge vehicle\n")
    table = Dcase2017Events().read(corpus)
    found = events(table)
    assert found["a001"] == [(1.5, 2.25, "people walking")]
    assert found["a002"] == [(1.0, 4.0, "large vehicle"), (3.5, 14.0, "car")]
    assert table.target("events").type == EVENTS
    assert table.groups()[0] == ("tut:a001",)
    assert table.table.column("fold").to_pylist() == [1, 2, 3, 4]


def test_a_recording_without_events_is_not_one_without_annotation(corpus: Path) -> None:
    write(corpus, "meta/street/a001.ann", "")
    table = Dcase2017Events().read(corpus)
    assert events(table) == {"a001": [], "a002": None, "b003": None, "b004": None}
    assert table.notes == (f"3 recordings of {BASE} have no annotation",)


def test_tables_stand_in_for_absent_annotation_files(corpus: Path) -> None:
    truth = "audio/street/a001.wav\tstreet\t1.0\t2.0\tcar\n"
    write(corpus, "evaluation_setup/street_fold1_evaluate.txt", truth)
    assert events(Dcase2017Events().read(corpus))["a001"] == [(1.0, 2.0, "car")]
    write(corpus, "meta.txt", "audio/street/a001.wav\tstreet\t1.0\t3.0\tcar\tm\n")
    assert events(Dcase2017Events().read(corpus))["a001"] == [(1.0, 3.0, "car")]
    write(corpus, "meta/street/a001.ann", "1.0\t4.0\tcar\n")
    assert events(Dcase2017Events().read(corpus))["a001"] == [(1.0, 4.0, "car")]


@pytest.mark.parametrize(("line", "match"), [
    ("2.5\t1.5\tcar", r"a001.ann:1: an event from 2.5 to 1.5 s"),
    ("-1\t1.5\tcar", r"a001.ann:1: an event from -1.0"),
    ("1,5\t2.5\tcar", r"a001.ann:1: onset is '1,5', expected a number"),
    ("1.5\tnan\tcar", r"a001.ann:1: offset is 'nan'"),
    ("1.5\t2.5\ttruck", r"a001.ann:1: label 'truck' is not one of brakes squeaking, car"),
    ("1.5 2.5 car", r"a001.ann:1: 1 columns"),
])  # fmt: skip
def test_mangled_annotations_name_the_line(corpus: Path, line: str, match: str) -> None:
    write(corpus, "meta/street/a001.ann", line + "\n")
    with pytest.raises(ReaderError, match=match):
        Dcase2017Events().read(corpus)


def test_a_recording_tested_twice_or_trained_on(corpus: Path) -> None:
    train = "audio/street/a001.wav\tstreet\t1.0\t2.0\tcar\n"
    write(corpus, "evaluation_setup/street_fold1_train.txt", train)
    with pytest.raises(ReaderError, match=r"street_fold1_train.txt:1: .* tested in fold 1"):
        Dcase2017Events().read(corpus)
    write(corpus, "evaluation_setup/street_fold2_test.txt", "audio/street/a001.wav\tstreet\n")
    with pytest.raises(ReaderError, match="is tested in fold 1 and in fold 2"):
        Dcase2017Events().read(corpus)


def test_no_lists_and_wrong_fields(tmp_path: Path) -> None:
    with pytest.raises(ReaderError, match=r"neither street_fold1_test\.txt nor"):
        Dcase2017Events().read(tmp_path)
    with pytest.raises(ReaderError, match=r"neither street_test\.txt nor"):
        Dcase2017Events(part="evaluation").read(tmp_path)
    with pytest.raises(StudyError, match="part='test'"):
        Dcase2017Events(part="test")


def test_real_excerpt(recordings: Path) -> None:
    root = recordings / "miniatures" / "tut2017se"
    with pytest.raises(ReaderError, match=r"23 audio files .* \(\+3 more\)"):
        Dcase2017Events().read(root)
    table = Dcase2017Events(missing="skip").read(root)
    assert events(table) == {"a001": [
        (1.589213, 2.38382, "people walking"), (3.500767, 4.156693, "people walking"),
        (4.156693, 14.00307, "car")]}  # fmt: skip
    assert table.table.column("fold").to_pylist() == [4]
    assert "23 of 24 audio files" in table.notes[0]
    rough = events(Dcase2017Events(verified=False, missing="skip").read(root))
    assert rough == events(table)  # three columns and LF give what seven columns and CRLF give


def test_verified_annotations_are_a_choice(miniature: Path, corpus: Path) -> None:
    one = Dcase2017Events().read(miniature)
    other = Dcase2017Events(verified=False).read(miniature)
    assert events(one) == events(other)
    with pytest.raises(ReaderError, match="or use verified=True"):
        Dcase2017Events(verified=False).read(corpus)


def test_both_parts_are_the_official_split(miniature: Path) -> None:
    rows = Dcase2017Events(part="both").read(miniature).table.to_pylist()
    assert [(r["split"], r["audio"].split("/")[0]) for r in rows] == (
        [("train", BASE)] * 12 + [("test", EVALUATION)] * 3)  # fmt: skip
    assert all(r["target:events"] for r in rows)


def test_miniature(miniature: Path, tmp_path: Path) -> None:
    table = check(Dcase2017Events(), miniature, 44_100, 2, "PCM_24")
    seven = (miniature / BASE / "meta/street/a001.ann").read_bytes()
    assert seven.count(b"\r\n") == seven.count(b"\n")
    assert seven.split(b"\r\n")[0].count(b"\t") == 6
    assert any(a[1] > b[0] for found in events(table).values() for a, b in
               zip(found or (), (found or ())[1:], strict=False))  # fmt: skip
    Dcase2017Events.miniature(tmp_path, 3)
    assert content(tmp_path) == content(miniature)


def pieces(table: ClipTable) -> list[tuple[str, int, list[str]]]:
    """Recording, whole second and the labels heard in it, by sampling each second finely."""
    found = []
    for row, path in zip(table.table.to_pylist(), table.paths(), strict=True):
        seconds = 10 if "development" in str(path) else 6
        for second in range(seconds):
            moments = second + (np.arange(1000) + 0.5) / 1000
            heard = {e["label"] for e in row["target:events"]
                     if np.any((moments > e["start"]) & (moments < e["end"]))}  # fmt: skip
            found.append((Path(row["audio"]).stem, second, sorted(heard)))
    return found


def test_seconds_of_a_recording_have_the_labels_that_sound_in_them(miniature: Path) -> None:
    reader = Dcase2017Events()
    table = reader.read(miniature)
    signal = Signal(segments=Segments(1.0))
    short = cut(table, inspect(table.paths()), signal, reader.tasks)
    assert len(short) == 120  # the last 0.4 s of each recording make no segment
    got = {(Path(r["audio"]).stem, round(r["start"])): r["target:events"]
           for r in short.table.to_pylist()}  # fmt: skip
    assert got == {(name, second): heard for name, second, heard in pieces(table)}
    assert any(len(heard) > 1 for heard in got.values())
    reader.tasks[0].encode(short.target("events"))


def test_events_of_the_miniature_can_be_learnt(miniature: Path) -> None:
    table = Dcase2017Events().read(miniature)
    paths = {path.stem: path for path in table.paths()}
    found = pieces(table)
    features = np.array([summary(paths[name], second, second + 1) for name, second, _ in found])
    truth = np.array([[label in heard for label in LABELS] for _, _, heard in found])
    score, chance = precision(features, truth, [name for name, _, _ in found])
    assert chance < 0.35
    assert score > 2 * chance

"""Metadata tables: nothing guessed, lines named; audio files of a tree, links, junk."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from raymtl.errors import ReaderError
from raymtl.reading.tables import audio_files, extra, records, require, rows


def _write(path: Path, content: str | bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def test_cells_stay_the_strings_they_are(tmp_path: Path) -> None:
    path = _write(tmp_path / "x.csv", "NA,None,01\nnull,1e3,\n")
    assert [row.cells for row in rows(path)] == [("NA", "None", "01"), ("null", "1e3", "")]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_line_ends_and_byte_order_marks(tmp_path: Path, end: str, mark: str) -> None:
    path = _write(tmp_path / "x.csv", mark + end.join(["file,label", "a.wav,dog", "", "b.wav,cat"]))
    found = records(path, ("label", "file"))
    assert [(r.line, r["file"], r["label"]) for r in found] == [(2, "a.wav", "dog"),
                                                               (4, "b.wav", "cat")]  # fmt: skip
    assert found[1].where == f"{path}:4"


def test_quotes_and_blanks_after_the_comma(tmp_path: Path) -> None:
    path = _write(tmp_path / "x.csv", '-Py7, 30.000, "/m/09x0r,/t/dd1"\n1,2,"Male speech, man"\n')
    assert [row[2] for row in rows(path, widths=(3,))] == ["/m/09x0r,/t/dd1", "Male speech, man"]


def test_runs_of_blanks_and_tabs(tmp_path: Path) -> None:
    path = _write(tmp_path / "x.txt", "a.jpg -1  1\t1\n  \nb.jpg  1 -1 -1\n")
    assert [row.cells for row in rows(path, None)] == [("a.jpg", "-1", "1", "1"),
                                                       ("b.jpg", "1", "-1", "-1")]  # fmt: skip
    tabs = _write(tmp_path / "y.txt", "audio/a.wav\tcafe/restaurant\tpeople walking\n")
    assert rows(tabs, "\t")[0][2] == "people walking"


def test_other_encodings_are_named(tmp_path: Path) -> None:
    path = _write(tmp_path / "x.csv", "caf\xe9,1\n".encode("latin-1"))
    with pytest.raises(ReaderError, match=r"x\.csv: byte 3 is not utf-8 text"):
        rows(path)
    assert rows(path, encoding="latin-1")[0][0] == "café"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "holds no rows"),
        (b"\n \n", "holds no rows"),
        (b"a,b\n1,2,3\n", r"x\.csv:2: 3 columns .*expected 2"),
        (b"a,b\0", "NUL bytes"),
        (b'a,"b\n', r"x\.csv:\d: not a table"),
    ],
)
def test_damage_is_named(tmp_path: Path, content: bytes, message: str) -> None:
    with pytest.raises(ReaderError, match=message):
        rows(_write(tmp_path / "x.csv", content), widths=(2,))


def test_headers_are_checked(tmp_path: Path) -> None:
    path = _write(tmp_path / "x.csv", "file,label\n")
    with pytest.raises(ReaderError, match="no rows below its header"):
        records(path, ("file",))
    with pytest.raises(ReaderError, match=r"x\.csv:1: no column fold; it has file, label"):
        records(path, ("file", "fold"))
    with pytest.raises(ReaderError, match=r"absent\.csv: cannot be read \(No such file"):
        records(tmp_path / "absent.csv", ("file",))
    with pytest.raises(ReaderError, match=r"y\.csv:2: 1 columns, expected 2"):
        records(_write(tmp_path / "y.csv", "file,label\nx.wav\n"), ("file",))


CELLS = st.text(st.characters(codec="utf-8", exclude_characters="\0\r\ufeff",
                              exclude_categories=("Cs",)), min_size=1)  # fmt: skip


STRIPPED = CELLS.filter(lambda cell: cell.strip() == cell)


@given(st.lists(st.lists(STRIPPED, min_size=3, max_size=3), min_size=1))
def test_what_csv_writes_is_read(
    tmp_path_factory: pytest.TempPathFactory, table: list[list[str]]
) -> None:
    path = tmp_path_factory.getbasetemp() / "any.csv"
    with path.open("w", newline="", encoding="utf-8") as handle:
        csv.writer(handle, lineterminator="\n").writerows(table)
    assert [list(row.cells) for row in rows(path)] == table


def test_audio_files_are_sorted_and_junk_is_left_out(tmp_path: Path) -> None:
    for name in ("b/2.wav", "b/1.WAV", "a.wav", "b/._1.wav", ".git/x.wav", "__MACOSX/b/1.wav",
                 "b/.DS_Store", "notes.txt", "c/x.wav.md5", "c/y.ogg"):  # fmt: skip
        _write(tmp_path / name, "")
    assert audio_files(tmp_path) == ["a.wav", "b/1.WAV", "b/2.wav"]
    assert audio_files(tmp_path, (".ogg",)) == ["c/y.ogg"]
    assert audio_files(tmp_path / "absent") == []


def test_links_within_the_corpus_are_followed_but_not_in_circles(tmp_path: Path) -> None:
    _write(tmp_path / "real" / "x.wav", "")
    (tmp_path / "alias").symlink_to("real")
    (tmp_path / "real" / "up").symlink_to("..")
    (tmp_path / "y.wav").symlink_to("real/x.wav")
    assert audio_files(tmp_path) == ["alias/x.wav", "real/x.wav", "y.wav"]


@pytest.mark.parametrize("name", ["x.wav", "folder"])
def test_links_out_of_the_corpus_are_refused(tmp_path: Path, name: str) -> None:
    root = tmp_path / "corpus"
    root.mkdir()
    outside = _write(tmp_path / "outside" / "x.wav", "")
    (root / name).symlink_to(outside if name == "x.wav" else outside.parent)
    with pytest.raises(ReaderError, match="leads outside the corpus"):
        audio_files(root)


def test_a_corpus_that_is_a_link_itself_is_fine(tmp_path: Path) -> None:
    _write(tmp_path / "disk" / "x.wav", "")
    (tmp_path / "corpus").symlink_to("disk")
    assert audio_files(tmp_path / "corpus") == ["x.wav"]


def test_missing_files_are_counted_and_twenty_named(tmp_path: Path) -> None:
    names = [f"{k:03d}.wav" for k in range(30)]
    require(names, names, tmp_path, "meta.csv")
    with pytest.raises(ReaderError, match=r"25 audio files that meta\.csv lists") as error:
        require(names, names[:5], tmp_path, "meta.csv")
    text = str(error.value)
    assert "005.wav" in text
    assert "024.wav" in text
    assert "025.wav" not in text
    assert "(+5 more)" in text


def test_surplus_files_give_a_note() -> None:
    assert extra(["a"], ["a"], "meta.csv") == ()
    assert extra(["a"], ["c", "a", "b"], "meta.csv") == (
        "2 audio files are not in meta.csv and are left out, first b",
    )

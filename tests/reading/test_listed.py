"""What metadata lists against what is there."""

from __future__ import annotations

from pathlib import Path

import pytest

from raymtl.errors import ReaderError, StudyError
from raymtl.reading.listed import choice, clip_id, folds_of, keep, label, number
from raymtl.reading.tables import Row

ROOT = Path("corpus")


def row(line: int, *cells: str) -> Row:
    return Row(Path("list.txt"), line, cells)


def test_keep_notes_what_is_missing_and_what_is_unlisted() -> None:
    kept, notes = keep(["a", "b", "c"], ["b", "c", "d"], ROOT, "list.txt", "skip")
    assert kept == {"b", "c"}
    assert len(notes) == 2
    assert "1 audio files are not in list.txt" in notes[0]
    assert notes[1] == (
        "1 of 3 audio files that list.txt lists are missing and are left out, first a"
    )
    assert keep(["b"], ["b"], ROOT, "list.txt", "error") == ({"b"}, ())


def test_keep_names_twenty_missing_files_and_counts_the_rest() -> None:
    names = [f"{n:02d}.wav" for n in range(23)]
    with pytest.raises(ReaderError, match=r"corpus: 23 audio files that list\.txt lists are "
                                          r"missing: 00\.wav, .*19\.wav \(\+3 more\)"):  # fmt: skip
        keep(names, [], ROOT, "list.txt", "error")


def test_folds_of() -> None:
    tests = {1: [row(1, "a"), row(2, "a")], 2: [row(1, "b")]}
    assert folds_of(tests, {1: [row(1, "b")], 2: [row(1, "a")]}) == {"a": 1, "b": 2}
    with pytest.raises(ReaderError, match=r"list\.txt:9: a is tested in fold 1 and in fold 2"):
        folds_of({**tests, 2: [row(9, "a")]})
    with pytest.raises(ReaderError, match=r"list\.txt:7: b is trained on and tested in fold 2"):
        folds_of(tests, {2: [row(7, "b")]})


@pytest.mark.parametrize("text", ["", "x", "1,5", "nan", "-inf", "1 2"])
def test_number_refuses_what_is_none(text: str) -> None:
    with pytest.raises(ReaderError, match=r"a:1: onset is "):
        number(text, "a:1", "onset")


def test_small_checks() -> None:
    assert number("1e-3", "a:1", "onset") == 0.001
    assert label("x", ("x", "y"), "a:1") == "x"
    with pytest.raises(ReaderError, match="a:1: label 'z' is not one of x, y"):
        label("z", ("x", "y"), "a:1")
    with pytest.raises(StudyError, match="part='c': expected one of 'a', 'b'"):
        choice("c", ("a", "b"), "part")
    assert clip_id("corpus", "a.b/c.d.wav") == "corpus/a.b/c.d"

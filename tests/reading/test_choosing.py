"""Choosing clips by label, column and duration."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from raymtl.errors import StudyError
from raymtl.reading.choosing import Choice, Duration, Labels, Values, choose
from raymtl.reading.clips import EVENTS, Clip, ClipTable
from raymtl.tasks import AnyOf, OneOf, YesNo

ROOT = Path("corpora/a")
TASKS = (OneOf("word", ("yes", "no")), AnyOf("tags", ("a", "b")), YesNo("loud"),
         AnyOf("events", ("car", "dog")))  # fmt: skip


@dataclass(frozen=True)
class Fact:
    seconds: float
    error: str | None = None


def event(label: str) -> dict[str, object]:
    return {"start": 0.0, "end": 1.0, "label": label}


@pytest.fixture
def table() -> ClipTable:
    clips = [
        Clip("a/0", "0.wav", ("speaker:a/x",), {"word": "yes", "tags": ["a"], "loud": True,
             "events": [event("car")]}, split="train", fold=1, about={"verified": "1"}),
        Clip("a/1", "1.wav", ("speaker:a/y",), {"word": "no", "tags": ["a", "b"], "loud": False,
             "events": []}, split="test", fold=2, start=1.0, end=1.5, about={"verified": "0"}),
        Clip("a/2", "2.wav", ("speaker:a/y", "room:1"), {"tags": [], "events": [event("dog")]}),
    ]  # fmt: skip
    return ClipTable.of(clips, ROOT, TASKS, {"events": EVENTS})


@pytest.mark.parametrize(
    ("choice", "kept"),
    [
        (Labels("word", keep=("yes",)), "0"),
        (Labels("word", drop=("yes",)), "12"),
        (Labels("tags", keep=("a",)), "01"),
        (Labels("tags", keep=("a",), drop=("b",)), "0"),
        (Labels("loud", keep=("no",)), "1"),
        (Labels("events", keep=("car", "dog")), "02"),
        (Values("split", keep=("train",)), "0"),
        (Values("split", drop=("train",)), "12"),
        (Values("fold", keep=("2",)), "1"),
        (Values("audio", drop=("2.wav",)), "01"),
        (Values("speaker", keep=("a/y",)), "12"),
        (Values("room", drop=("1",)), "01"),
        (Values("verified", keep=("1",)), "0"),
        (Values("verified", drop=("1",)), "12"),
        (Duration(least=0.5), "012"),
        (Duration(least=0.6), "02"),
        (Duration(most=0.9), "1"),
        (Duration(least=1.0, most=2.0), "0"),
    ],
)
def test_what_is_kept(table: ClipTable, choice: Choice, kept: str) -> None:
    facts = {ROOT / "0.wav": Fact(1.0), ROOT / "1.wav": Fact(9.0), ROOT / "2.wav": Fact(3.0)}
    found = choose(table, [choice], "s", facts if choice.measured else None)
    assert [i[-1] for i in found.ids] == list(kept)


def test_choices_apply_together(table: ClipTable) -> None:
    both = [Values("speaker", keep=("a/y",)), Labels("tags", keep=("b",))]
    assert choose(table, both, "s").ids == ["a/1"]


def test_a_duration_waits_for_the_facts_and_keeps_what_cannot_be_opened(table: ClipTable) -> None:
    assert choose(table, [Duration(least=5)], "s") is table
    facts = {ROOT / "0.wav": Fact(0, "empty"), ROOT / "1.wav": Fact(9), ROOT / "2.wav": Fact(9)}
    assert choose(table, [Duration(least=5)], "s", facts).ids == ["a/0", "a/2"]


def test_a_duration_of_what_lasts_no_time_is_refused(table: ClipTable) -> None:
    facts = {ROOT / "0.wav": Fact(0), ROOT / "1.wav": Fact(9), ROOT / "2.wav": Fact(9)}
    with pytest.raises(StudyError, match=r"0\.wav lasts no time, as images and tables do"):
        choose(table, [Duration(least=5)], "s", facts)


@pytest.mark.parametrize(
    ("choice", "message"),
    [
        (Labels("wrod", keep=("yes",)), "no 'wrod' in this corpus.*Did you mean 'word'"),
        (Labels("word", keep=("yse",)), "no 'yse' in this corpus.*Did you mean 'yes'"),
        (Values("speaker", keep=("a/z",)), "no 'a/z' in this corpus; it has 'a/x', 'a/y'"),
        (Values("speeker"), "no 'speeker'.*'split', 'fold', 'audio', 'room', 'speaker', 'verif"),
    ],
)
def test_a_name_that_the_corpus_does_not_have(
    table: ClipTable, choice: Choice, message: str
) -> None:
    with pytest.raises(StudyError, match=message):
        choose(table, [choice], "s")


def test_nothing_left(table: ClipTable) -> None:
    with pytest.raises(StudyError, match="source s: none of its 3 clips is left by Labels"):
        choose(table, [Labels("word", keep=("yes",)), Values("fold", keep=("2",))], "s")


def test_durations_that_cannot_be_meant() -> None:
    with pytest.raises(StudyError, match="0 <= least <= most"):
        Duration(least=2, most=1)


@pytest.mark.parametrize("kind", [Labels, Values])
@pytest.mark.parametrize("which", ["keep", "drop"])
def test_one_string_is_not_a_list(kind: type[Labels | Values], which: str) -> None:
    """Its letters would be taken for labels."""
    with pytest.raises(StudyError, match=r"'01' is one string; expected a list: \('01',\)"):
        kind("word", **{which: "01"})

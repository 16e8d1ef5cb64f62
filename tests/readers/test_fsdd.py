"""FSDD: grammar of names, official takes, counts on the real excerpt."""

from __future__ import annotations

import csv
from collections import Counter
from pathlib import Path

import pytest

from raymtl.errors import ReaderError
from raymtl.reading.clips import ClipTable
from readers.fsdd import SPEAKERS, Fsdd
from tests.learnability import recall


@pytest.fixture(scope="module")
def mini(tmp_path_factory: pytest.TempPathFactory) -> ClipTable:
    root = tmp_path_factory.mktemp("fsdd")
    Fsdd.miniature(root, 0)
    return Fsdd().read(root)


def _touch(root: Path, *names: str) -> Path:
    (root / "recordings").mkdir(parents=True)
    for name in names:
        (root / "recordings" / name).touch()
    return root


def test_the_excerpt_has_twenty_takes_of_six_speakers(recordings: Path) -> None:
    table = Fsdd().read(recordings / "fsdd")
    assert len(table) == 1_200
    assert Counter(table.target("digit").to_pylist()) == dict.fromkeys("0123456789", 120)
    with (recordings / "fsdd" / "speakers.csv").open(encoding="utf-8") as handle:
        speakers = {row["speaker"] for row in csv.DictReader(handle)}
    assert speakers == set(SPEAKERS)
    assert Counter(table.target("speaker").to_pylist()) == dict.fromkeys(speakers, 200)
    assert Counter(table.table.column("split").to_pylist()) == {"test": 300, "train": 900}


def test_takes_0_to_4_are_the_test_part(tmp_path: Path) -> None:
    names = [f"3_theo_{take}.wav" for take in (0, 4, 5, 10, 49)]
    table = Fsdd().read(_touch(tmp_path, *names))
    split = dict(zip(table.ids, table.table.column("split").to_pylist(), strict=True))
    assert split == {
        "fsdd/recordings/3_theo_0": "test", "fsdd/recordings/3_theo_4": "test",
        "fsdd/recordings/3_theo_5": "train", "fsdd/recordings/3_theo_10": "train",
        "fsdd/recordings/3_theo_49": "train",
    }  # fmt: skip


def test_a_take_of_a_speaker_is_a_group_within_the_speaker(mini: ClipTable) -> None:
    takes: dict[str, set[str]] = {}
    for speaker, take in mini.groups():
        assert take.startswith("take:")
        takes.setdefault(take, set()).add(speaker)
    assert len(takes) == 4 * 4
    assert all(len(speakers) == 1 for speakers in takes.values())


def test_an_unknown_speaker_is_an_error(tmp_path: Path) -> None:
    root = _touch(tmp_path, "0_george_0.wav", "0_nobody_0.wav")
    with pytest.raises(ReaderError, match=r"0_nobody_0\.wav: speaker 'nobody'; expected one of"):
        Fsdd().read(root)


def test_other_names_are_left_out_and_counted(tmp_path: Path) -> None:
    root = _touch(tmp_path, "0_george_0.wav", "10_george_0.wav", "0_george_x.wav", "noise.wav")
    table = Fsdd().read(root)
    assert len(table) == 1
    assert table.notes[0].startswith("3 audio files are not in FSDD's grammar")


def test_no_folder_of_recordings_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ReaderError, match="no folder 'recordings'"):
        Fsdd().read(tmp_path)


@pytest.mark.parametrize(
    ("task", "group", "least"), [("digit", "speaker", 0.8), ("speaker", "take", 0.8)]
)
def test_the_miniature_can_be_learnt(mini: ClipTable, task: str, group: str, least: float) -> None:
    assert recall(mini, task, group)[0] > least

"""RAVDESS: codes of file names, layouts on disk, the published oddities."""

from __future__ import annotations

import shutil
from collections import Counter
from itertools import product
from pathlib import Path

import pytest
import soundfile

from raymtl.errors import ReaderError
from raymtl.reading.clips import ClipTable
from readers.ravdess import Ravdess
from tests.learnability import recall

SPEECH, SONG = "Audio_Speech_Actors_01-24", "Audio_Song_Actors_01-24"


def _names(channel: int, emotions: int) -> list[str]:
    """Every published name of a channel, built from the corpus' description."""
    names = []
    for emotion, strong, statement, again, actor in product(
        range(1, emotions + 1), (1, 2), (1, 2), (1, 2), range(1, 25)
    ):
        if not (emotion == 1 and strong == 2) and not (channel == 2 and actor == 18):
            codes = (3, channel, emotion, strong, statement, again, actor)
            names.append(f"Actor_{actor:02d}/" + "-".join(f"{c:02d}" for c in codes) + ".wav")
    return names


def _touch(root: Path, *names: str) -> Path:
    """Empty files: a reader opens no audio."""
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    return root


@pytest.fixture(scope="module")
def mini(tmp_path_factory: pytest.TempPathFactory) -> ClipTable:
    root = tmp_path_factory.mktemp("ravdess")
    Ravdess.miniature(root, 0)
    return Ravdess().read(root)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("whole")
    _touch(root, *(f"{SPEECH}/{name}" for name in _names(1, 8)))
    return _touch(root, *(f"{SONG}/{name}" for name in _names(2, 6)))


def test_the_whole_corpus_has_the_published_counts(whole: Path) -> None:
    table = Ravdess().read(whole)
    assert len(table) == 1_440
    emotions = Counter(table.target("emotion").to_pylist())
    assert emotions.pop("neutral") == 96
    assert len(emotions) == 7
    assert set(emotions.values()) == {192}
    assert Counter(table.target("intensity").to_pylist()) == {"normal": 768, "strong": 672}
    assert Counter(table.target("stress").to_pylist()) == {False: 96, True: 192, None: 1_152}
    assert Counter(table.target("sex").to_pylist()) == {"male": 720, "female": 720}
    assert set(Counter(table.target("actor").to_pylist()).values()) == {60}
    assert table.table.column("split").null_count == 1_440
    assert any("1012 sung clips are left out" in note for note in table.notes)


def test_songs_are_read_on_request(whole: Path) -> None:
    table = Ravdess(song=True).read(whole)
    assert len(table) == 1_440 + 1_012
    sung = [groups[0] for i, groups in zip(table.ids, table.groups(), strict=True)
            if "/03-02-" in i]  # fmt: skip
    assert len(sung) == 1_012
    assert len(set(sung)) == 23
    assert "speaker:ravdess/18" not in sung
    assert not any("left out" in note for note in table.notes)


def test_no_songs_where_songs_are_asked_for_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ReaderError, match=r"no sung clips.*song=False"):
        Ravdess(song=True).read(_touch(tmp_path, f"{SPEECH}/{_names(1, 8)[0]}"))


def test_the_excerpt_of_four_actors(recordings: Path) -> None:
    table = Ravdess().read(recordings / "ravdess")
    assert len(table) == 33
    emotions = Counter(table.target("emotion").to_pylist())
    assert emotions.pop("surprised") == 5
    assert set(emotions.values()) == {4}
    assert Counter(table.target("sex").to_pylist()) == {"male": 17, "female": 16}
    assert table.notes == ("33 of RAVDESS' 1440 clips are here",)
    first = table.table.slice(0, 1).to_pylist()[0]
    assert first["id"] == "ravdess/Actor_01/03-01-01-01-01-01-01"
    channels = Counter(soundfile.info(path).channels for path in table.paths())
    assert channels == {1: 32, 2: 1}


def test_a_second_copy_of_the_tree_is_left_out(whole: Path, tmp_path: Path) -> None:
    names = _names(1, 8)
    root = _touch(tmp_path, *names, *(f"audio_speech_actors_01-24/{name}" for name in names))
    assert sum(1 for _ in root.rglob("*.wav")) == 2_880
    table = Ravdess().read(root)
    assert table.ids == Ravdess().read(whole).ids
    assert table.table.column("audio")[0].as_py().startswith("Actor_01/")
    assert any(note.startswith("1440 files lie here a second time") for note in table.notes)


def test_copies_that_differ_are_an_error(mini: ClipTable, tmp_path: Path) -> None:
    root = tmp_path / "ravdess"
    shutil.copytree(mini.root, root)
    one, other = mini.table.column("audio").to_pylist()[:2]
    copy = root / "again" / Path(one).parent.name / Path(one).name
    copy.parent.mkdir(parents=True)
    shutil.copy(root / other, copy)
    with pytest.raises(ReaderError, match="one name, two different recordings"):
        Ravdess().read(root)


def test_a_bare_tree_gives_the_ids_of_the_published_one(whole: Path, tmp_path: Path) -> None:
    bare = _touch(tmp_path, *_names(1, 8)[:50])
    assert set(Ravdess().read(bare).ids) < set(Ravdess().read(whole).ids)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("Actor_01/03-01-09-01-01-01-01.wav", "emotion '09'; expected 01 to 08"),
        ("Actor_01/02-01-01-01-01-01-01.wav", "modality '02'; expected 03"),
        ("Actor_01/03-01-01-03-01-01-01.wav", "intensity '03'; expected 01 to 02"),
        ("Actor_25/03-01-01-01-01-01-25.wav", "actor '25'; expected 01 to 24"),
        ("Actor_02/03-01-01-01-01-01-01.wav", "a file of actor 01 in folder Actor_02"),
    ],
)
def test_undeclared_codes_are_an_error_with_the_file(
    tmp_path: Path, name: str, message: str
) -> None:
    with pytest.raises(ReaderError, match=message) as error:
        Ravdess().read(_touch(tmp_path, _names(1, 8)[0], name))
    assert name in str(error.value)


def test_odd_actors_are_men_and_actors_are_groups(mini: ClipTable) -> None:
    for row in mini.table.to_pylist():
        assert (int(row["target:actor"]) % 2 == 1) == (row["target:sex"] == "male")
        assert f"speaker:ravdess/{row['target:actor']}" in row["groups"]


def test_repetitions_stay_together_even_when_actors_are_learnt(mini: ClipTable) -> None:
    lines = {i: groups[1] for i, groups in zip(mini.ids, mini.groups(), strict=True)}
    one, other = (f"ravdess/Actor_07/03-01-03-01-02-0{k}-07" for k in (1, 2))
    assert lines[one] == lines[other]
    assert sum(group == lines[one] for group in lines.values()) == 2


def test_the_published_twins_are_noted_and_in_the_miniature(mini: ClipTable) -> None:
    assert any("byte-identical" in note for note in mini.notes)
    one, other = (p for p in mini.paths() if p.stem.startswith("03-01-03-01-02-0")
                  and p.stem.endswith("-07"))  # fmt: skip
    assert one.read_bytes() == other.read_bytes()


def test_the_miniature_is_48_khz_with_one_stereo_file(mini: ClipTable) -> None:
    facts = [soundfile.info(path) for path in mini.paths()]
    assert Counter((f.samplerate, f.subtype) for f in facts) == {(48_000, "PCM_16"): len(mini)}
    assert [p.stem for p, f in zip(mini.paths(), facts, strict=True) if f.channels == 2] == [
        "03-01-02-01-01-02-01"
    ]


@pytest.mark.parametrize(
    ("task", "group", "least"),
    [("emotion", "speaker", 0.45), ("stress", "speaker", 0.75), ("sex", "speaker", 0.85),
     ("statement", "speaker", 0.9), ("actor", "line", 0.35), ("intensity", "speaker", 0.6)],
)  # fmt: skip
def test_the_miniature_can_be_learnt(mini: ClipTable, task: str, group: str, least: float) -> None:
    assert recall(mini, task, group)[0] > least

"""Speech Commands: official lists and hash rule, background noise, the separate test set."""

from __future__ import annotations

import shutil
from collections import Counter, defaultdict
from pathlib import Path

import pytest
import soundfile

from raymtl.errors import ReaderError, StudyError
from raymtl.reading.clips import ClipTable
from readers.speech_commands import ARCHIVE, NOISE, TEN, WORDS, SpeechCommands, official_part
from tests.learnability import recall


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sc") / "speech_commands_v0.02"
    SpeechCommands.miniature(folder, 0)
    return folder


@pytest.fixture(scope="module")
def mini(root: Path) -> ClipTable:
    return SpeechCommands().read(root)


@pytest.fixture
def copy(root: Path, tmp_path: Path) -> Path:
    shutil.copytree(root, tmp_path / root.name)
    return tmp_path / root.name


def _rows(table: ClipTable) -> dict[str, dict[str, object]]:
    return {row["id"].removeprefix("speech_commands/"): row for row in table.table.to_pylist()}


def test_releases_have_30_and_35_words(mini: ClipTable) -> None:
    old, new = (set(WORDS[release]) for release in ("v0.01", "v0.02"))
    assert (len(old), len(new)) == (30, 35)
    assert new - old == {"backward", "forward", "follow", "learn", "visual"}
    assert set(mini.target("word").to_pylist()) == {*new, None}


def test_the_hash_rule_agrees_with_the_published_lists(recordings: Path) -> None:
    folder = recordings / "speech_commands_v0.01"
    for name, part, count in (("validation_list.txt", "validation", 6_798),
                              ("testing_list.txt", "test", 6_835)):  # fmt: skip
        speakers = [line.split("/")[1].split("_nohash_")[0]
                    for line in (folder / name).read_text().split()]  # fmt: skip
        assert len(speakers) == count
        assert len(set(speakers)) == 189
        assert {official_part(speaker) for speaker in speakers} == {part}


def test_the_excerpt_has_ten_clips_a_word(recordings: Path) -> None:
    root = recordings / "speech_commands_v0.01"
    table = SpeechCommands("v0.01", missing="skip").read(root)
    assert Counter(table.target("word").to_pylist()) == dict.fromkeys(WORDS["v0.01"], 10)
    listed = {name: set((root / f"{name}_list.txt").read_text().split())
              for name in ("validation", "testing")}  # fmt: skip
    for row in table.table.to_pylist():
        assert (row["split"] == "test") == (row["audio"] in listed["testing"])
        assert (row["split"] == "validation") == (row["audio"] in listed["validation"])
    assert table.notes[0].startswith("13538 of 13633 audio files")


def test_an_excerpt_read_as_the_whole_corpus_is_an_error(recordings: Path) -> None:
    with pytest.raises(ReaderError, match=r"13538 audio files .* missing: .*\(\+13518 more\)"):
        SpeechCommands("v0.01").read(recordings / "speech_commands_v0.01")


def test_parts_share_no_speaker(mini: ClipTable) -> None:
    parts = defaultdict(set)
    for row in mini.table.to_pylist():
        for group in row["groups"]:
            parts[group].add(row["split"])
    assert all(len(found) == 1 for found in parts.values())
    assert {"train", "validation", "test"} == set().union(*parts.values())


def test_commands_are_ten_words_unknown_and_silence(mini: ClipTable) -> None:
    for row in mini.table.to_pylist():
        word = row["target:word"]
        expected = "_silence_" if word is None else word if word in TEN else "_unknown_"
        assert row["target:command"] == expected


def test_noise_is_cut_into_whole_seconds_without_opening_it(root: Path, mini: ClipTable) -> None:
    starts = defaultdict(list)
    for row in mini.table.to_pylist():
        if row["audio"].startswith(NOISE):
            assert row["end"] == row["start"] + 1
            starts[row["audio"]].append(row["start"])
    assert len(starts) == 6
    for name, found in starts.items():
        assert sorted(found) == list(range(int(soundfile.info(root / name).duration)))


def test_a_recording_of_noise_is_in_one_part_and_every_part_has_some(mini: ClipTable) -> None:
    parts = defaultdict(set)
    for row in mini.table.to_pylist():
        if row["target:command"] == "_silence_":
            parts[row["audio"]].add(row["split"])
    assert all(len(found) == 1 for found in parts.values())
    assert set().union(*parts.values()) == {"train", "validation", "test"}


def test_the_separate_test_set_takes_the_place_of_the_test_part(root: Path) -> None:
    rows = _rows(SpeechCommands(archive=True).read(root))
    test = {i: row for i, row in rows.items() if row["split"] == "test"}
    assert all(i.startswith(ARCHIVE) for i in test)
    assert {row["target:command"] for row in test.values()} == {*TEN, "_silence_", "_unknown_"}
    assert {row["target:word"] for row in test.values()} == {*TEN, None}
    doubled = [row["audio"] for row in test.values() if row["audio"].endswith(".wav.wav")]
    assert doubled
    assert all(f"{i}.wav" == row["audio"] for i, row in rows.items() if row["start"] is None)


def test_no_separate_test_set_is_an_error(copy: Path) -> None:
    shutil.rmtree(copy / ARCHIVE)
    with pytest.raises(ReaderError, match=r"Unpack speech_commands_test_set_v0\.02"):
        SpeechCommands(archive=True).read(copy)
    assert SpeechCommands().read(copy).notes == ()


def test_the_other_release_is_told_from_the_words(root: Path) -> None:
    with pytest.raises(ReaderError, match=r"_list\.txt:\d+: 'backward' is none of the 30 words"):
        SpeechCommands("v0.01").read(root)


def test_an_undeclared_folder_is_an_error(copy: Path) -> None:
    (copy / "banana").mkdir()
    shutil.copy(copy / "yes" / next((copy / "yes").iterdir()).name, copy / "banana")
    with pytest.raises(ReaderError, match="'banana' is none of the 35 words"):
        SpeechCommands().read(copy)


def test_clips_that_a_shortened_list_lacks_do_not_slip_into_training(copy: Path) -> None:
    path = copy / "testing_list.txt"
    lines = path.read_text().splitlines()
    path.write_text("\n".join(lines[:-3]) + "\n")
    with pytest.raises(ReaderError, match="lists lack 3 clips") as error:
        SpeechCommands().read(copy)
    assert lines[-1] in str(error.value)


def test_lists_that_were_swapped_are_an_error(copy: Path) -> None:
    one, other = copy / "testing_list.txt", copy / "validation_list.txt"
    text = one.read_text()
    one.write_text(other.read_text())
    other.write_text(text)
    with pytest.raises(ReaderError, match=r"_list\.txt:1: speaker \w+ is not in the"):
        SpeechCommands().read(copy)


def test_lists_with_windows_line_ends_are_read(copy: Path, mini: ClipTable) -> None:
    for path in copy.glob("*_list.txt"):
        path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes().replace(b"\n", b"\r\n"))
    assert SpeechCommands().read(copy).table.equals(mini.table)


def test_each_release_has_its_folder() -> None:
    assert SpeechCommands("v0.01").folder == "speech_commands_v0.01"
    assert SpeechCommands().folder == "speech_commands_v0.02"
    with pytest.raises(StudyError, match=r"v0\.03.*v0\.01.*v0\.02"):
        SpeechCommands("v0.03")


def test_clips_are_16_khz_mono_and_at_most_a_second(mini: ClipTable) -> None:
    for path in mini.paths():
        facts = soundfile.info(path)
        assert (facts.samplerate, facts.channels, facts.subtype) == (16_000, 1, "PCM_16")
        assert facts.duration <= 1 or path.parent.name == NOISE


@pytest.mark.parametrize(("task", "least"), [("word", 0.4), ("command", 0.35)])
def test_the_miniature_can_be_learnt(mini: ClipTable, task: str, least: float) -> None:
    assert recall(mini, task, "speaker")[0] > least

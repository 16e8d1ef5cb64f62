"""Statistics of hand-made corpora whose numbers are known, and of real recordings."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
from rich.console import Console

from raymtl.extraction.inspection import FileFacts, inspect
from raymtl.extraction.listening.hearing import hear
from raymtl.reading.audit import GroupCounts, Stats, render, stats
from raymtl.reading.clips import EVENTS, Clip, ClipTable
from raymtl.tasks import AnyOf, OneOf, Task, YesNo
from readers.esc import Esc10

WORD = OneOf("word", ("yes", "no", "up", "never"), aliases=(("nope", "no"), ("?", None)))
HEARD = AnyOf("heard", ("car", "dog"))
LOUD = YesNo("loud")


def wav(root: Path, name: str, seconds: float, rate: int = 8_000, channels: int = 1,
        level: float = 0.1, subtype: str = "PCM_16") -> None:  # fmt: skip
    """Noise that depends on the name alone."""
    rng = np.random.default_rng(list(name.encode()))
    wave = level * rng.standard_normal((round(seconds * rate), channels))
    soundfile.write(root / name, wave, rate, subtype=subtype)


def counted(table: ClipTable, tasks: Sequence[Task], decode: bool = True) -> Stats:
    facts = {str(path): fact for path, fact in inspect(table.paths()).items()}
    sounds = {str(path): hear(path) for path in table.paths()} if decode else None
    return stats(table, tasks, facts, sounds)


@pytest.fixture
def corpus(tmp_path: Path) -> ClipTable:
    """Seven clips in six files, most of them with something wrong."""
    wav(tmp_path, "a.wav", 1.0)
    wav(tmp_path, "b.wav", 3.0, rate=16_000, channels=2)
    wav(tmp_path, "zero.wav", 2.0, level=0.0)
    (tmp_path / "twin.wav").write_bytes((tmp_path / "a.wav").read_bytes())
    (tmp_path / "text.wav").write_text("this is not a recording")
    wav(tmp_path, "nan.wav", 0.5, level=np.nan, subtype="FLOAT")
    clips = [
        Clip("c/a", "a.wav", ("speaker:1", "room:x"),
             {"word": "yes", "heard": ["car", "dog"], "loud": True}, split="train"),
        Clip("c/b@0-1", "b.wav", ("speaker:2", "room:x"),
             {"word": "nope", "heard": [], "loud": False}, end=1.0, split="train"),
        Clip("c/b@1-9", "b.wav", ("speaker:2",), {"word": "?"}, start=1.0, end=9.0, split="test"),
        Clip("c/nan", "nan.wav", ("speaker:4",), {"word": "yes"}, split="test"),
        Clip("c/text", "text.wav", ("speaker:3",), {"word": "up"}, split="validation"),
        Clip("c/twin", "twin.wav", ("speaker:3",), {"heard": ["dog"]}, split="test"),
        Clip("c/zero", "zero.wav", ("speaker:3",), {"word": "no", "loud": True}, split="test"),
    ]  # fmt: skip
    return ClipTable.of(clips, tmp_path, (WORD, HEARD, LOUD), notes=("2 files are left out",))


def test_numbers_of_a_known_corpus(corpus: ClipTable) -> None:
    found = counted(corpus, (WORD, HEARD, LOUD))
    assert (found.clips, found.files) == (7, 6)
    # a 1 s, b 1 s and, from 1 s on, 2 s of the 8 that are asked for, nan 0.5 s, twin 1 s, zero 2 s
    assert found.hours * 3600 == pytest.approx(7.5)
    assert found.seconds[0] == 0.5
    assert found.seconds[2:] == (1.0, 2.0, 2.0)
    assert found.parts == {"train": 2, "validation": 1, "test": 4}
    assert list(found.parts) == ["train", "validation", "test"]
    assert found.rates == {8_000: 4, 16_000: 1}
    assert found.channels == {1: 4, 2: 1}
    assert found.groups == (GroupCounts("room", 1, "room:x", 2),
                            GroupCounts("speaker", 4, "speaker:3", 3))  # fmt: skip
    assert found.straddling == ("speaker:2", "speaker:3")
    assert found.notes == ("2 files are left out",)


def test_labels_by_part_with_aliases_and_missing_targets(corpus: ClipTable) -> None:
    word, heard, loud = counted(corpus, (WORD, HEARD, LOUD)).tasks
    assert word.labels == {
        "train": {"yes": 1, "no": 1, "up": 0, "never": 0},
        "validation": {"yes": 0, "no": 0, "up": 1, "never": 0},
        "test": {"yes": 1, "no": 1, "up": 0, "never": 0},
    }
    assert word.missing == {"train": 0, "validation": 0, "test": 2}
    assert (word.once, word.absent) == (("up",), ("never",))
    assert heard.totals == {"car": 1, "dog": 2}
    assert heard.missing == {"train": 0, "validation": 1, "test": 3}  # an empty list is an answer
    assert loud.totals == {"no": 1, "yes": 2}


def test_bad_silent_and_equal_files(corpus: ClipTable) -> None:
    found = counted(corpus, (WORD,))
    assert found.silent == ("zero.wav",)
    assert found.duplicates == (("a.wav", "twin.wav"),)
    reasons = dict(found.undecodable)
    assert sorted(reasons) == ["b.wav", "nan.wav", "text.wav"]
    assert reasons["b.wav"].startswith("c/b@1-9: the clip lasts from 1 to 9 s, but the file is 3 s")
    assert "NaN" in reasons["nan.wav"]
    shallow = counted(corpus, (WORD,), decode=False)
    assert shallow.silent is None
    assert [name for name, _ in shallow.undecodable] == ["b.wav", "text.wav"]


def test_events_and_folds(tmp_path: Path) -> None:
    wav(tmp_path, "a.wav", 1.0)
    wav(tmp_path, "b.wav", 1.0)
    event = {"start": 0.0, "end": 0.5, "label": "dog"}
    clips = [Clip("c/a", "a.wav", (), {"heard": [event, event]}, fold=10),
             Clip("c/b", "b.wav", (), fold=2)]  # fmt: skip
    found = counted(ClipTable.of(clips, tmp_path, (HEARD,), {"heard": EVENTS}), (HEARD,))
    assert list(found.parts) == ["fold 2", "fold 10"]
    assert found.tasks[0].totals == {"car": 0, "dog": 2}
    assert found.tasks[0].missing == {"fold 2": 1, "fold 10": 0}
    assert found.groups == ()


def test_nothing_readable(tmp_path: Path) -> None:
    (tmp_path / "a.wav").touch()
    found = counted(ClipTable.of([Clip("c/a", "a.wav", ())], tmp_path, ()), ())
    assert (found.clips, found.hours, found.seconds, found.rates) == (1, 0.0, (), {})
    assert "none known" in shown(found)


def shown(found: Stats) -> str:
    """The page as printed on 80 columns."""
    console = Console(width=80, file=io.StringIO(), color_system=None)
    console.print(render(found))
    text = console.file.getvalue()  # type: ignore[attr-defined]
    assert max(map(len, text.splitlines())) <= 80
    return str(text)


def test_page(corpus: ClipTable) -> None:
    text = shown(counted(corpus, (WORD, HEARD, LOUD)))
    for line in ("7 in 6 files, 0.1 min", "train: 2, validation: 1, test: 4",
                 "16,000 Hz: 1", "labels given only once (1): up", "never given (1): never",
                 "files that cannot be used (3):", "silent files (1):", "zero.wav",
                 "a.wav = twin.wav", "several parts (2): speaker:2", "note: 2 files"):  # fmt: skip
        assert line in text, line
    row = next(line.split() for line in text.splitlines() if line.split()[:1] == ["yes"])
    assert row == ["yes", "2", "1", "0", "1"]  # total, train, validation, test
    assert "not looked for" in shown(counted(corpus, (WORD,), decode=False))


def test_page_stays_within_80_columns_and_shows_brackets_as_they_are(tmp_path: Path) -> None:
    task = OneOf("[bold]mood[/bold]", ("[red]calm", "x" * 90))
    clips = []
    for fold in range(1, 11):
        name = f"{'long' * 20}-{fold}[b].wav"
        (tmp_path / name).touch()
        clips.append(Clip(f"c/{fold}", name, (f"speaker:{'y' * 90}",),
                          {task.name: task.labels[fold % 2]}, fold=fold))  # fmt: skip
    text = shown(counted(ClipTable.of(clips, tmp_path, (task,)), (task,)))
    assert "task [bold]mood[/bold]" in text
    assert "[red]calm" in text
    head = next(line.split() for line in text.splitlines() if "total" in line)
    assert head == ["label", "total", "least", "most"]  # ten folds do not fit side by side
    six = shown(counted(ClipTable.of(clips[:6], tmp_path, (task,)), (task,)))
    assert "fold 6" in next(line for line in six.splitlines() if "total" in line)


def test_long_lists_are_counted_and_cut(corpus: ClipTable) -> None:
    found = replace(counted(corpus, ()), straddling=tuple(f"s:{n}" for n in range(25)))
    text = shown(found)
    assert "several parts (25): s:0" in text
    assert "(+5 more)" in text
    assert "s:20" not in text


def test_facts_alone_are_enough(tmp_path: Path) -> None:
    """Nothing is opened: hours follow from headers that somebody else read."""
    table = ClipTable.of([Clip("c/a", "a.wav", ())], tmp_path, ())
    fact = FileFacts(1, "x", 7_200 * 8_000, 8_000, 1, None)
    assert stats(table, (), {str(tmp_path / "a.wav"): fact}).hours == 2.0


def test_real_recordings(recordings: Path) -> None:
    table = Esc10().read(recordings / "esc10")
    found = counted(table, Esc10().tasks)
    whole = sum(soundfile.info(path).duration for path in table.paths())
    assert found.hours * 3600 == pytest.approx(whole)
    assert (found.rates, found.channels) == ({44_100: 160}, {1: 160})
    assert found.silent == found.undecodable == found.straddling == ()
    files = sorted((recordings / "speech_music_silence").rglob("*.wav"))
    zeros = [path for path in files if not soundfile.read(path)[0].any()]
    assert [path for path in files if hear(path).silent] == zeros
    assert len(zeros) == 1

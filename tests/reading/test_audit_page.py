"""What an audit finds in corpora made to have it, in words and on the page."""

from __future__ import annotations

from html.parser import HTMLParser
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest
import soundfile
from click.testing import CliRunner

from raymtl.cli import main
from raymtl.extraction.inspection import inspect
from raymtl.reading.audit import across
from raymtl.reading.audit.across import Member
from raymtl.reading.clips import Clip, ClipTable
from raymtl.tasks import OneOf, YesNo

MOOD, LOUD = OneOf("mood", ("calm", "<b>angry")), YesNo("loud")

READER = """
from dataclasses import dataclass
from pathlib import Path
from raymtl.reading.clips import Clip, ClipTable
from raymtl.reading.reader import Reader
from raymtl.tasks import OneOf

@dataclass(frozen=True)
class Moods(Reader):
    corpus = "moods"
    folder = "moods"

    @property
    def tasks(self):
        return (OneOf("mood", ("calm", "<b>angry")),)

    def read(self, root: Path) -> ClipTable:
        clips = [
            Clip(f"moods/{p.stem}", p.name, (f"speaker:{p.stem[0]}",), {"mood": "<b>angry"},
                 split="test" if p.stem.endswith("t") else "train")
            for p in sorted(root.glob("*.wav"))
        ]
        return ClipTable.of(clips, root, self.tasks)

calm = Moods().source("mood")
"""


def write(path: Path, seed: int, gain: float = 0.1, cut: int = 0) -> None:
    wave = gain * np.random.default_rng(seed).standard_normal(8_000)
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, np.clip(wave[cut:], -1, 1), 8_000, "PCM_16")


@pytest.fixture
def moods(tmp_path: Path) -> Path:
    """A corpus with a trimmed copy, an equal pair across parts, a silent and a clipped file."""
    root = tmp_path / "data" / "moods"
    for name, seed, gain, cut in (("a1", 1, 0.1, 0), ("a2t", 1, 0.05, 900), ("b1", 2, 0.1, 0),
                                  ("c1", 3, 0.0, 0), ("d1", 4, 9.0, 0)):  # fmt: skip
        write(root / f"{name}.wav", seed, gain, cut)
    (root / "e<i>t.wav").write_bytes((root / "b1.wav").read_bytes())
    (root / "f1.wav").write_text("broken")
    (tmp_path / "moods.py").write_text(READER)
    return tmp_path


def run(*words: str | Path) -> str:
    result = CliRunner().invoke(main, [str(word) for word in words], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


class Tags(HTMLParser):
    """Names of all elements and every link and source."""

    def __init__(self) -> None:
        super().__init__()
        self.names: list[str] = []
        self.links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.append(tag)
        self.links += [str(value) for name, value in attrs if name in ("href", "src")]


@pytest.mark.parametrize("target", ["Moods", "calm"])
def test_an_audit_of_a_reader_and_of_a_source(moods: Path, target: str) -> None:
    page = moods / "page.html"
    text = run("audit", f"{moods / 'moods.py'}:{target}", "--data", moods / "data",
               "--store", moods / "store", "--page", page)  # fmt: skip
    said = " ".join(text.split())
    for words in (
        "1 set of byte-identical recordings; 1 lie in several official parts",
        "1 pair of near-identical recordings; 1 lie in several official parts",
        "1 speaker group in several official parts or folds: speaker:a",
        "1 recording, f1.wav, cannot be used",
        "1 recording, c1.wav, silent",
        "1 recording, d1.wav, clipped",
        "labels never given: calm",
    ):
        assert words in said, words
    assert max(map(len, text.splitlines()[:-1])) <= 80
    html = page.read_text()
    tags = Tags()
    tags.feed(html)
    assert {"svg", "table", "rect"} <= set(tags.names)
    assert all(link.startswith("#") for link in tags.links), tags.links
    assert "<b>angry" not in html
    assert "&lt;b&gt;angry" in html
    assert "e<i>t" not in html


def test_an_audit_without_listening(moods: Path) -> None:
    text = run("audit", f"{moods / 'moods.py'}:Moods", "--data", moods / "data",
               "--store", moods / "store", "--fast")  # fmt: skip
    assert "1 set of byte-identical" in text
    assert "Nobody listened for near-identical" in text
    assert (moods / "store" / "audits" / "moods.html").is_file()
    assert not (moods / "store" / "heard.arrow").exists()


def test_stats_of_a_reader(moods: Path) -> None:
    text = run("stats", f"{moods / 'moods.py'}:Moods", "--data", moods / "data",
               "--store", moods / "store")  # fmt: skip
    assert "files with clipped samples (1)" in text
    assert "silent files (1)" in text


def test_a_target_that_is_none_is_refused(moods: Path) -> None:
    result = CliRunner().invoke(main, ["audit", f"{moods / 'moods.py'}:Path", "--store",
                                       str(moods / "store")])  # fmt: skip
    assert result.exit_code == 2
    assert "neither study, reader nor source" in result.output


def test_the_templates_travel_with_the_package() -> None:
    folder = files("raymtl.reading.audit")
    assert (folder / "audit.html.jinja").is_file()
    assert (folder / "audit.css").is_file()


# --- across corpora ----------------------------------------------------------------------------


def test_corpora_are_compared(tmp_path: Path) -> None:
    """Groups, recordings and targets of two corpora, and of tasks that never meet."""
    for name, seed in (("one/a.wav", 1), ("one/b.wav", 2), ("two/c.wav", 1), ("two/d.wav", 5)):
        write(tmp_path / name, seed)
    one = ClipTable.of(
        [Clip("1/a", "a.wav", ("freesound:7", "speaker:x"), {"mood": "calm"}, fold=1),
         Clip("1/b", "b.wav", ("freesound:8",), fold=2)], tmp_path / "one", (MOOD,))  # fmt: skip
    two = ClipTable.of(
        [Clip("2/c", "c.wav", ("freesound:7",), {"loud": True}),
         Clip("2/d", "d.wav", ("freesound:9",), {"loud": False})],
        tmp_path / "two", (LOUD,))  # fmt: skip
    members = [
        Member(name, table, tasks, {str(p): f for p, f in inspect(table.paths()).items()})
        for name, table, tasks in (("one", one, (MOOD,)), ("two", two, (LOUD,)))
    ]
    (shared,) = across.shared_groups(members)
    assert (shared.kind, shared.count, shared.clips, shared.names) == (
        "freesound", 1, (1, 1), ("freesound:7",)
    )  # fmt: skip
    places = across.places(members)
    (equal,) = across.equal(members, places)
    assert [str(place) for place in equal.places] == ["one: a.wav (fold 1)", "two: c.wav"]
    assert equal.corpora == ("one", "two")
    assert not equal.straddles
    found = across.coverage(members)
    assert found.tasks == ("mood", "loud")
    assert found.together == ((1, 0), (0, 2))
    assert found.apart == (("mood", "loud"),)
    assert sorted(found.patterns) == [
        ("one", (False, False), 1), ("one", (True, False), 1), ("two", (False, True), 2)
    ]  # fmt: skip

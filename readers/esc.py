"""ESC-50 and ESC-10: environmental sounds from Freesound in five official folds."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np

from raymtl.errors import ReaderError
from raymtl.reading.clips import Clip, ClipTable
from raymtl.reading.listed import MISSING, choice, clip_id, keep, label, once
from raymtl.reading.palette import everyday
from raymtl.reading.reader import Published, Reader
from raymtl.reading.synthesis import Floats, event, generator, noise, write_wav
from raymtl.reading.tables import Record, audio_files, records
from raymtl.tasks import OneOf, Task

CATEGORIES = (
    "dog", "rooster", "pig", "cow", "frog", "cat", "hen", "insects", "sheep", "crow", "rain",
    "sea_waves", "crackling_fire", "crickets", "chirping_birds", "water_drops", "wind",
    "pouring_water", "toilet_flush", "thunderstorm", "crying_baby", "sneezing", "clapping",
    "breathing", "coughing", "footsteps", "laughing", "brushing_teeth", "snoring",
    "drinking_sipping", "door_wood_knock", "mouse_click", "keyboard_typing", "door_wood_creaks",
    "can_opening", "washing_machine", "vacuum_cleaner", "clock_alarm", "clock_tick",
    "glass_breaking", "helicopter", "chainsaw", "siren", "car_horn", "engine", "train",
    "church_bells", "airplane", "fireworks", "hand_saw",
)  # fmt: skip
# Folders of the original ESC-10 release and the same categories' names in ESC-50.
_FOLDERS = {
    "001 - Dog bark": "dog", "002 - Rain": "rain", "003 - Sea waves": "sea_waves",
    "004 - Baby cry": "crying_baby", "005 - Clock tick": "clock_tick",
    "006 - Person sneeze": "sneezing", "007 - Helicopter": "helicopter",
    "008 - Chainsaw": "chainsaw", "009 - Rooster": "rooster",
    "010 - Fire crackling": "crackling_fire",
}  # fmt: skip
TEN = tuple(_FOLDERS.values())
_FILE = re.compile(r"([1-5])-(\d+)-([A-Z])\.ogg")
_COLUMNS = ("filename", "fold", "category", "esc10", "src_file")
_LIST = "meta/esc50.csv"


@dataclass(frozen=True)
class Esc50(Reader):
    """2,000 clips of 5 s, 44.1 kHz mono, 50 categories, 5 folds (Piczak, ACM MM 2015).

    The group is the Freesound recording that a clip was cut from. Four recordings (131943, 134049,
    209698, 234879) were cut into two categories each, which lie in two folds: the official folds
    are kept as they are, so these are on both sides of a split.

    missing: ``error`` when a listed recording is not there, or ``skip`` it with a note.

    Home github.com/karolpiczak/ESC-50; 600 MB; CC BY-NC 3.0. Source: Piczak, ACM Multimedia 2015.
    """

    missing: str = "error"

    corpus: ClassVar[str] = "esc50"
    folder: ClassVar[str] = "ESC-50"
    home: ClassVar[str] = "https://github.com/karolpiczak/ESC-50"
    licence: ClassVar[str] = "CC BY-NC 3.0"
    size: ClassVar[str] = "2,000 wav, 600 MB"
    citation: ClassVar[str] = (
        "Piczak: ESC: Dataset for Environmental Sound Classification, ACM Multimedia 2015"
    )

    def __post_init__(self) -> None:
        choice(self.missing, MISSING, "missing")

    @property
    def tasks(self) -> tuple[Task, ...]:
        return (OneOf("category", CATEGORIES),)

    def read(self, root: Path) -> ClipTable:
        clips, notes = _listed(
            root, self.corpus, "category", records(root / _LIST, _COLUMNS), self.missing
        )
        return ClipTable.of(clips, root, self.tasks, notes=notes)

    @staticmethod
    def miniature(root: Path, seed: int) -> None:
        """Eight categories, in each fold two clips of 1 s; half of them of one recording."""
        lines = []
        for index, name in enumerate(_HEARD):
            for number in range(10):
                fold, source, take = _cut(index, number)
                target = CATEGORIES.index(name)
                file = f"{fold}-{source}-{take}-{target}.wav"
                write_wav(root / "audio" / file, _wave(name, file, seed), 44_100)
                lines.append(f"{file},{fold},{target},{name},{name in TEN},{source},{take}")
        (root / "meta").mkdir(parents=True, exist_ok=True)
        header = "filename,fold,target,category,esc10,src_file,take"
        (root / _LIST).write_text("".join(f"{line}\n" for line in [header, *lines]))


@dataclass(frozen=True)
class Esc10(Reader):
    """400 clips of 10 categories, the CC BY part of ESC-50 (Piczak, ACM MM 2015).

    Reads both releases: the rows of ESC-50's list that are marked, or where there is no list the
    original folders ``001 - Dog bark`` of Ogg files. Categories have ESC-50's names either way.

    missing: as for `Esc50`; the original release has no list, so nothing can be missing from it.

    Home as for `Esc50`, 600 MB, or doi.org/10.7910/DVN/YDEPUT; CC BY 3.0. Source: Piczak, ACM
    Multimedia 2015.
    """

    missing: str = "error"

    corpus: ClassVar[str] = "esc10"
    folder: ClassVar[str] = "ESC-10"
    home: ClassVar[str] = (
        "https://github.com/karolpiczak/ESC-50 (marked rows) or "
        "https://doi.org/10.7910/DVN/YDEPUT (original)"
    )
    licence: ClassVar[str] = "CC BY 3.0"
    size: ClassVar[str] = "400 clips of the 2,000 of ESC-50 (600 MB)"
    citation: ClassVar[str] = (
        "Piczak: ESC: Dataset for Environmental Sound Classification, ACM Multimedia 2015"
    )
    published: ClassVar[Published] = Published(listed=False)  # the original release has no list

    def __post_init__(self) -> None:
        choice(self.missing, MISSING, "missing")

    @property
    def tasks(self) -> tuple[Task, ...]:
        return (OneOf("category10", TEN),)

    def locate(self, data: Path) -> Path:
        both = data / Esc50.folder
        return both if both.is_dir() and not (data / self.folder).is_dir() else super().locate(data)

    def read(self, root: Path) -> ClipTable:
        if not (root / _LIST).is_file():
            clips = [_original(root, self.corpus, name) for name in audio_files(root, (".ogg",))]
            return ClipTable.of(clips, root, self.tasks)
        table = records(root / _LIST, _COLUMNS)
        marked = [row for row in table if _marked(row)]
        clips, notes = _listed(
            root,
            self.corpus,
            "category10",
            marked,
            self.missing,
            [row["filename"] for row in table],
        )
        return ClipTable.of(clips, root, self.tasks, notes=notes)

    @staticmethod
    def miniature(root: Path, seed: int) -> None:
        """The original release: six categories, in each fold two Ogg files of 1 s."""
        folders = {name: folder for folder, name in _FOLDERS.items()}
        for index, name in enumerate(n for n in _HEARD if n in TEN):
            for number in range(10):
                fold, source, take = _cut(index, number)
                file = f"{fold}-{source}-{take}.ogg"
                write_wav(root / folders[name] / file, _wave(name, file, seed), 44_100, "VORBIS")


def _listed(
    root: Path,
    corpus: str,
    task: str,
    table: list[Record],
    missing: str,
    known: Iterable[str] = (),
) -> tuple[list[Clip], tuple[str, ...]]:
    """Clips of rows of ESC-50's list; `known` names files that are no news either."""
    rows = once(table, lambda row: f"audio/{row['filename']}")
    left = {f"audio/{name}" for name in known} - set(rows)
    present = {f"audio/{name}" for name in audio_files(root / "audio")} - left
    kept, notes = keep(rows, present, root, _LIST, missing)
    clips = []
    for name in sorted(kept):
        row = rows[name]
        category = label(row["category"], CATEGORIES, row)
        clips.append(
            Clip(
                clip_id(corpus, name),
                name,
                (f"freesound:{row['src_file']}",),
                {task: category},
                fold=_fold(row),
            )
        )
    return clips, notes


def _fold(row: Record) -> int:
    if row["fold"] not in ("1", "2", "3", "4", "5"):
        raise ReaderError(
            f"{row.where}: fold is {row['fold']!r}, expected 1 to 5. Restore the file."
        )
    return int(row["fold"])


def _marked(row: Record) -> bool:
    if row["esc10"] not in ("True", "False"):
        raise ReaderError(
            f"{row.where}: esc10 is {row['esc10']!r}, expected True or False. Restore the file."
        )
    return row["esc10"] == "True"


def _original(root: Path, corpus: str, audio: str) -> Clip:
    folder, _, file = audio.rpartition("/")
    match = _FILE.fullmatch(file)
    if folder not in _FOLDERS or not match:
        raise ReaderError(
            f"{root / audio}: expected <fold>-<Freesound id>-<take>.ogg in one of "
            f"the folders {', '.join(_FOLDERS)}. Unpack the corpus again."
        )
    return Clip(
        clip_id(corpus, audio),
        audio,
        (f"freesound:{match[2]}",),
        {"category10": _FOLDERS[folder]},
        fold=int(match[1]),
    )


# Categories of the miniatures and the everyday sounds they are made of; the first six are in
# both ESC-50 and ESC-10.
_HEARD = {
    "dog": "dog",
    "rain": "rain",
    "crying_baby": "crying",
    "clock_tick": "clock tick",
    "chainsaw": "chainsaw",
    "rooster": "rooster",
    "coughing": "cough",
    "door_wood_knock": "knock",
}


def _cut(index: int, number: int) -> tuple[int, int, str]:
    """Fold, Freesound id and take of clip `number` of a category.

    Every second category has two takes of one recording; the cough of the miniature of
    FSDKaggle2018 comes from one of these recordings.
    """
    fold, second = number // 2 + 1, number % 2
    shared = index % 2 == 0
    source = 100_000 + 100 * index + number - (second if shared else 0)
    return fold, 200_400 if (index, fold) == (6, 2) else source, "AB"[second] if shared else "A"


def _wave(name: str, file: str, seed: int) -> Floats:
    rng = generator(seed, "esc", file.rpartition(".")[0])
    heard = event(everyday(_HEARD[name]), 1.0, 44_100, rng)
    behind = noise(float(rng.uniform(-6, 0)), 1.0, 44_100, rng)
    level = rng.uniform(0.05, 0.5)  # the quietest lie below the noise
    return np.asarray(rng.uniform(0.6, 1.2) * (level * heard + behind), np.float32)

"""What Tampere's corpora of scenes and events share: parts, folds, lists, recording ids.

One recording (``b020``) was cut into pieces (``audio/b020_90_100.wav``) for several corpora: TUT
Acoustic Scenes 2016 and 2017 and the backgrounds of TUT Rare Sound Events 2017 (and by its name
also TUT Sound Events). Its group is ``tut:b020`` in all of them, so a leak between them is seen.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import Any

from raymtl.errors import ReaderError
from raymtl.reading.clips import Clip, ClipTable
from raymtl.reading.listed import MISSING, choice, clip_id, folds_of, keep, label
from raymtl.reading.synthesis import generator, place, scene, write_wav
from raymtl.reading.tables import Row, audio_files, rows
from raymtl.tasks import Task

LICENCE = "TUT agreement, non-commercial use"
CITATION = (
    "Mesaros, Heittola, Virtanen: TUT Database for Acoustic Scene Classification and Sound "
    "Event Detection, EUSIPCO 2016"
)
PARTS = ("development", "evaluation", "both")
FOLDS = (1, 2, 3, 4)
SCENES = ("beach", "bus", "cafe/restaurant", "car", "city_center", "forest_path",
          "grocery_store", "home", "library", "metro_station", "office", "park",
          "residential_area", "train", "tram")  # fmt: skip


@dataclass(frozen=True)
class Piece:
    """What the metadata says of one audio file."""

    groups: tuple[str, ...]
    targets: Mapping[str, Any] = field(default_factory=dict)
    split: str | None = None
    fold: int | None = None

    def clip(self, corpus: str, audio: str) -> Clip:
        return Clip(
            clip_id(corpus, audio),
            audio,
            self.groups,
            self.targets,
            split=self.split,
            fold=self.fold,
        )


def check(part: str, missing: str, parts: Sequence[str] = PARTS) -> None:
    """Refuses fields of a reader that are none of the allowed values.

    Raises:
        StudyError: naming them.
    """
    choice(part, parts, "part")
    choice(missing, MISSING, "missing")


def gather(
    root: Path, base: Path, pieces: Mapping[str, Piece], corpus: str, missing: str
) -> tuple[list[Clip], tuple[str, ...]]:
    """Clips of the pieces whose files lie below `base`, itself below `root`, and notes.

    Raises:
        ReaderError: for files that are missing, unless they are to be skipped.
    """
    kept, notes = keep(pieces, audio_files(base), base, "the metadata", missing)
    inside = base.relative_to(root)
    return [pieces[name].clip(corpus, (inside / name).as_posix()) for name in sorted(kept)], notes


def lines(base: Path, name: str, widths: Sequence[int] = (1, 2, 3)) -> list[Row]:
    """Rows of a list in ``evaluation_setup``; none where there is no such file."""
    path = base / "evaluation_setup" / name
    return rows(path, "\t", widths) if path.is_file() else []


def listing(path: Path, header: Sequence[str], widths: Sequence[int]) -> list[Row]:
    """Rows of a table with tabs below its header, whose names begin as `header` does.

    Raises:
        ReaderError: for another header, or no rows.
    """
    top, *body = rows(path, "\t", widths)
    if top.cells != tuple(header[: len(top)]) or not body:
        raise ReaderError(
            f"{top.where}: begins with {top.cells!r:.200} and has {len(body)} rows below, expected "
            f"columns {', '.join(header)} and a row a file. Restore it from the corpus."
        )
    return body


def first_of(base: Path, names: Sequence[str], widths: Sequence[int] = (1, 2, 3)) -> list[Row]:
    """Rows of the first of two lists that say the same.

    Raises:
        ReaderError: when there is neither.
    """
    found = next((rows_ for name in names if (rows_ := lines(base, name, widths))), [])
    if not found:
        raise ReaderError(
            f"{base}: neither {' nor '.join(names)} in evaluation_setup. "
            "Unpack the corpus's meta archive."
        )
    return found


def recording(name: str) -> str:
    """``b020`` of ``audio/b020_90_100.wav``."""
    return PurePosixPath(name).stem.split("_")[0]


def scenes(listed: Iterable[Row], labels: Sequence[str] = SCENES) -> dict[str, str]:
    """Scene of each file that has one.

    Raises:
        ReaderError: for an unknown scene, or two scenes for one file.
    """
    found: dict[str, str] = {}
    for row in listed:
        if len(row) > 1:
            name = label(row[1].strip(), labels, row.where)
            if found.setdefault(row[0], name) != name:
                raise ReaderError(
                    f"{row.where}: {row[0]} is {name!r} here and "
                    f"{found[row[0]]!r} before. Restore the lists."
                )
    return found


@dataclass(frozen=True)
class SceneCorpus:
    """One release of TUT Acoustic Scenes.

    seconds: length of a piece. hidden: group of evaluation files that no list leads back to a
        recording. own_groups: whether ``meta.txt`` has a third column with the recording.
    """

    corpus: str
    folder: str
    seconds: int
    hidden: str
    own_groups: bool

    def read(self, root: Path, part: str, missing: str, tasks: Sequence[Task]) -> ClipTable:
        """The clip table of one part or both.

        Raises:
            ReaderError: for lists that are missing, mangled or at odds, and for missing files.
        """
        clips: list[Clip] = []
        notes: tuple[str, ...] = ()
        if part != "evaluation":
            base = root / f"{self.folder}-development"
            pieces = _development(base, part == "development")
            clips, notes = gather(root, base, pieces, self.corpus, missing)
        if part != "development":
            base = root / f"{self.folder}-evaluation"
            found, said = gather(root, base, _evaluation(base, self.hidden), self.corpus, missing)
            clips, notes = clips + found, notes + said
        return ClipTable.of(clips, root, tasks, notes=notes)

    def miniature(self, root: Path, seed: int) -> None:
        """Six scenes, each eight recordings in 12 pieces of 1 s; a ninth one to evaluate on."""
        made: list[_Line] = []
        for index, name in enumerate(_IN_MINIATURE):
            for number in range(9):
                identifier = f"{'ab'[number % 2]}{10 * index + number + 21:03d}"
                starts = (0, 3 * self.seconds) if self.seconds == 30 else (0, 90)
                for start in starts if number % 8 < 4 else (30,):
                    piece = f"audio/{identifier}_{start}_{start + self.seconds}.wav"
                    made.append(_Line(piece, name, identifier, number))
        base = root / f"{self.folder}-development"
        _write_development(base, [x for x in made if x.number < 8], seed, self.own_groups)
        base = root / f"{self.folder}-evaluation"
        _write_evaluation(base, [x for x in made if x.number == 8], seed)


def _development(base: Path, with_folds: bool) -> dict[str, Piece]:
    """Pieces by file; with folds, or else as the training part."""
    lists = {
        kind: {fold: lines(base, f"fold{fold}_{kind}.txt") for fold in FOLDS}
        for kind in ("train", "evaluate", "test")
    }
    tests = {
        fold: first_of(base, (f"fold{fold}_evaluate.txt", f"fold{fold}_test.txt")) for fold in FOLDS
    }
    fold_of = folds_of(tests, lists["train"])
    listed = [row for kind in lists.values() for found in kind.values() for row in found]
    meta = base / "meta.txt"
    labelled = rows(meta, "\t", (2, 3)) if meta.is_file() else listed
    scene_of = scenes(labelled)
    recordings = {row[0]: row[2] for row in labelled if len(row) > 2}
    return {
        name: Piece(
            (f"tut:{recordings.get(name) or recording(name)}",),
            _target(scene_of, name),
            None if with_folds else "train",
            fold_of.get(name) if with_folds else None,
        )
        for name in dict.fromkeys([*scene_of, *fold_of])
    }


def _target(scene_of: Mapping[str, str], name: str) -> dict[str, str]:
    return {"scene": scene_of[name]} if name in scene_of else {}


def _evaluation(base: Path, hidden: str) -> dict[str, Piece]:
    """Pieces by file. Names are anonymous; ``map.txt`` tells the recording where it is there."""
    first_of(base, ("evaluate.txt", "test.txt"))
    listed = lines(base, "test.txt") + lines(base, "evaluate.txt")
    scene_of = scenes(listed)
    original = _originals(lines(base, "map.txt"), {row[0] for row in listed})
    return {
        row[0]: Piece(
            (f"tut:{_source(row[0], original, hidden)}",), _target(scene_of, row[0]), "test"
        )
        for row in listed
    }


def _source(name: str, original: Mapping[str, str], hidden: str) -> str:
    if name in original:
        return recording(original[name])
    return f"{hidden}/{PurePosixPath(name).stem}"


def _originals(mapping: Iterable[Row], listed: set[str]) -> dict[str, str]:
    """Original by anonymous name; copies of ``map.txt`` differ in which comes first."""
    return {
        row[0] if row[0] in listed else row[1]: row[1] if row[0] in listed else row[0]
        for row in mapping
        if len(row) > 1
    }


_IN_MINIATURE = ("beach", "bus", "cafe/restaurant", "home", "office", "park")


@dataclass(frozen=True)
class _Line:
    """A piece of the miniature and its recording, `number` of its scene."""

    piece: str
    scene: str
    recording: str
    number: int


def _write_piece(path: Path, line: _Line, seed: int) -> None:
    """1 s of a scene; recordings of one scene differ a little in colour and hum."""
    own = generator(seed, "recording", line.scene, line.recording)
    where = place(SCENES.index(line.scene), len(SCENES))
    where = replace(
        where,
        tilt=where.tilt + own.uniform(-4.0, 4.0),
        often=2 * where.often,
        hum=where.hum * own.uniform(0.7, 1.4),
    )
    rng = generator(seed, "scene", line.scene, path.name)
    write_wav(path, scene(where, 1.0, 44_100, rng, channels=2), 44_100, "PCM_24")


def write(path: Path, content: Iterable[str], end: str = "\n") -> None:
    """Writes lines with a given line end; folders are made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes("".join(line + end for line in content).encode())


def _write_development(base: Path, made: list[_Line], seed: int, own_groups: bool) -> None:
    setup = base / "evaluation_setup"
    for x in made:
        _write_piece(base / x.piece, x, seed)
    write(
        base / "meta.txt",
        [f"{x.piece}\t{x.scene}" + f"\t{x.recording}" * own_groups for x in made],
    )
    for fold in FOLDS:
        tested = [x for x in made if x.number % 4 + 1 == fold]
        trained = [x for x in made if x.number % 4 + 1 != fold]
        write(setup / f"fold{fold}_evaluate.txt", [f"{x.piece}\t{x.scene}" for x in tested])
        write(setup / f"fold{fold}_test.txt", [x.piece for x in tested])
        write(setup / f"fold{fold}_train.txt", [f"{x.piece}\t{x.scene}" for x in trained])


def _write_evaluation(base: Path, made: list[_Line], seed: int) -> None:
    setup = base / "evaluation_setup"
    hidden = {x.piece: f"audio/{number}.wav" for number, x in enumerate(made)}
    for x in made:
        _write_piece(base / hidden[x.piece], x, seed)
    write(setup / "test.txt", [hidden[x.piece] for x in made])
    write(setup / "evaluate.txt", [f"{hidden[x.piece]}\t{x.scene}" for x in made])
    write(setup / "map.txt", [f"{x.piece}\t{hidden[x.piece]}" for x in made])

"""TUT Sound Events 2017, street (DCASE 2017, task 3): what is heard when, several at a time."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, ClassVar

import numpy as np

from raymtl.errors import ReaderError
from raymtl.reading.clips import EVENTS, Clip, ClipTable
from raymtl.reading.listed import folds_of, keep, label, number
from raymtl.reading.reader import Published, Reader
from raymtl.reading.synthesis import Floats, Place, event, generator, scene, sound, write_wav
from raymtl.reading.tables import Row, audio_files, rows
from raymtl.tasks import AnyOf, Task
from readers.tut import CITATION, FOLDS, LICENCE, Piece, check, first_of, lines, write

LABELS = (
    "brakes squeaking",
    "car",
    "children",
    "large vehicle",
    "people speaking",
    "people walking",
)
_DEVELOPMENT = "TUT-sound-events-2017-development"
_EVALUATION = "TUT-sound-events-2017-evaluation"
# Cells that hold onset, offset and label, by the number of cells: .ann files of 3 and 7 columns,
# meta.txt with 6, fold lists with 5. Rows of 1 or 2 cells name a recording and no event.
_AT = {3: 0, 5: 2, 6: 2, 7: 2}
_WIDTHS = (1, 2, *_AT)


@dataclass(frozen=True)
class Dcase2017Events(Reader):
    """Six kinds of sound in street recordings of 3-5 minutes, binaural, 44.1 kHz, 24 bit.

    One clip is one recording, its target the events in time; the study's signal cuts it into
    segments, and the labels of a segment are those of the events that touch it. The group is the
    recording, ``tut:a001``, as in other TUT corpora.

    part: ``development`` with its four folds; ``evaluation``, as the official test part; or
        ``both``, development as the training part.
    verified: False for the annotations before their verification (development only).
    missing: ``error`` when a listed recording is not there, or ``skip`` it with a note.

    Zenodo 814831 and 1040179, 1.3 + 0.4 GB, TUT agreement for non-commercial use. Source: Mesaros,
    Heittola & Virtanen, EUSIPCO 2016.
    """

    part: str = "development"
    verified: bool = True
    missing: str = "error"

    corpus: ClassVar[str] = "tutevents2017"
    folder: ClassVar[str] = "TUT-sound-events-2017"
    home: ClassVar[str] = (
        "https://zenodo.org/records/814831 (development) and "
        "https://zenodo.org/records/1040179 (evaluation), unpacked side by side in it"
    )
    licence: ClassVar[str] = LICENCE
    size: ClassVar[str] = "24 + 8 recordings, 1.3 + 0.4 GB"
    citation: ClassVar[str] = CITATION
    published: ClassVar[Published] = Published(redundant=True)

    def __post_init__(self) -> None:
        check(self.part, self.missing)

    @property
    def tasks(self) -> tuple[Task, ...]:
        return (AnyOf("events", LABELS),)

    def read(self, root: Path) -> ClipTable:
        clips: list[Clip] = []
        notes: tuple[str, ...] = ()
        if self.part != "evaluation":
            clips, notes = self._development(root, root / _DEVELOPMENT)
        if self.part != "development":
            found, said = self._evaluation(root, root / _EVALUATION)
            clips, notes = clips + found, notes + said
        return ClipTable.of(clips, root, self.tasks, {"events": EVENTS}, notes)

    def _development(self, root: Path, base: Path) -> tuple[list[Clip], tuple[str, ...]]:
        tests = {
            fold: first_of(
                base, (f"street_fold{fold}_test.txt", f"street_fold{fold}_evaluate.txt"), _WIDTHS
            )
            for fold in FOLDS
        }
        trains = {fold: lines(base, f"street_fold{fold}_train.txt", _WIDTHS) for fold in FOLDS}
        fold_of = folds_of(tests, trains)
        folds = fold_of if self.part == "development" else {}
        names = [*fold_of, *(row[0] for found in trains.values() for row in found)]
        split = "train" if self.part == "both" else None
        return self._clips(root, base, names, folds, split)

    def _evaluation(self, root: Path, base: Path) -> tuple[list[Clip], tuple[str, ...]]:
        listed = first_of(base, ("street_test.txt", "street_evaluate.txt"), _WIDTHS)
        return self._clips(root, base, [row[0] for row in listed], {}, "test")

    def _clips(
        self,
        root: Path,
        base: Path,
        names: Iterable[str],
        folds: Mapping[str, int],
        split: str | None,
    ) -> tuple[list[Clip], tuple[str, ...]]:
        kept, notes = keep(set(names), audio_files(base), base, "the fold lists", self.missing)
        listed = _by_file(base)
        clips = [self._clip(base, name, listed, folds.get(name), split) for name in sorted(kept)]
        bare = sum(not clip.targets for clip in clips)
        if bare:
            notes += (f"{bare} recordings of {base.name} have no annotation",)
        return clips, notes

    def _clip(
        self,
        base: Path,
        name: str,
        listed: Mapping[str, list[Row]],
        fold: int | None,
        split: str | None,
    ) -> Clip:
        found = self._annotation(base, name, listed)
        targets = {} if found is None else {"events": _events(found)}
        piece = Piece((f"tut:{PurePosixPath(name).stem}",), targets, split, fold)
        return piece.clip(self.corpus, f"{base.name}/{name}")

    def _annotation(
        self, base: Path, name: str, listed: Mapping[str, list[Row]]
    ) -> list[Row] | None:
        """Rows of the recording: its .ann file, or else the tables; None where there are none."""
        inside = PurePosixPath(name).relative_to("audio").with_suffix(".ann")
        where = base / "meta" if self.verified else base / "non_verified" / "meta"
        path = where / inside
        if path.is_file():
            return rows(path, "\t", tuple(_AT)) if path.read_bytes().strip() else []
        if not self.verified and base.name == _DEVELOPMENT:
            raise ReaderError(
                f"{path}: not found. Unpack the corpus's non-verified annotations, "
                "or use verified=True."
            )
        return listed.get(name)

    @staticmethod
    def miniature(root: Path, seed: int) -> None:
        """12 recordings of 10.4 s for four folds and three of 6.2 s to evaluate on."""
        names = [f"{'ab'[index % 2]}{index + 1:03d}" for index in range(15)]
        takes = {
            name: _composed(index, 10.4 if index < 12 else 6.2, seed)
            for index, name in enumerate(names)
        }
        _write_development(root / _DEVELOPMENT, {name: takes[name] for name in names[:12]}, seed)
        _write_evaluation(root / _EVALUATION, {name: takes[name] for name in names[12:]}, seed)


def _by_file(base: Path) -> dict[str, list[Row]]:
    """Rows with events by file: from ``meta.txt``, or else from the first lists that have them."""
    meta = base / "meta.txt"
    found = [rows(meta, "\t", (2, 5, 6, 7))] if meta.is_file() else [
        [row for fold in FOLDS for row in lines(base, f"street_fold{fold}_evaluate.txt", _WIDTHS)],
        lines(base, "street_evaluate.txt", _WIDTHS),
    ]  # fmt: skip
    by_file: dict[str, list[Row]] = {}
    for row in (row for listed in found for row in listed):
        by_file.setdefault(row[0], [])
        if len(row) in _AT:
            by_file[row[0]].append(row)
    return by_file


def _events(listed: Iterable[Row]) -> list[dict[str, Any]]:
    """Events in order of their onset, seconds.

    Raises:
        ReaderError: for a label that is not declared, or times that are none.
    """
    events = []
    for row in listed:
        at = _AT[len(row)]
        start, end = (number(row[at + i], row.where, w) for i, w in enumerate(("onset", "offset")))
        if not 0 <= start <= end:
            raise ReaderError(
                f"{row.where}: an event from {start} to {end} s; expected an onset "
                "of at least 0 and no later than the offset. Restore the file."
            )
        name = label(row[at + 2].strip(), LABELS, row.where)
        events.append({"start": start, "end": end, "label": name})
    return sorted(events, key=lambda e: (e["start"], e["end"], e["label"]))


@dataclass(frozen=True)
class _Take:
    """A synthetic recording: its length and (onset, offset, label) of its events."""

    seconds: float
    events: tuple[tuple[float, float, str], ...]


# The sounds are those that fill the scenes of the acoustic scenes' miniature.
_SOUND = dict(zip(LABELS, (10, 1, 0, 7, 2, 11), strict=True))


def _composed(index: int, seconds: float, seed: int) -> _Take:
    """Four kinds of sound in turn, some of them at the same time."""
    rng = generator(seed, "take", index)
    events, onset = [], float(rng.uniform(0.2, 1.0))
    for step in range(12):
        length = float(rng.uniform(0.9, 2.6))
        if onset + length > seconds:
            break
        events.append((round(onset, 6), round(onset + length, 6), LABELS[(index + step) % 6]))
        onset += length * float(rng.uniform(0.5, 1.2))
    return _Take(seconds, tuple(events))


def _sounding(take: _Take, rng: np.random.Generator) -> Floats:
    """Waveform of a take, (2, samples): a street's noise and the events, each at one place."""
    street = Place(-5.0 + rng.uniform(-0.7, 0.7), 80.0, 0.02, sound(3, 15), 0.0)
    wave = 0.6 * scene(street, take.seconds, 44_100, rng, channels=2)
    for start, end, name in take.events:
        heard = event(sound(_SOUND[name], 15), end - start, 44_100, rng)
        at = round(start * 44_100)
        loud = rng.uniform(0.08, 0.5) * rng.uniform(0.5, 1.0, (2, 1))
        wave[:, at : at + heard.size] += loud * heard[: wave.shape[1] - at]
    return wave


def _write_takes(base: Path, takes: Mapping[str, _Take], seed: int) -> None:
    for name, take in takes.items():
        wave = _sounding(take, generator(seed, "street", name))
        write_wav(base / "audio" / "street" / f"{name}.wav", wave, 44_100, "PCM_24")


def _write_development(base: Path, takes: Mapping[str, _Take], seed: int) -> None:
    """CRLF and seven columns where the corpus has them; LF and three in the unverified files."""
    _write_takes(base, takes, seed)
    cells = {
        n: [f"audio/street/{n}.wav\tstreet\t{s}\t{e}\t{x}" for s, e, x in take.events]
        for n, take in takes.items()
    }
    for name, take in takes.items():
        rough = [f"{s:.6f}\t{e:.6f}\t{x}" for s, e, x in take.events]
        write(base / "non_verified" / "meta" / "street" / f"{name}.ann", rough)
        full = [f"{line}\tmixture\t{name}" for line in cells[name]]
        write(base / "meta" / "street" / f"{name}.ann", full, "\r\n")
    write(base / "meta.txt", [f"{line}\tm" for found in cells.values() for line in found])
    for fold in FOLDS:
        tested = [name for index, name in enumerate(takes) if index % 4 + 1 == fold]
        setup = base / "evaluation_setup"
        test = [f"audio/street/{name}.wav\tstreet" for name in tested]
        write(setup / f"street_fold{fold}_test.txt", test, "\r\n")
        truth = [line for name in tested for line in cells[name]]
        write(setup / f"street_fold{fold}_evaluate.txt", truth)
        train = [line for name in takes if name not in tested for line in cells[name]]
        write(setup / f"street_fold{fold}_train.txt", train)


def _write_evaluation(base: Path, takes: Mapping[str, _Take], seed: int) -> None:
    _write_takes(base, takes, seed)
    for name, take in takes.items():
        lines = [f"{s:.6f}\t{e:.6f}\t{x}" for s, e, x in take.events]
        write(base / "meta" / "street" / f"{name}.ann", lines)
    test = [f"audio/street/{name}.wav\tstreet" for name in takes]
    write(base / "evaluation_setup" / "street_test.txt", test, "\r\n")
    truth = [
        f"audio/street/{name}.wav\tstreet\t{s}\t{e}\t{x}"
        for name, take in takes.items()
        for s, e, x in take.events
    ]
    write(base / "evaluation_setup" / "street_evaluate.txt", truth)

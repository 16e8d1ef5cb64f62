"""Grammar of TAU Urban Acoustic Scenes: lists with headers, one fold, names that say all."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import numpy as np

from raymtl.errors import ReaderError
from raymtl.reading.clips import Clip, ClipTable
from raymtl.reading.listed import choice, folds_of, label
from raymtl.reading.synthesis import Floats, event, generator, place, scene, sound, write_wav
from raymtl.reading.tables import Row
from raymtl.tasks import Task
from readers.tut import Piece, check, gather, listing, write

SCENES = (
    "airport", "bus", "metro", "metro_station", "park", "public_square", "shopping_mall",
    "street_pedestrian", "street_traffic", "tram",
)  # fmt: skip
# The last two are heard in the evaluation parts only, whose cities are not published.
CITIES = ("barcelona", "helsinki", "lisbon", "london", "lyon", "milan", "paris", "prague",
          "stockholm", "vienna", "amsterdam", "madrid")  # fmt: skip
# Real devices a-d, simulated ones s1-s11; d and s7-s11 in the evaluation part only.
DEVICES = (*"abcd", *(f"s{number}" for number in range(1, 12)))
ALSO = ("city", "device")
_NAME = re.compile(r"audio/([a-z_]+)-([a-z]+)-(\d+)-(\d+)-([a-z]\d*)\.wav")
_HEADERS = ("filename", "scene_label", "identifier", "source_label")


@dataclass(frozen=True)
class UrbanCorpus:
    """One release. `lists` names the evaluation list and its truth, by part."""

    corpus: str
    folder: str
    lists: Mapping[str, tuple[str, str]]
    devices: bool

    def check(self, part: str, also: tuple[str, ...], missing: str) -> None:
        """Refuses fields of a reader that are none of the allowed values.

        Raises:
            StudyError: naming them.
        """
        check(part, missing, ("development", *self.lists, "both"))
        for kind in also:
            choice(kind, ALSO, "also")

    def read(
        self,
        root: Path,
        part: str,
        also: tuple[str, ...],
        missing: str,
        tasks: tuple[Task, ...],
    ) -> ClipTable:
        """Clips of the parts asked for; ``both`` is development and evaluation."""
        clips: list[Clip] = []
        notes: tuple[str, ...] = ()
        for name in ("development", "evaluation") if part == "both" else (part,):
            base = root / f"{self.folder}-{name}"
            pieces, said = (
                _development(base, part == "development", also, self.devices)
                if name == "development"
                else (self._hidden(base, name), ())
            )
            found, told = gather(root, base, pieces, self.corpus, missing)
            clips, notes = clips + found, (*notes, *said, *told)
        return ClipTable.of(clips, root, tasks, notes=notes)

    def miniature(self, root: Path, seed: int) -> None:
        """Five scenes in four cities, one of them for testing only; pieces of 0.6 s."""
        made = [
            _Heard(name, city, 24 * SCENES.index(name) + 2 * CITIES.index(city) + place_)
            for name in _IN_MINIATURE for city in _CITIES for place_ in range(2)
        ]  # fmt: skip
        _write_development(root / f"{self.folder}-development", made, seed, self.devices)
        for part, (test, _) in self.lists.items():
            base = root / f"{self.folder}-{part}"
            for number, x in enumerate(made[:3]):
                _write_wave(base / "audio" / f"{number}.wav", x, "a", seed, self.devices, part)
            names = [f"audio/{number}.wav" for number in range(3)]
            write(base / "evaluation_setup" / test, ["filename", *names], "\r\n")

    def _hidden(self, base: Path, part: str) -> dict[str, Piece]:
        """Anonymous pieces; their scenes where the truth was put beside the list."""
        test, truth = self.lists[part]
        listed = _listed(base, test, required=True)
        scenes = {row[0]: _scene(row) for row in _listed(base, truth) if len(row) > 1}
        return {
            row[0]: Piece(
                (f"tau:{self.corpus}-{part}/{PurePosixPath(row[0]).stem}",),
                {"scene": scenes[row[0]]} if row[0] in scenes else {},
                "test",
            )
            for row in listed
        }


def _listed(base: Path, name: str, required: bool = False) -> list[Row]:
    """Rows of a list in ``evaluation_setup`` below its header.

    Raises:
        ReaderError: for another header, or where a required list is not there.
    """
    path = base / "evaluation_setup" / name
    if not path.is_file() and not required:
        return []
    return listing(path, _HEADERS, (1, 2, 3, 4))


def _scene(row: Row) -> str:
    return label(row[1].strip(), SCENES, row.where)


def _development(
    base: Path, with_split: bool, also: tuple[str, ...], devices: bool
) -> tuple[dict[str, Piece], tuple[str, ...]]:
    """Pieces of ``meta.csv`` with the official split of its one fold, or all as training part."""
    meta = listing(base / "meta.csv", _HEADERS, (4,))
    tested = _listed(base, "fold1_evaluate.csv") or _listed(base, "fold1_test.csv", required=True)
    trained = _listed(base, "fold1_train.csv", required=True)
    folds_of({1: tested}, {1: trained})
    split = {row[0]: "train" for row in trained} | {row[0]: "test" for row in tested}
    pieces = {
        row[0]: _piece(row, split.get(row[0]) if with_split else "train", also, devices)
        for row in meta
    }
    lost = sorted(set(split) - set(pieces))
    if lost:
        raise ReaderError(
            f"{base / 'meta.csv'}: no row of {lost[0]} ({len(lost)} such files in the fold lists). "
            "Restore the lists from the corpus."
        )
    unused = len(pieces) - len(split)
    said = (f"{unused} pieces of {base.name} are in neither list of its fold, as published",)
    return pieces, said if with_split and unused else ()


def _piece(row: Row, split: str | None, also: tuple[str, ...], devices: bool) -> Piece:
    """A piece whose name says scene, city, location, segment and device, as its row does.

    Raises:
        ReaderError: when the name is another, or at odds with its row.
    """
    match = _NAME.fullmatch(row[0])
    if not match:
        raise ReaderError(
            f"{row.where}: file {row[0]!r}, expected audio/<scene>-<city>-<location>-<segment>-"
            "<device>.wav. Restore the list from the corpus."
        )
    name, city, location, _, device = match.groups()
    if row.cells[1:] != (name, f"{city}-{location}", device):
        raise ReaderError(
            f"{row.where}: {row[0]} is {row[1]!r} at {row[2]!r} by {row[3]!r} here. "
            "Restore the list from the corpus."
        )
    targets = {"scene": _scene(row), "city": label(city, CITIES, row.where)}
    if devices:
        targets["device"] = label(device, DEVICES, row.where)
    groups = {"city": f"city:tau/{city}", "device": f"device:tau/{device}"}
    return Piece((f"tau:{city}-{location}", *(groups[kind] for kind in also)), targets, split)


_IN_MINIATURE = ("airport", "bus", "metro_station", "park", "tram")
_CITIES = ("barcelona", "helsinki", "lyon", "milan")  # Milan tests only


@dataclass(frozen=True)
class _Heard:
    """A place of the miniature; its first digit is even where it trains."""

    scene: str
    city: str
    location: int

    def stem(self, device: str) -> str:
        return f"{self.scene}-{self.city}-{self.location}-{10 * self.location}-{device}"


def _write_development(base: Path, made: list[_Heard], seed: int, devices: bool) -> None:
    """CRLF in 2019, as published; the second Milanese place is in neither list."""
    lists: dict[str, list[str]] = {"train": [], "test": [], "unused": []}
    meta = []
    for number, x in enumerate(made):
        second = number % 2
        part = ("test", "unused")[second] if x.city == "milan" else "train"
        if x.city == "lyon" and second:
            part = "test"
        for device in ("a", ("b", "c", "s1")[number % 3]) if devices else ("a",):
            name = f"audio/{x.stem(device)}.wav"
            _write_wave(base / name, x, device, seed, devices, "development")
            meta.append(f"{name}\t{x.scene}\t{x.city}-{x.location}\t{device}")
            lists[part].append(f"{name}\t{x.scene}")
    end = "\n" if devices else "\r\n"
    write(base / "meta.csv", ["\t".join(_HEADERS), *meta], end)
    setup, pair = base / "evaluation_setup", "filename\tscene_label"
    write(setup / "fold1_train.csv", [pair, *lists["train"]], end)
    write(setup / "fold1_evaluate.csv", [pair, *lists["test"]], end)
    write(setup / "fold1_test.csv", ["filename", *(x.split("\t")[0] for x in lists["test"])], end)


def _write_wave(path: Path, x: _Heard, device: str, seed: int, devices: bool, part: str) -> None:
    rate, channels = (44_100, 1) if devices else (48_000, 2)
    rng = generator(seed, "tau", part, *x.stem(""))
    wave = scene(place(SCENES.index(x.scene), len(SCENES)), 0.6, rate, rng, channels)
    chime = event(sound(4 * CITIES.index(x.city), 4 * len(CITIES)), 0.6, rate, rng)
    wave = _through(device, np.asarray(0.7 * wave + 0.25 * chime, np.float32))
    write_wav(path, wave, rate, "PCM_24")


def _through(device: str, wave: Floats) -> Floats:
    """What a device makes of a sound: a smoothing, a differencing or an echo within 1 ms."""
    if device == "b":
        smooth = np.cumsum(wave, axis=1)
        wave = np.asarray((smooth[:, 12:] - smooth[:, :-12]) / 12, np.float32)
    elif device == "c":
        wave = np.asarray(wave[:, 1:] - 0.95 * wave[:, :-1], np.float32)
    elif device != "a":
        wave = np.asarray(wave[:, 24:] + 0.95 * wave[:, :-24], np.float32)
    return wave

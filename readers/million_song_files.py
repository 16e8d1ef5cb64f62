"""What the files of the Million Song Dataset say: HDF5, SQLite and lists of artists."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from raymtl.errors import DecodingError, ReaderError
from raymtl.extraction.databases import database
from raymtl.extraction.hdf5 import hdf5
from raymtl.reading.tables import audio_files, extra, rows

HOME = "http://millionsongdataset.com"
KEYS = ("C", "C sharp", "D", "D sharp", "E", "F", "F sharp", "G", "G sharp", "A", "A sharp", "B")
LISTS = {"tagging": "Tagging", "year": "YearPrediction"}
_FIELDS = {
    "metadata": ("artist_id", "song_id", "artist_hotttnesss"),
    "analysis": ("track_id", "loudness", "tempo", "key", "mode"),
    "musicbrainz": ("year",),
}
_OF_SONG = tuple(n for names in _FIELDS.values() for n in names if n != "track_id")
_SONG_NAME = re.compile(r"TR[A-Z0-9]{16}\.h5")
_ZERO_IS_UNKNOWN = ("year", "tempo")
_SUMMARY = "msd_summary_file.h5"
_PLACES = ("", "AdditionalFiles", "data", "Tasks_Demos")


@dataclass(frozen=True)
class Source:
    """The file that holds a track, and the official part it says the track is in."""

    file: str
    part: str | None = None


@dataclass(frozen=True)
class Song:
    """What is said of a track. facts: targets; what is unknown is left out. terms: of the artist,
    None where they are not in the same file."""

    artist: str
    song: str
    facts: Mapping[str, Any]
    terms: frozenset[str] | None = None


def songs_of(root: Path) -> tuple[dict[str, Source], tuple[str, ...]]:
    """Tracks with a file of their own, and a note on files that are no songs.

    Raises:
        ReaderError: when there is none, or a track has two.
    """
    present = [name for name in audio_files(root, (".h5",)) if not name.endswith(_SUMMARY)]
    names = [name for name in present if _SONG_NAME.fullmatch(name.split("/")[-1])]
    if not names:
        raise ReaderError(
            f"{root}: no songs such as data/A/A/A/TRAAAAW128F429D538.h5. Unpack the corpus there; "
            f"see {HOME}"
        )
    found = {name.split("/")[-1].removesuffix(".h5"): Source(name) for name in names}
    if len(found) < len(names):
        raise ReaderError(
            f"{root}: {len(names) - len(found)} songs are there twice. Remove copies."
        )
    return found, extra(names, present, "the grammar of track ids")


def lyrics_of(root: Path) -> dict[str, Source]:
    """Tracks with lyrics, each with its part."""
    path = _find(root, "mxm_dataset.db")
    if path is None:
        raise ReaderError(
            f"{root}: no mxm_dataset.db. Get the musiXmatch lyrics from {HOME} and put "
            "the file there or into AdditionalFiles."
        )
    name = path.relative_to(root).as_posix()
    found: dict[str, Source] = {}
    for track, test in _select(path, "SELECT track_id, max(is_test) FROM lyrics GROUP BY track_id"):
        found[str(track)] = Source(name, "test" if test else "train")
    if not found:
        raise ReaderError(f"{path}: holds no lyrics. Restore it from the corpus.")
    return found


def metadata_of(root: Path) -> dict[str, Song]:
    """Tracks of track_metadata.db."""
    path = _find(root, "track_metadata.db", "subset_track_metadata.db")
    if path is None:
        raise ReaderError(
            f"{root}: neither msd_summary_file.h5 nor track_metadata.db (with or without subset_), "
            "here or in AdditionalFiles. They say artist and year of each song."
        )
    query = "SELECT track_id, song_id, artist_id, year, artist_hotttnesss FROM songs"
    return {
        str(track): Song(str(artist), str(song or ""), _facts(year=year, hotttnesss=hot))
        for track, song, artist, year, hot in _select(path, query)
    }


def summary_of(root: Path) -> dict[str, Song]:
    """Tracks of msd_summary_file.h5, one row each in three tables; empty where it is not there."""
    path = _find(root, _SUMMARY, f"subset_{_SUMMARY}")
    if path is None:
        return {}
    with _opened(path) as file:
        counts = [len(file[f"{name}/songs"]) for name in _FIELDS]
        if len(set(counts)) > 1:
            raise ReaderError(f"{path}: {counts} rows in its three tables. Restore it.")
        columns = _columns(file, slice(None))
    tracks, *rest = (columns[name] for name in ("track_id", *_OF_SONG))
    return {_text(t): _of(dict(zip(_OF_SONG, row))) for t, *row in zip(tracks, *rest)}  # noqa: B905


def song_of(path: Path, track: str) -> Song:
    """What a song's own file says.

    Raises:
        ReaderError: also when it is that of another track.
    """
    with _opened(path) as file:
        row = {name: values[0] for name, values in _columns(file, slice(0, 1)).items()}
        terms = frozenset(_text(term) for term in file["metadata/artist_terms"][:])
    if _text(row["track_id"]) != track:
        raise ReaderError(
            f"{path}: holds track {_text(row['track_id'])}, not that of its name. Restore it."
        )
    return _of(row, terms)


def _columns(file: Any, rows: slice) -> dict[str, list[Any]]:
    """What is used of the three tables with one row a song."""
    return {
        name: file[f"{group}/songs"].fields(name)[rows].tolist()
        for group, names in _FIELDS.items()
        for name in names
    }


def _of(row: Mapping[str, Any], terms: frozenset[str] | None = None) -> Song:
    facts = _facts(
        year=row["year"],
        hotttnesss=row["artist_hotttnesss"],
        loudness=row["loudness"],
        tempo=row["tempo"],
    )
    if 0 <= row["key"] < len(KEYS):
        facts["key"] = KEYS[row["key"]]
    if row["mode"] in (0, 1):
        facts["major"] = bool(row["mode"])
    return Song(_text(row["artist_id"]), _text(row["song_id"]), facts, terms)


def _facts(**values: float | None) -> dict[str, Any]:
    """Numbers that are known; 0 stands for unknown in `_ZERO_IS_UNKNOWN` alone."""
    return {
        name: float(value)
        for name, value in values.items()
        if value is not None
        and math.isfinite(value)
        and not (value == 0 and name in _ZERO_IS_UNKNOWN)
    }


def terms_of(root: Path, tags: tuple[str, ...]) -> dict[str, frozenset[str]] | None:
    """Artist -> those of the tags that it was given; artists without any term are not in it.
    None where there is no artist_term.db."""
    path = _find(root, "artist_term.db", "subset_artist_term.db")
    if path is None:
        return None
    found: dict[str, set[str]] = {}
    for (artist,) in _select(path, "SELECT DISTINCT artist_id FROM artist_term"):
        found[str(artist)] = {""}  # some term, whichever
    marks = ", ".join("?" * len(tags))
    query = f"SELECT artist_id, term FROM artist_term WHERE term IN ({marks})"
    for artist, term in _select(path, query, tags):
        found[str(artist)].add(str(term))
    return {artist: frozenset(terms) for artist, terms in found.items()}


def parts_of(root: Path, official: str) -> dict[str, str]:
    """Artist -> part; empty where there are no such lists."""
    parts: dict[str, str] = {}
    for part in ("train", "test") if official in LISTS else ():
        path = _find(root, f"{LISTS[official]}/artists_{part}.txt")
        for row in rows(path, None, (1,)) if path else ():
            if parts.setdefault(row[0], part) != part:
                raise ReaderError(f"{row.where}: artist {row[0]} is in both lists. Restore them.")
    return parts


def _find(root: Path, *names: str) -> Path | None:
    """The first of the files that is there.

    Raises:
        ReaderError: for a link that leads outside the corpus.
    """
    paths = (root / place / name for place in _PLACES for name in names)
    found = next((path for path in paths if path.is_file()), None)
    if found is not None and not found.resolve().is_relative_to(root.resolve()):
        raise ReaderError(
            f"{found}: a link that leads outside the corpus. Copy the file into the corpus, or "
            "link the corpus folder as a whole."
        )
    return found


def _select(path: Path, query: str, values: Sequence[str] = ()) -> list[tuple[Any, ...]]:
    try:
        with database(path) as base:
            return base.execute(query, values).fetchall()
    except DecodingError as error:
        raise ReaderError(f"{path}: {error} Restore it from the corpus.") from error


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    try:
        with hdf5(path) as file:
            yield file
    except DecodingError as error:
        raise ReaderError(f"{path}: {error} Restore it from the corpus.") from error


def _text(value: Any) -> str:
    """A byte string of an HDF5 file."""
    return value.decode("utf-8") if isinstance(value, bytes) else str(value)

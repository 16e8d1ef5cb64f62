"""TAU Urban Acoustic Scenes 2019 and 2020 mobile: ten scenes in European cities."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from raymtl.reading.clips import ClipTable
from raymtl.reading.reader import Published, Reader
from raymtl.tasks import OneOf, Task
from readers.tau import CITIES, DEVICES, SCENES, UrbanCorpus

_URBAN2019 = UrbanCorpus(
    "tau2019",
    "TAU-urban-acoustic-scenes-2019",
    dict.fromkeys(("leaderboard", "evaluation"), ("test.csv", "evaluate.csv")),
    devices=False,
)
_MOBILE2020 = UrbanCorpus(
    "tau2020mobile",
    "TAU-urban-acoustic-scenes-2020-mobile",
    {"evaluation": ("fold1_test.csv", "fold1_evaluate.csv")},
    devices=True,
)


@dataclass(frozen=True)
class TauUrban2019(Reader):
    """10 scenes in 10 s pieces, binaural, 48 kHz, 24 bit (Mesaros, Heittola, Virtanen 2018).

    14,400 pieces of ten cities to develop with. The one official fold trains on 9,185 and tests on
    4,185; 1,030 of a city kept for testing (Milan) are in neither list and have no split. The
    group is the place, ``tau:barcelona-0``, shared with the 2020 corpus, which holds many of the
    same recordings. The 1,200 leaderboard and 7,200 evaluation pieces are anonymous and were
    published without labels; where an ``evaluate.csv`` with them was put beside the list, it is
    read.

    part: ``development``; ``leaderboard`` or ``evaluation``, as test part; or ``both``,
        development as the training part and evaluation as the test part.
    also: groups beside the place, ``city`` or ``device``. As cities hold places, and devices are
        heard in all of them, keep one kind together with ``groups=("city",)`` of the source.
    missing: ``error`` when a listed recording is not there, or ``skip`` it with a note.

    Zenodo 2589280, 2672993 and 3063822, about 40 GB to develop with, Tampere University agreement
    for academic use. Source: Mesaros, Heittola & Virtanen, DCASE 2018.
    """

    part: str = "development"
    also: tuple[str, ...] = ()
    missing: str = "error"

    corpus: ClassVar[str] = _URBAN2019.corpus
    folder: ClassVar[str] = "TAU-urban-acoustic-scenes-2019"
    home: ClassVar[str] = (
        "https://zenodo.org/records/2589280 (development), 2672993 (leaderboard) and 3063822 "
        "(evaluation), unpacked side by side in it"
    )
    licence: ClassVar[str] = "Tampere University agreement, academic use"
    size: ClassVar[str] = "14,400 wav of 10 s, about 40 GB (development)"
    citation: ClassVar[str] = (
        "Mesaros, Heittola, Virtanen: A Multi-Device Dataset for Urban Acoustic Scene "
        "Classification, DCASE 2018"
    )
    learns: ClassVar[tuple[tuple[str, str], ...]] = (("city", "city"),)
    published: ClassVar[Published] = Published(redundant=True)

    def __post_init__(self) -> None:
        _URBAN2019.check(self.part, self.also, self.missing)

    @property
    def tasks(self) -> tuple[Task, ...]:
        return (OneOf("scene", SCENES), OneOf("city", CITIES))

    def read(self, root: Path) -> ClipTable:
        return _URBAN2019.read(root, self.part, self.also, self.missing, self.tasks)

    @staticmethod
    def miniature(root: Path, seed: int) -> None:
        """Five scenes in four cities, two places each, in pieces of 0.6 s; Milan only tests."""
        _URBAN2019.miniature(root, seed)


@dataclass(frozen=True)
class TauUrban2020Mobile(Reader):
    """10 scenes in 10 s pieces by nine devices, 44.1 kHz mono, 24 bit (Heittola et al. 2020).

    23,035 pieces of ten cities to develop with: 14,400 by device a, and parallel to some of them
    about 108 a scene each by b, c and the simulated s1-s6. The one official fold trains on 13,962
    and tests on 2,968 (s4-s6 in testing only); 6,105 are in neither list and have no split. Pieces
    of one segment by several devices share their place and so their group, as do the recordings
    of the 2019 corpus.

    part, also, missing: as for `TauUrban2019`; there is no leaderboard part. The evaluation part
        (five more devices) is anonymous and was published without labels.

    Zenodo 3819968 and 3685828, about 30 GB to develop with, Tampere University agreement for
    academic use. Source: Heittola, Mesaros & Virtanen, DCASE 2020.
    """

    part: str = "development"
    also: tuple[str, ...] = ()
    missing: str = "error"

    corpus: ClassVar[str] = _MOBILE2020.corpus
    folder: ClassVar[str] = "TAU-urban-acoustic-scenes-2020-mobile"
    home: ClassVar[str] = (
        "https://zenodo.org/records/3819968 (development) and "
        "https://zenodo.org/records/3685828 (evaluation), unpacked side by side in it"
    )
    licence: ClassVar[str] = "Tampere University agreement, academic use"
    size: ClassVar[str] = "23,035 wav of 10 s, about 30 GB (development)"
    citation: ClassVar[str] = (
        "Heittola, Mesaros, Virtanen: Acoustic Scene Classification in DCASE 2020 Challenge: "
        "Generalization Across Devices and Low Complexity Solutions, DCASE 2020"
    )
    learns: ClassVar[tuple[tuple[str, str], ...]] = (("city", "city"), ("device", "device"))
    published: ClassVar[Published] = Published(redundant=True)

    def __post_init__(self) -> None:
        _MOBILE2020.check(self.part, self.also, self.missing)

    @property
    def tasks(self) -> tuple[Task, ...]:
        return (OneOf("scene", SCENES), OneOf("city", CITIES), OneOf("device", DEVICES))

    def read(self, root: Path) -> ClipTable:
        return _MOBILE2020.read(root, self.part, self.also, self.missing, self.tasks)

    @staticmethod
    def miniature(root: Path, seed: int) -> None:
        """As `TauUrban2019`, each segment by device a and by one of b, c and s1."""
        _MOBILE2020.miniature(root, seed)

"""TUT Acoustic Scenes 2016 (DCASE 2016, task 1): the 2017 corpus in pieces of 30 s."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from raymtl.reading.clips import ClipTable
from raymtl.reading.reader import Published, Reader
from raymtl.tasks import OneOf, Task
from readers.tut import CITATION, LICENCE, SCENES, SceneCorpus, check

_CORPUS = SceneCorpus("tutscenes2016", "TUT-acoustic-scenes-2016", 30, "evaluation2016", False)


@dataclass(frozen=True)
class Dcase2016Scenes(Reader):
    """15 scenes in 30 s pieces, binaural, 44.1 kHz, 24 bit (Mesaros, Heittola, Virtanen 2016).

    1,170 pieces to develop with (78 a scene, four folds) and, as far as is known, 390 to evaluate
    on. Same grammar, labels and task as the 2017 corpus, whose development part holds these
    recordings again in pieces of 10 s: the groups ``tut:b020`` are shared, so that the two never
    stand on both sides of a split. ``meta.txt`` has no column for the recording (as far as is
    known); its name is the first part of the file's.

    part, missing: as for `Dcase2017Scenes`.

    Zenodo 45739 and 165995, about 8 + 3 GB, TUT agreement for non-commercial use. Source: Mesaros,
    Heittola & Virtanen, EUSIPCO 2016.
    """

    part: str = "development"
    missing: str = "error"

    corpus: ClassVar[str] = _CORPUS.corpus
    folder: ClassVar[str] = _CORPUS.folder
    home: ClassVar[str] = (
        "https://zenodo.org/records/45739 (development) and "
        "https://zenodo.org/records/165995 (evaluation), unpacked side by side in it"
    )
    licence: ClassVar[str] = LICENCE
    size: ClassVar[str] = "1,170 + 390 wav of 30 s, about 8 + 3 GB"
    citation: ClassVar[str] = CITATION
    published: ClassVar[Published] = Published(redundant=True)

    def __post_init__(self) -> None:
        check(self.part, self.missing)

    @property
    def tasks(self) -> tuple[Task, ...]:
        return (OneOf("scene", SCENES),)

    def read(self, root: Path) -> ClipTable:
        return _CORPUS.read(root, self.part, self.missing, self.tasks)

    @staticmethod
    def miniature(root: Path, seed: int) -> None:
        """Six scenes, each eight recordings in 12 pieces of 1 s; a ninth one to evaluate on."""
        _CORPUS.miniature(root, seed)

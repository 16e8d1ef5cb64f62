"""TUT Acoustic Scenes 2017 (DCASE 2017, task 1): where a recording was made."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from raymtl.reading.clips import ClipTable
from raymtl.reading.reader import Published, Reader
from raymtl.tasks import OneOf, Task
from readers.tut import CITATION, LICENCE, SCENES, SceneCorpus, check

_CORPUS = SceneCorpus("tutscenes2017", "TUT-acoustic-scenes-2017", 10, "evaluation", True)


@dataclass(frozen=True)
class Dcase2017Scenes(Reader):
    """15 scenes in 10 s pieces, binaural, 44.1 kHz, 24 bit (Mesaros, Heittola, Virtanen 2016).

    4,680 pieces to develop with (312 a scene, four folds) and, as far as is known, 1,620 to
    evaluate on. The group is the recording, ``tut:b020``, of which many pieces were cut; other TUT
    corpora use the same recordings. Scenes come from ``meta.txt`` or, where it is absent, from the
    fold lists.

    part: ``development`` with its four folds; ``evaluation``, as the official test part; or
        ``both``, development as the training part.
    missing: ``error`` when a listed recording is not there, or ``skip`` it with a note.

    Zenodo 400515 and 1040168, 10.7 + 3.6 GB, TUT agreement for non-commercial use. Source: Mesaros,
    Heittola & Virtanen, EUSIPCO 2016.
    """

    part: str = "development"
    missing: str = "error"

    corpus: ClassVar[str] = _CORPUS.corpus
    folder: ClassVar[str] = _CORPUS.folder
    home: ClassVar[str] = (
        "https://zenodo.org/records/400515 (development) and "
        "https://zenodo.org/records/1040168 (evaluation), unpacked side by side in it"
    )
    licence: ClassVar[str] = LICENCE
    size: ClassVar[str] = "4,680 + 1,620 wav, 10.7 + 3.6 GB"
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

"""A study as a frozen value: sources × combinations × extractions × models × folds × seeds.

Building one reads no data and starts nothing; what is wrong in it is said at once.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Literal

from raymtl.controls import Control, control_cells
from raymtl.errors import StudyError
from raymtl.extraction.audio import Signal
from raymtl.extraction.features import Extraction
from raymtl.extraction.media import check_media
from raymtl.extraction.signals import Decoding
from raymtl.grid import (
    Cell,
    Combinations,
    cell_name,
    combinations,
    random_combinations,
    repeated,
    short_names,
)
from raymtl.loading.splits import KFold, Splitter, Validation
from raymtl.loading.stages import Stage
from raymtl.models.model import Model
from raymtl.reading.choosing import Choice
from raymtl.reading.reader import Source
from raymtl.spec import Spec
from raymtl.tasks import Task
from raymtl.training.training import Training

__all__ = [
    "Cell",
    "Combinations",
    "Experiment",
    "cell_name",
    "combinations",
    "random_combinations",
    "short_names",
]

LEAKS = ("error", "drop", "report")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")


@dataclass(frozen=True, kw_only=True)
class Experiment(Spec):
    """The grid of a study and everything that its numbers depend on.

    seeds: one run a fold for each; they change initialisation and order, never the split.
    seed: of the split and of the clips drawn by limits.
    controls: what combinations are held against beside their sources alone: none on their own.
    leaks: what to do where training and test share groups or recordings in spite of all, as
        official splits make them: refuse the study (``error``), leave the training clips concerned
        out of that combination and fold (``drop``), or go on and show the counts (``report``).
    """

    name: str
    sources: Sequence[Source]  # lists become tuples
    combinations: Combinations = Combinations((1,), everything=True)
    signal: Decoding = Signal()
    extractions: Sequence[Extraction]
    stages: Sequence[Stage] = ()
    models: Sequence[Model]
    folds: Splitter = KFold(5)
    validation: Validation = Validation()
    training: Training
    seeds: Sequence[int] = (0,)
    seed: int = 0
    controls: Sequence[Control] = ()
    leaks: Literal["error", "drop", "report"] = "report"

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            if isinstance(value, list):
                object.__setattr__(self, field.name, tuple(value))
        self._check_parts()
        self._check_names()
        self._check_heads()
        self._check_media()
        self._check_weights()

    def _check_parts(self) -> None:
        kinds: dict[str, type] = {
            "sources": Source,
            "extractions": Extraction,
            "models": Model,
            "stages": Stage,
            "seeds": int,
            "controls": Control,
        }
        for part, kind in kinds.items():
            values = getattr(self, part)
            right = isinstance(values, tuple) and all(isinstance(v, kind) for v in values)
            if not right or (not values and part not in ("stages", "controls")):
                raise StudyError(
                    f"{self.name}: {part} is {values!r}; expected a list of {kind.__name__} values."
                )
        for part, kind in {
            "name": str,
            "seed": int,
            "signal": Decoding,
            "folds": Splitter,
            "training": Training,
            "combinations": Combinations,
            "validation": Validation,
        }.items():
            if not isinstance(getattr(self, part), kind):
                raise StudyError(
                    f"{self.name}: {part} is {getattr(self, part)!r}; expected {kind.__name__}."
                )
        if self.leaks not in LEAKS:
            raise StudyError(
                f"{self.name}: leaks is {self.leaks!r}; expected one of {', '.join(LEAKS)}."
            )
        for source in self.sources:
            _check_source(source)

    def _check_names(self) -> None:
        for name in (self.name, *self.source_names):
            if not _NAME.fullmatch(name.replace("+", "_")):
                raise StudyError(
                    f"name {name!r}: use ASCII letters, digits, '_', '-' and '.'; "
                    "give a source another one with label=."
                )
        twice = repeated(self.source_names)
        if twice:
            raise StudyError(
                f"{self.name}: two sources are called {twice[0]!r}; tell them apart with label=."
            )
        seeds = repeated(self.seeds)
        if seeds:
            raise StudyError(f"{self.name}: seed {seeds[0]} is given twice; its runs are equal.")
        cells = repeated([cell.name for cell in self.cells()])
        if cells:
            raise StudyError(
                f"{self.name}: two cells are called {cells[0]!r}; two extractions or "
                "models of the study are equal."
            )

    def _check_media(self) -> None:
        for source in self.sources:
            signal = self.signal_of(source)
            check_media(source.name, source.reader.media, signal, self.extractions)

    def _check_weights(self) -> None:
        known = {task.name for source in self.sources for task in source.tasks}
        for task, weight in self.training.weights:
            if task not in known or not 0 <= weight < float("inf"):
                raise StudyError(
                    f"{self.name}: training weights hold {task!r}: {weight}; expected one of "
                    f"{', '.join(sorted(known))} and a number from 0 on."
                )

    def _check_heads(self) -> None:
        for combination in self.combinations.of(self.source_names):
            heads: dict[str, tuple[Task, str]] = {}
            for name in combination:
                for task in self.source(name).tasks:
                    other, where = heads.setdefault(task.name, (task.head, name))
                    if other != task.head:
                        raise StudyError(
                            f"{self.name}: task {task.name!r} differs between {where} and {name}, "
                            "so they cannot share a head. Map the labels (aliases=), or give one "
                            f"a head of its own: heads={{{task.name!r}: 'another name'}}."
                        )

    @property
    def source_names(self) -> list[str]:
        return [source.name for source in self.sources]

    def source(self, name: str) -> Source:
        return next(source for source in self.sources if source.name == name)

    def signal_of(self, source: Source) -> Decoding:
        return source.signal or self.signal  # type: ignore[return-value]  # checked when built

    def stages_of(self, source: Source) -> tuple[Stage, ...]:
        chosen = self.stages if source.stages is None else source.stages
        return tuple(chosen)  # type: ignore[arg-type]  # checked when built

    def folds_of(self, source: Source) -> Splitter:
        return source.folds or self.folds  # type: ignore[return-value]

    def cells(self) -> list[Cell]:
        """The grid without folds and seeds; controls come last."""
        methods = list(zip(self.extractions, short_names(self.extractions), strict=True))
        networks = list(zip(self.models, short_names(self.models), strict=True))
        cells = [
            Cell(combination, extraction, model, cell_name(combination, method, network))
            for combination in self.combinations.of(self.source_names)
            for extraction, method in methods
            for model, network in networks
        ]
        heads = {source.name: source.tasks for source in self.sources}
        return cells + control_cells(self.controls, cells, heads)


def _check_source(source: Source) -> None:
    for part, kind in {"signal": Decoding, "folds": Splitter}.items():
        value = getattr(source, part)
        if value is not None and not isinstance(value, kind):
            raise StudyError(
                f"source {source.name}: {part} is {value!r}; expected a {kind.__name__}."
            )
    if any(not isinstance(stage, Stage) for stage in source.stages or ()):
        raise StudyError(
            f"source {source.name}: stages is {source.stages!r}; expected Stage values."
        )
    listed = isinstance(source.where, tuple)
    if not listed or any(not isinstance(choice, Choice) for choice in source.where):
        raise StudyError(
            f"source {source.name}: where is {source.where!r}; expected a list of Labels, Values "
            "or Duration."
        )
    if isinstance(source.groups, str):
        raise StudyError(
            f"source {source.name}: groups is {source.groups!r}; expected a list of kinds."
        )
    _check_amount(source)
    _check_limit(source)
    known = {task.name for task in source.chosen}
    for task, _ in source.heads:
        if task not in known:
            raise StudyError(
                f"source {source.name}: heads names {task!r}; its tasks are "
                f"{', '.join(sorted(known))}."
            )
    heads = repeated([task.name for task in source.tasks])
    if heads:
        raise StudyError(f"source {source.name}: two tasks share the head {heads[0]!r}.")


def _check_limit(source: Source) -> None:
    if not isinstance(source.limit, tuple) or not all(
        isinstance(pair, tuple) and len(pair) == 2 and type(pair[1]) is int for pair in source.limit
    ):
        raise StudyError(
            f"source {source.name}: limit is {source.limit!r}; expected the most clips of each "
            "label that has too many, as in limit={'others': 500}."
        )


def _check_amount(source: Source) -> None:
    train = source.train
    good = train is None or (
        not isinstance(train, bool)
        and (train >= 1 if isinstance(train, int) else isinstance(train, float) and 0 < train <= 1)
    )
    if not good:
        raise StudyError(
            f"source {source.name}: train is {train!r}; expected a number of clips (an int) or a "
            "fraction of the training clips (a float above 0, up to 1.0)."
        )

"""Any epochs of a network on any clips: the metrics of training, behind its fitted stages."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from raymtl.deploy.predictor import Predictor
from raymtl.deploy.recipe import Front
from raymtl.deploy.sounds import Piece
from raymtl.errors import StudyError, TaskError
from raymtl.extraction.inspection import FileFacts
from raymtl.extraction.segments import clip_rows, cut
from raymtl.extraction.signals import ClipRow, Skipped
from raymtl.reading.clips import ClipTable
from raymtl.tasks import Floats, Scores, Targets, Task

_PACK = 256  # clips decoded at a time


@dataclass(frozen=True)
class Asked:
    """A task of the clips: its head in the network, its column in their table, and itself."""

    head: str
    column: str
    task: Task


@dataclass(frozen=True, eq=False)
class Evaluated:
    """Of one head: ids of its clips, scores (clips, outputs), targets, and every metric."""

    task: Task
    ids: list[str]
    scores: Floats
    targets: Targets
    measured: Scores


@dataclass(frozen=True, eq=False)
class Evaluation:
    """epoch: whose weights. heads: by name. skipped: clips that could not be used, and why."""

    epoch: int
    heads: dict[str, Evaluated]
    skipped: tuple[Skipped, ...]


def evaluate(
    predictors: Sequence[Predictor],
    table: ClipTable,
    facts: Mapping[Path, FileFacts],
    asked: Sequence[Asked],
    *,
    source: str | None = None,
) -> list[Evaluation]:
    """Scores clips as the test part is scored in training: a clip's windows are averaged.

    Args:
        predictors: epochs of one run; recordings are decoded once for all of them.
        facts: of every file of the table.
        asked: tasks of the clips; those without a head in the network are left out.
        source: of the run, whose signal and stages to use; without it, each task's own.

    Raises:
        StudyError: when no task fits, or it is not clear whose stages to use.
        TaskError: for labels that the network does not know.
    """
    predictor = predictors[0]
    fitting = _fitting(predictor, asked)
    tasks = {one.head: as_known(predictor.tasks[one.head], one.task) for one in fitting}
    found: list[dict[str, Evaluated]] = [{} for _ in predictors]
    skipped: list[Skipped] = []
    for name, heads in predictor.fronts(source).items():
        own = [one for one in fitting if one.head in heads]
        if own:
            front = predictor.recipe.fronts[name]
            clips = cut(table, facts, front.signal, [one.task for one in own])
            kept, scores = _scores(predictors, name, [o.head for o in own], clips, skipped)
            for heads_of, said in zip(found, scores, strict=True):
                for one in own:
                    heads_of[one.head] = _measured(tasks[one.head], one, kept, said[one.head])
    left = tuple(dict.fromkeys(skipped))
    return [Evaluation(p.epoch, heads, left) for p, heads in zip(predictors, found, strict=True)]


def _fitting(predictor: Predictor, asked: Sequence[Asked]) -> list[Asked]:
    found = [one for one in asked if one.head in predictor.tasks]
    if not found:
        raise StudyError(
            f"{predictor.recipe.run}: answers {', '.join(predictor.tasks)}; the clips have "
            f"{', '.join(one.head for one in asked)}. Name the head a task stands for: "
            "Reader().source('task', heads={'task': 'head'})."
        )
    return found


def as_known(head: Task, own: Task) -> Task:
    """The network's task, reading the names that the clips have for its labels.

    Raises:
        StudyError: when the clips' task is of another kind, or counts in another unit.
    """
    if type(head) is not type(own):
        raise StudyError(
            f"task {head.name!r}: the network's is {type(head).__name__}, the clips' is "
            f"{type(own).__name__}. Derive one of the same kind (`coarse`, `whether`)."
        )
    units = [getattr(task, "unit", "") for task in (head, own)]
    if all(units) and units[0] != units[1]:
        raise StudyError(
            f"task {head.name!r}: the network's is in {units[0]}, the clips' in {units[1]}. Give "
            "the clips' targets in the network's unit."
        )
    aliases = getattr(own, "aliases", None)
    return replace(head, aliases=aliases) if aliases else head  # type: ignore[call-arg]


def _measured(task: Task, one: Asked, clips: ClipTable, scores: Floats) -> Evaluated:
    try:
        targets = task.encode(clips.target(one.column))
    except TaskError as error:
        raise TaskError(
            f"{error} The network knows {', '.join(task.labels_)}. Map the clips' labels onto "
            "them (aliases=), or leave those clips out (where=[Labels(..., drop=...)])."
        ) from error
    return Evaluated(task, list(clips.ids), scores, targets, task.measure(scores, targets))


def _scores(
    predictors: Sequence[Predictor],
    source: str,
    heads: Sequence[str],
    clips: ClipTable,
    skipped: list[Skipped],
) -> tuple[ClipTable, list[dict[str, Floats]]]:
    """Clips that could be decoded, and, of each predictor, their mean scores in that order."""
    predictor = predictors[0]
    front = predictor.recipe.fronts[source]
    ids: list[str] = []
    parts: list[dict[str, list[Floats]]] = [{head: [] for head in heads} for _ in predictors]
    for names, pieces in _decoded(front, clip_rows(clips), skipped):
        rows = predictor.rows(source, pieces)
        of = np.array([row.piece for row in rows], np.int64)
        for each, own in zip(predictors, parts, strict=True):
            for head, values in each.scores_of(source, heads, rows).items():
                own[head].append(_means(values, of, len(pieces)))
        ids += names
    if not ids:
        raise StudyError(
            f"{predictor.recipe.run}: none of the {len(clips)} clips can be decoded; the first: "
            f"{skipped[0].path}: {skipped[0].reason}"
        )
    kept = clips.select(ids)
    order = {clip: at for at, clip in enumerate(ids)}
    places = [order[clip] for clip in kept.ids]
    return kept, [{head: np.concatenate(f)[places] for head, f in p.items()} for p in parts]


def _means(values: Floats, of: npt.NDArray[np.int64], count: int) -> Floats:
    """Mean of the rows, (rows, outputs), of each of `count` pieces."""
    total = np.zeros((count, values.shape[1]))
    np.add.at(total, of, values)
    sizes = np.bincount(of, minlength=count)[:, None]
    found: Floats = (total / np.maximum(sizes, 1)).astype(np.float32)
    return found


def _decoded(
    front: Front, rows: Sequence[ClipRow], skipped: list[Skipped]
) -> Iterator[tuple[list[str], list[Piece]]]:
    """Clips as the run's own were decoded, those of one file together."""
    ordered = sorted(rows, key=lambda row: (row.path, row.start or 0.0))
    size = min(front.signal.pack(front.longest), _PACK)
    for first in range(0, len(ordered), size):
        batch = ordered[first : first + size]
        decoded = front.signal.decode_many(batch)
        skipped += decoded.skipped
        known = [
            (row.id, Piece(wave, 0.0, _seconds(wave, decoded.rate), raised))
            for row, wave, raised in zip(batch, decoded.waves, decoded.raised, strict=True)
            if wave is not None
        ]
        if known:
            yield [name for name, _ in known], [piece for _, piece in known]


def _seconds(wave: Any, rate: int) -> float:
    return float(wave.shape[1] / rate) if rate else 0.0

"""Scoring a network on one part of the data."""

from __future__ import annotations

import math
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor, nn

from raymtl.errors import Diverged
from raymtl.loading.batches import Rows
from raymtl.loading.inputs import Inputs, PartData
from raymtl.tasks import Floats, Scores, Task
from raymtl.training.outcome import Point, Points, Predictions, RunData
from raymtl.training.steps import Feeder

_VALUES = 1 << 19  # input values in one forward pass
_MOST = 1024  # rows in one forward pass


@dataclass(frozen=True, eq=False)
class Scored:
    """scores: (clips, outputs) probabilities, a clip's windows averaged; loss: mean, nats."""

    scores: Floats
    loss: float | None


def score(
    network: nn.Module, part: PartData, tasks: Mapping[str, Task], device: str, precision: str
) -> dict[str, Scored]:
    """Task -> what the network says of every clip of the part; weights and state stay.

    Raises:
        Diverged: when a loss or score is not finite.
    """
    names = [name for name in part.targets if name in tasks]
    network.eval()
    outputs: dict[str, list[Tensor]] = {name: [] for name in names}
    losses = {name: [0.0, 0.0] for name in names}
    feeder = Feeder({part.source: part}, device)
    chunks = _chunks(part.inputs)
    with torch.inference_mode(), autocast(device, precision):
        for rows in chunks:
            batch = feeder.batch({part.source: rows})
            for name, output in network(batch.inputs, names).items():
                total, count = tasks[name].loss_sum(output.float(), *batch.targets[name])
                losses[name] = [losses[name][0] + float(total), losses[name][1] + float(count)]
                outputs[name].append(tasks[name].scores(output.float()).cpu())
    order = np.concatenate(chunks) if chunks else np.zeros(0, np.int64)
    return {
        name: Scored(_by_clip(outputs[name], order, part, tasks[name]), _mean(name, losses[name]))
        for name in names
    }


def validate(
    network: nn.Module, data: RunData, tasks: Mapping[str, Task], device: str, precision: str
) -> Points:
    """Loss and primary metric of every (source, task) on its validation part.

    Raises:
        Diverged: when a loss or score is not finite.
    """
    points: Points = {}
    for name, part in data.validation.items():
        if len(part):
            found = score(network, part, tasks, device, precision)
            points |= {
                (name, task): point(scored, part, tasks[task]) for task, scored in found.items()
            }
    return points


def score_all(
    network: nn.Module, data: RunData, tasks: Mapping[str, Task], device: str, precision: str
) -> tuple[dict[tuple[str, str, str], Scores], dict[tuple[str, str], Predictions]]:
    """Every metric on the validation and test parts, and what was said of the test clips."""
    scores: dict[tuple[str, str, str], Scores] = {}
    said: dict[tuple[str, str], Predictions] = {}
    for kind, parts in (("validation", data.validation), ("test", data.test)):
        for name, part in parts.items():
            for task, scored in score(network, part, tasks, device, precision).items():
                scores[name, task, kind] = measured(scored, part, tasks[task])
                if kind == "test":
                    said[name, task] = predictions(scored, part, tasks[task])
    return scores, said


def point(scored: Scored, part: PartData, task: Task) -> Point:
    """Loss and primary metric of one task."""
    return Point(scored.loss, task.quick(scored.scores, part.targets[task.name]))


def measured(scored: Scored, part: PartData, task: Task) -> Scores:
    """Every metric of one task, and the mean loss as ``loss``."""
    scores = task.measure(scored.scores, part.targets[task.name])
    loss = {} if scored.loss is None else {"loss": scored.loss}
    return replace(scores, scalars=scores.scalars | loss)


def predictions(scored: Scored, part: PartData, task: Task) -> Predictions:
    return Predictions(list(part.ids), scored.scores, part.targets[task.name])


def autocast(device: str, precision: str) -> AbstractContextManager[None]:
    """Forward passes in bfloat16 where that is the precision."""
    if precision == "float32":
        return nullcontext()
    return torch.autocast(torch.device(device).type, torch.bfloat16)


def _chunks(inputs: Inputs) -> list[Rows]:
    """Rows for one forward pass each; rows of like length together where lengths differ."""
    shape = inputs.shape
    rows = np.arange(len(inputs), dtype=np.int64)
    if shape.frames is None:
        rows = rows[np.argsort(inputs.lengths, kind="stable")]
    longest = shape.frames or int(inputs.lengths.max(initial=1))
    size = _VALUES // max(shape.channels * longest * shape.features, 1)
    size = min(max(size, 1), _MOST)
    return [rows[start : start + size] for start in range(0, len(rows), size)]


def _by_clip(outputs: list[Tensor], order: Rows, part: PartData, task: Task) -> Floats:
    """Mean over each clip's rows."""
    clips = part.inputs.clips
    total = np.zeros((len(part.ids), task.outputs))
    if outputs:
        found = torch.cat(outputs).numpy()
        if not np.isfinite(found).all():
            raise Diverged(f"{part.source}: scores of task {task.name!r} are not finite.")
        np.add.at(total, clips[order], found)
    count = np.bincount(clips, minlength=len(part.ids))
    return (total / np.maximum(count, 1)[:, None]).astype(np.float32)


def _mean(task: str, loss: list[float]) -> float | None:
    total, count = loss
    if not math.isfinite(total):
        raise Diverged(f"the loss of task {task!r} is {total} on held-out clips.")
    return total / count if count else None

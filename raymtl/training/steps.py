"""What one optimiser step sees: clips of several sources side by side, targets masked."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from raymtl.errors import StudyError
from raymtl.loading.batches import Rows
from raymtl.loading.inputs import Inputs, PartData
from raymtl.models.model import InputShape
from raymtl.tasks import Targets


@dataclass(frozen=True, eq=False)
class Batch:
    """inputs: for the network. targets: task -> values and validity, both for every row.

    A row of a source that lacks a task is invalid for it, as a missing target is.
    """

    inputs: dict[str, Tensor]
    targets: dict[str, tuple[Tensor, Tensor]]


class Feeder:
    """Makes batches of one part of all sources. Order of the sources: by name."""

    def __init__(self, parts: Mapping[str, PartData], device: str) -> None:
        self._inputs = {name: part.inputs for name, part in parts.items()}
        self._targets = {
            name: {task: _on(device, found, part.inputs) for task, found in part.targets.items()}
            for name, part in parts.items()
        }
        self._device = device

    def batch(self, step: Mapping[str, Rows]) -> Batch:
        """In: source -> rows of its inputs."""
        chosen = {name: torch.from_numpy(rows).to(self._device) for name, rows in step.items()}
        tasks = dict.fromkeys(task for name in sorted(step) for task in self._targets[name])
        inputs = [self._inputs[name].batch(step[name]) for name in sorted(step)]
        return Batch(
            self._moved(inputs[0] if len(inputs) == 1 else side_by_side(inputs)),
            {task: self._target(task, chosen) for task in tasks},
        )

    def middle(self) -> dict[str, Tensor]:
        """Inputs of one row of middle length, over all sources; the first of several."""
        names = sorted(self._inputs)
        lengths = [self._inputs[name].lengths for name in names]
        ends = np.cumsum([len(each) for each in lengths])
        order = np.argsort(np.concatenate(lengths), kind="stable")
        at = int(order[(len(order) - 1) // 2])
        source = int(np.searchsorted(ends, at, side="right"))
        row = at - int(ends[source]) + len(lengths[source])
        return self.batch({names[source]: np.array([row])}).inputs

    def _moved(self, inputs: dict[str, Tensor]) -> dict[str, Tensor]:
        return {name: value.to(self._device) for name, value in inputs.items()}

    def _target(self, task: str, chosen: Mapping[str, Tensor]) -> tuple[Tensor, Tensor]:
        like = next(self._targets[n][task] for n in sorted(chosen) if task in self._targets[n])
        values, valid = [], []
        for name in sorted(chosen):
            rows, known = chosen[name], self._targets[name].get(task)
            if known is None:
                values.append(like[0].new_zeros((len(rows), *like[0].shape[1:])))
                valid.append(like[1].new_zeros((len(rows), *like[1].shape[1:])))
            else:
                values.append(known[0].index_select(0, rows))
                valid.append(known[1].index_select(0, rows))
        if len(values) == 1:
            return values[0], valid[0]
        return torch.cat(values), torch.cat(valid)


def side_by_side(inputs: list[dict[str, Tensor]]) -> dict[str, Tensor]:
    """Rows of several sources as one batch, padded with zeros to the longest (see ``lengths``)."""
    longest = max(each["features"].shape[2] for each in inputs)
    features = [
        F.pad(each["features"], (0, 0, 0, longest - each["features"].shape[2])) for each in inputs
    ]
    return {"features": torch.cat(features), "lengths": torch.cat([i["lengths"] for i in inputs])}


def common_shape(parts: Mapping[str, PartData]) -> InputShape:
    """The shape of every source's rows; frames None when they differ.

    Raises:
        StudyError: when channels or features differ, naming the sources.
    """
    shapes = {name: part.inputs.shape for name, part in sorted(parts.items())}
    first, shape = next(iter(shapes.items()))
    frames = shape.frames
    for name, other in shapes.items():
        if (other.channels, other.features) != (shape.channels, shape.features):
            raise StudyError(
                f"{first} has {shape.channels} channels x {shape.features} features a frame, "
                f"{name} {other.channels} x {other.features}: one network cannot take both. "
                "Give them the same signal and extraction, or do not combine them."
            )
        frames = frames if frames == other.frames else None
    return InputShape(shape.channels, frames, shape.features)


def _on(device: str, targets: Targets, inputs: Inputs) -> tuple[Tensor, Tensor]:
    """One target a row of the inputs: windows inherit their clip's."""
    rows = targets.take(inputs.clips)
    return torch.from_numpy(rows.values).to(device), torch.from_numpy(rows.valid).to(device)


def reseed(seed: int, epoch: int, rank: int) -> None:
    """Dropout of an epoch is a function of these three."""
    word = hashlib.sha256(f"{seed}/{epoch}/{rank}".encode()).digest()
    torch.manual_seed(int.from_bytes(word[:7], "little"))

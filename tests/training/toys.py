"""Small learnable data for training tests."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from raymtl.loading.fitted import FittedStages
from raymtl.loading.inputs import Inputs, PartData
from raymtl.tasks import AnyOf, OneOf, Targets, Task, YesNo
from raymtl.training.loop import train
from raymtl.training.outcome import Outcome, RunData
from raymtl.training.training import Training
from tests.loading.memory import MemoryFeatures

COLOUR = OneOf("colour", ("red", "green", "blue"))
LOUD = YesNo("loud")
TAGS = AnyOf("tags", ("a", "b"))
NOTHING = FittedStages(())


def toy_parts(
    name: str,
    tasks: Sequence[Task],
    seed: int,
    clips: int = 48,
    frames: tuple[int, int] = (6, 6),
    features: int = 5,
    stages: FittedStages = NOTHING,
    missing: float = 0.2,
    budget: int = 1 << 20,
) -> dict[str, PartData]:
    """Three parts of one source; every target is a noisy linear function of the clip's mean."""
    rng = np.random.default_rng(seed)
    means = rng.normal(0, 1, (clips, features))
    matrices = {
        f"{name}/{i:03d}": (
            mean + rng.normal(0, 0.3, (1, int(rng.integers(frames[0], frames[1] + 1)), features))
        ).astype(np.float32)
        for i, mean in enumerate(means)
    }
    held = MemoryFeatures(matrices)
    cuts = np.split(np.arange(clips), [clips // 2, 3 * clips // 4])
    parts = {}
    for kind, rows in zip(("train", "validation", "test"), cuts, strict=True):
        ids = [held.ids[row] for row in rows]
        targets = {task.name: _target(task, means[rows], rng, missing) for task in tasks}
        parts[kind] = PartData(name, ids, Inputs(held, ids, stages, budget), targets)
    return parts


def _target(task: Task, means: Any, rng: np.random.Generator, missing: float) -> Targets:
    logits = means[:, : max(task.outputs, 2)]
    if isinstance(task, OneOf):
        values: Any = logits[:, : task.outputs].argmax(1).astype(np.int64)
    else:
        values = (logits[:, : task.outputs] > 0).astype(np.float32)
    valid = np.broadcast_to(
        (rng.uniform(size=len(means)) >= missing).reshape([-1] + [1] * (values.ndim - 1)),
        values.shape,
    ).copy()
    return Targets(np.where(valid, values, 0).astype(values.dtype), valid)


def toy_data(*sources: dict[str, PartData]) -> RunData:
    return RunData(
        *(
            {parts[kind].source: parts[kind] for parts in sources}
            for kind in ("train", "validation", "test")
        )
    )


def two_sources(**changes: Any) -> RunData:
    """One source with two tasks, one with one of them and another: all kinds of masking."""
    return toy_data(
        toy_parts("one", (COLOUR, LOUD), 1, **changes),
        toy_parts("two", (COLOUR, TAGS), 2, clips=40, **changes),
    )


def run(model: Any, training: Training, folder: Path, **changes: Any) -> Outcome:
    arguments: dict[str, Any] = {"data": two_sources(), "tasks": (COLOUR, LOUD, TAGS), "seed": 3}
    arguments |= changes
    return train(model, training, folder=folder, **arguments)

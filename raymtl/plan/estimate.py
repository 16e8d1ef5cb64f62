"""What a plan will cost, measured on a little of it: seconds of compute and bytes of disk."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from statistics import median

import torch

from raymtl.extraction.features import Extraction
from raymtl.extraction.signals import ClipRow
from raymtl.kept import BEST_ALONE, Keep
from raymtl.loading.stages import FixedLength, Stage, Windows
from raymtl.models.model import InputShape, Model
from raymtl.plan.work import FeatureJob, Plan
from raymtl.tasks import Floats, Task
from raymtl.training.job import RunJob

_TRIED_CLIPS = 4
_TRIED_STEPS = 2
_SCORING = 0.35  # a forward pass without gradients against a whole step
_TRIED_SECONDS = 1.0  # at most this long on one network


@dataclass(frozen=True)
class Cost:
    """CPU seconds on one core of this machine, and bytes on disk."""

    extraction_seconds: float = 0.0
    training_seconds: float = 0.0
    feature_bytes: int = 0
    record_bytes: int = 0
    kept_bytes: int = 0


def estimate(plan: Plan, keep: Keep = BEST_ALONE) -> Cost:
    """Tries a few clips of each feature set and a few steps of each network.

    keep: epochs that each run keeps besides the best one; more bytes of disk, at most.
    """
    seconds, size = 0.0, 0
    for job in plan.needed_features():
        each, clip_bytes = _extraction_cost(job)
        seconds += each * len(job.rows)
        size += clip_bytes * len(job.rows)
    training, records = _training_cost(plan)
    return Cost(seconds, training, size, records, kept_bytes(plan, keep))


def kept_bytes(plan: Plan, keep: Keep) -> int:
    """Bytes that missing runs will keep beside the best epoch's weights, if none stops early."""
    if keep.best_alone:
        return 0
    sizes: dict[tuple[Model, InputShape, tuple[Task, ...]], int] = {}
    shapes, total = _shapes(plan), 0
    for job in plan.missing:
        shape = shapes.get((job.sources[0].name, job.cell.extraction))
        if shape is not None:
            key = (job.cell.model, shape, job.tasks)
            if key not in sizes:
                network = job.cell.model.build(shape, job.tasks, seed=0)
                sizes[key] = sum(v.nbytes for v in network.state_dict().values())
            total += sizes[key] * len(keep.of(job.training.epochs))
    return total


def _extraction_cost(job: FeatureJob) -> tuple[float, int]:
    """Seconds and bytes a clip, from clips spread over the set."""
    tried = list(job.rows[:: max(1, len(job.rows) // _TRIED_CLIPS)])[:_TRIED_CLIPS]
    list(_features_of(job, tried[:1]))  # what a first call costs once is no clip's cost
    began, size = time.process_time(), 0
    for matrix in _features_of(job, tried):
        size += matrix.nbytes
    return (time.process_time() - began) / len(tried), size // len(tried)


def _features_of(job: FeatureJob, rows: Sequence[ClipRow]) -> Iterator[Floats]:
    for row in rows:
        decoded = job.signal.decode_many([row])  # what is skipped, extraction itself will name
        for wave in decoded.waves:
            if wave is not None:
                yield from job.extraction([wave], decoded.rate)


def _training_cost(plan: Plan) -> tuple[float, int]:
    rates: dict[tuple[Model, InputShape], tuple[float, int]] = {}  # heads cost next to nothing
    seconds, size = 0.0, 0
    shapes = _shapes(plan)
    for job in plan.missing:
        shape = shapes.get((job.sources[0].name, job.cell.extraction))
        if shape is None:
            continue  # no recording can be decoded; extraction itself will name them
        key = (job.cell.model, shape)
        if key not in rates:
            rates[key] = _step_cost(job, shape)
        each, parameters = rates[key]
        seconds += each * _clips_of(job)
        size += 4 * parameters + 400 * sum(len(s.test) for s in job.sources) + 60_000
    return seconds, size


def _clips_of(job: RunJob) -> float:
    """Clips through the network in a whole run, scoring counted at its share of a step."""
    sizes = {source.name: len(source.train) for source in job.sources}
    epoch = job.training.batches.epoch(sizes, job.seed, 0)
    trained = sum(len(rows) for step in epoch for rows in step.values())
    scored = sum(len(source.validation) for source in job.sources)
    return job.training.epochs * (trained + _SCORING * scored)


def _shapes(plan: Plan) -> dict[tuple[str, Extraction], InputShape]:
    shapes = {}
    for job in plan.features:
        frames = [m.shape for m in islice(_features_of(job, job.rows), _TRIED_CLIPS)]
        for name in job.sources:
            stages = plan.experiment.stages_of(plan.corpora.sources[name].source)
            if frames:
                channels, _, features = frames[0]
                length = _length(stages, int(median(shape[1] for shape in frames)))
                shapes[name, job.extraction] = InputShape(channels, length, features)
    return shapes


def _length(stages: tuple[Stage, ...], frames: int) -> int:
    for stage in stages:
        if isinstance(stage, FixedLength) and isinstance(stage.frames, int):
            frames = stage.frames
        if isinstance(stage, Windows):
            frames = stage.frames
    return frames


def _step_cost(job: RunJob, shape: InputShape) -> tuple[float, int]:
    """Seconds a clip of a training step, and the network's parameters."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # as lanes do
    network = job.cell.model.build(shape, job.tasks, seed=0)
    size = job.training.batches.size
    inputs = {
        "features": torch.zeros(size, shape.channels, shape.frames or 1, shape.features),
        "lengths": torch.full((size,), shape.frames or 1),
    }
    began, steps = time.perf_counter(), 0
    while steps < _TRIED_STEPS and time.perf_counter() - began < _TRIED_SECONDS:
        torch.autograd.backward([output.sum() for output in network(inputs).values()])
        steps += 1
    each = (time.perf_counter() - began) / (steps * size)
    torch.set_num_threads(threads)
    return each, sum(p.numel() for p in network.parameters())

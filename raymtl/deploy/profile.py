"""What a network costs on a small device: size, operations, time, and what 8 bits cost it."""

from __future__ import annotations

import platform
import time
from collections.abc import Callable, Sequence
from statistics import median
from typing import Any

import numpy as np
import torch

from raymtl.deploy.checks import Clip, score_of
from raymtl.deploy.graphs import FromFeatures
from raymtl.deploy.onnx import Graph, Session
from raymtl.deploy.predictor import Predictor
from raymtl.deploy.small import Small, peak
from raymtl.models.counting import multiply_adds
from raymtl.models.model import parameters

_TIMES = 30  # calls whose median is the latency


def profile(
    predictor: Predictor,
    features: Graph,
    waveform: Graph | None,
    small: Small,
    clips: Sequence[Clip],
) -> dict[str, Any]:
    """Facts of the network as exported; small: the graph from features in 8 bits.

    Operations and times are of one clip: the test clip of median length or, without any, as much
    sound as the longest clip of training.
    """
    example = _example(predictor, features, clips)
    facts: dict[str, Any] = {
        "parameters": parameters(predictor.network),
        "bytes": {"float32": len(features.model), "int8": len(small.model)},
        "clip": {"frames": example.shape[2]},
        "macs": macs(predictor, features, example),
        "milliseconds": {
            "features to scores": milliseconds(Session(features.model), example),
            "features to scores, int8": milliseconds(Session(small.model), example),
        },
        "machine": f"{platform.machine()}, one thread, ONNX Runtime, median of {_TIMES}",
        "int8": costs(predictor, features, small.model, clips),
        "int8 ranges": small.ranges,
        "activation bytes": peak(features.model, example),
    }
    if waveform is not None:
        wave = _as_long(predictor, features.source, example.shape[2])
        facts["bytes"]["waveform"] = len(waveform.model)
        facts["milliseconds"]["waveform to scores"] = milliseconds(Session(waveform.model), wave)
        facts["clip"]["seconds"] = wave.shape[2] / predictor.recipe.fronts[features.source].rate
    return facts


def macs(predictor: Predictor, graph: Graph, example: Any) -> int:
    """Multiply-adds of stages and network for one clip; extraction is not counted."""
    module = FromFeatures(predictor, graph.source, graph.heads).eval()
    return int(multiply_adds(lambda: module(torch.from_numpy(example))))


def milliseconds(call: Callable[[Any], Any], example: Any) -> float:
    """Median time of a call."""
    call(example)
    taken = []
    for _ in range(_TIMES):
        began = time.perf_counter()
        call(example)
        taken.append(time.perf_counter() - began)
    return round(1e3 * median(taken), 4)


def costs(
    predictor: Predictor, graph: Graph, small: bytes, clips: Sequence[Clip]
) -> dict[str, Any]:
    """Head -> its primary metric on test clips before and after, and how many decisions differ."""
    usable = [clip for clip in clips if clip.features.shape[1] >= graph.least]
    session = Session(small)
    after = [dict(zip(graph.heads, session(c.features[None]), strict=True)) for c in usable]
    found: dict[str, Any] = {}
    for head in graph.heads:
        own = [at for at, clip in enumerate(usable) if head in clip.said]
        if not own:
            continue
        task = predictor.tasks[head]
        truth = [usable[at].truth[head] for at in own]
        before = np.array([usable[at].said[head] for at in own], np.float32)
        now = np.concatenate([after[at][head] for at in own]).astype(np.float32)
        changed = task.decide(before) != task.decide(now)
        found[head] = {
            "metric": task.primary,
            "float32": score_of(task, before, truth),
            "int8": score_of(task, now, truth),
            "decisions changed": int(np.reshape(changed, (len(own), -1)).any(axis=1).sum()),
            "clips": len(own),
        }
    return found


def _example(predictor: Predictor, graph: Graph, clips: Sequence[Clip]) -> Any:
    usable = [clip.features for clip in clips if clip.features.shape[1] >= graph.least]
    if usable:
        return sorted(usable, key=lambda values: values.shape[1])[len(usable) // 2][None].copy()
    recipe = predictor.recipe
    front, shape = recipe.fronts[graph.source], recipe.shape
    frames = round(front.longest * recipe.extraction.frame_rate(front.rate)) or 1
    frames = max(frames, front.stages.frames_out or 1)
    return np.zeros((1, shape.channels, shape.frames or frames, shape.features), np.float32)


def _as_long(predictor: Predictor, source: str, frames: int) -> Any:
    """Noise that gives so many frames."""
    recipe = predictor.recipe
    front = recipe.fronts[source]
    rate = recipe.extraction.frame_rate(front.rate)
    seconds = max(frames - 1, 1) / rate if rate else front.longest
    size = (1, recipe.shape.channels, round(seconds * front.rate))
    return np.random.default_rng(0).normal(0, 0.1, size).astype(np.float32)

"""Whether a graph says what the run said: of its test clips, and of waveforms."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch

from raymtl.deploy.onnx import Graph, Session
from raymtl.deploy.predictor import Predictor
from raymtl.deploy.sounds import from_memory
from raymtl.errors import AudioError, StoreError
from raymtl.extraction.audio import Signal
from raymtl.extraction.store import FeatureSet, FeatureStore
from raymtl.tasks import Floats, Targets, Task

PREDICTIONS = "predictions.parquet"
CLOSE = 1e-4  # a score may be off by so much
COARSE = 0.05  # of a run in bfloat16, whose numbers have 8 bits: logits of 10 are good to 0.04


@dataclass(frozen=True, eq=False)
class Clip:
    """A test clip: its features, what the run said of it by head, and the truth by head."""

    id: str
    features: Floats
    said: dict[str, list[float]]
    truth: dict[str, list[str] | None]


def test_clips(run: Path, predictor: Predictor, graph: Graph) -> list[Clip]:
    """Test clips of the sources whose signal and stages the graph holds. Empty where the run's
    features are no longer in its store.

    Raises:
        StoreError: when predictions or features are damaged.
    """
    clips: list[Clip] = []
    for source, features in features_of(run, predictor, graph):
        rows = said_of(run, source, graph.heads)
        other = predictor.epoch != predictor.record["best_epoch"]
        for clip in sorted(rows):
            matrix = features.matrix(features.known[clip])
            said = {task: row["scores"] for task, row in rows[clip].items()}
            if other:  # the run scored its test clips at its best epoch alone
                said = _says(predictor, source, list(said), matrix)
            truth = {task: row["truth"] for task, row in rows[clip].items()}
            clips.append(Clip(clip, matrix, said, truth))
    return clips


def features_of(run: Path, predictor: Predictor, graph: Graph) -> Iterator[tuple[str, FeatureSet]]:
    """Sources whose signal and stages the graph holds, with their features where the store has
    them.

    Raises:
        StoreError: when features are damaged.
    """
    fronts, held = predictor.recipe.fronts, predictor.recipe.fronts[graph.source]
    store = FeatureStore(run.resolve().parents[3] / "features")
    for source, facts in predictor.record["sources"].items():
        plain = fronts[source].stages.to_plain()
        alike = fronts[source].signal == held.signal and plain == held.stages.to_plain()
        if alike and store.complete(facts["features"]):
            yield source, store.open(facts["features"])


def said_of(
    run: Path, source: str, heads: Sequence[str] | None = None
) -> dict[str, dict[str, dict[str, Any]]]:
    """Test clip -> head -> row of the predictions; heads: None for all."""
    table = pq.read_table(run / PREDICTIONS, filters=[("source", "==", source)])
    found: dict[str, dict[str, Any]] = {}
    for row in _rows(table):
        if heads is None or row["task"] in heads:
            found.setdefault(row["id"], {})[row["task"]] = row
    return found


def agreement(predictor: Predictor, graph: Graph, clips: Sequence[Clip]) -> dict[str, Any]:
    """How far a graph from features is from what the run said.

    Clips that are shorter than the graph takes are left out, for only raymtl pads them. Graphs
    compute in float32: of a run in bfloat16 they are held to `COARSE` against what it said, and to
    `CLOSE` against the same network in float32.

    Raises:
        StoreError: when a score is off by more than that.
    """
    session, rounded = Session(graph.model), predictor.recipe.precision != "float32"
    usable = [clip for clip in clips if clip.features.shape[1] >= graph.least]
    found = [dict(zip(graph.heads, session(clip.features[None]), strict=True)) for clip in usable]
    limit = COARSE if rounded else CLOSE
    facts: dict[str, Any] = {"test clips": len(usable), "too short": len(clips) - len(usable)}
    worst = _worst(found, [clip.said for clip in usable])
    facts |= {"largest difference": worst, "at most": limit}
    exact = worst
    if rounded:
        same = in_float32(predictor)
        says = [_says(same, graph.source, graph.heads, clip.features) for clip in usable]
        exact = facts["in float32"] = _worst(found, says)
    if worst > limit or exact > CLOSE:
        raise StoreError(
            f"{graph.source}: the exported graph is off by {worst:.2g} from what the run said of "
            f"its {len(usable)} test clips, and by {exact:.2g} from the network in float32; at "
            f"most {limit:g} and {CLOSE:g}. Its arithmetic is another in ONNX, so it cannot be "
            "exported; the run itself is not affected."
        )
    return facts


def in_float32(predictor: Predictor) -> Predictor:
    """The same network as graphs compute it."""
    recipe = replace(predictor.recipe, precision="float32")
    weights = predictor.network.state_dict()
    return Predictor(recipe, weights, predictor.record, predictor.epoch)


def _worst(found: Sequence[dict[str, Floats]], said: Sequence[dict[str, list[float]]]) -> float:
    """The largest difference of any score."""
    gaps = [
        float(np.abs(scores[head][0] - expected).max())
        for scores, each in zip(found, said, strict=True)
        for head, expected in each.items()
    ]
    return max(gaps, default=0.0)


def on_waveforms(
    predictor: Predictor, graph: Graph, waves: Mapping[str, tuple[Floats, int]]
) -> dict[str, Any]:
    """How far the graph from waveforms is from `Predictor.predict`, which extracts with numpy.

    Raises:
        StoreError: when a score is off by more than `CLOSE`.
        AudioError: for a waveform that the network cannot take.
    """
    session, predictor = Session(graph.model), in_float32(predictor)
    archive: Any = torch.export.load(io.BytesIO(graph.archive)).module()
    worst, compared = 0.0, 0
    for name, (wave, rate) in waves.items():
        try:
            values, expected = _heard(predictor, graph, wave, rate)
        except AudioError as error:
            raise AudioError(f"{name}: {str(error).rstrip('.')}. Leave it out.") from error
        if values.shape[2] < graph.least:
            continue
        compared += 1
        with torch.no_grad():
            both = (session(values), [s.numpy() for s in archive(torch.from_numpy(values))])
        for found in both:
            for head, scores in zip(graph.heads, found, strict=True):
                gap = float(np.abs(scores[0] - expected[head].mean(axis=0)).max())
                worst = max(worst, gap)
                if gap > CLOSE:
                    raise StoreError(
                        f"{name}: the exported graph from waveforms is off by {gap:.2g} in "
                        f"{head!r} ({len(expected[head])} rows); at most {CLOSE:g}."
                    )
    return {"waveforms": compared, "largest difference": worst}


def _heard(
    predictor: Predictor, graph: Graph, wave: Floats, rate: int
) -> tuple[Floats, dict[str, Floats]]:
    """A recording as the graph takes it, (1, channels, samples), and what is said of its rows."""
    signal = predictor.recipe.fronts[graph.source].signal
    assert isinstance(signal, Signal)
    pieces = list(from_memory(wave, rate, signal, [(0.0, wave.shape[-1] / rate)]))
    expected, _ = predictor.scores(graph.source, list(graph.heads), pieces)
    return pieces[0].wave[None], expected


def made_sounds(
    seconds: float, channels: int, rate: int, vary: bool
) -> dict[str, tuple[Floats, int]]:
    """Noise, a tone, a sweep and clicks, for where no recordings are given.

    vary: of different lengths, from `seconds` to half as much again.
    """
    rng = np.random.default_rng(0)
    found: dict[str, tuple[Floats, int]] = {}
    for number, name in enumerate(("noise", "tone", "sweep", "clicks", "quiet noise")):
        count = max(round(seconds * rate * (1 + 0.12 * number * vary)), 2)
        time = np.arange(count) / rate
        wave = {
            "noise": rng.normal(0, 0.1, count),
            "tone": 0.5 * np.sin(2 * np.pi * 0.05 * rate * time),
            "sweep": 0.5 * np.sin(2 * np.pi * (50 + 0.1 * rate * time / time[-1]) * time),
            "clicks": (np.arange(count) % (rate // 10 + 1) == 0) * 0.9,
            "quiet noise": rng.normal(0, 1e-3, count),
        }[name]
        found[name] = (np.repeat(wave[None].astype(np.float32), channels, axis=0), rate)
    return found


def score_of(task: Task, scores: Floats, truth: Sequence[list[str] | None]) -> float | None:
    """The task's primary metric; truth as predictions.parquet has it."""
    return task.quick(scores, targets_of(task, truth))


def targets_of(task: Task, truth: Sequence[list[str] | None]) -> Targets:
    """The encoded targets of named labels."""
    kind = task.column
    if pa.types.is_list(kind):
        return task.encode(pa.array(truth, kind))
    one = [None if names is None else names[0] for names in truth]
    if pa.types.is_boolean(kind):
        return task.encode(pa.array([None if n is None else n == "yes" for n in one], kind))
    if pa.types.is_floating(kind):
        return task.encode(pa.array([None if n is None else float(n) for n in one], kind))
    return task.encode(pa.array(one, kind))


def _says(
    predictor: Predictor, source: str, heads: Sequence[str], matrix: Floats
) -> dict[str, list[float]]:
    """Head -> scores of one clip, behind stages in numpy."""
    scores = predictor.scores_of(source, heads, predictor.stored(source, [matrix]))
    return {head: found.mean(axis=0).tolist() for head, found in scores.items()}


def _rows(table: pa.Table) -> Iterator[dict[str, Any]]:
    for batch in table.to_batches(10_000):
        yield from batch.to_pylist()

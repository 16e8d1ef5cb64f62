"""Where a network puts its test clips: what its heads are given, as points with facts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import torch
from torch import Tensor, nn

from raymtl.deploy.checks import PREDICTIONS
from raymtl.deploy.loading import load
from raymtl.deploy.predictor import Predictor
from raymtl.deploy.rows import Row, batches
from raymtl.errors import StudyError
from raymtl.extraction.store import FeatureStore
from raymtl.tasks import Floats

_PACK = 128  # clips taken through the network at a time


@dataclass(frozen=True, eq=False)
class Cloud:
    """name: ``shared``, or of the head whose own input it is. vectors: (N, width) float32.

    facts: column -> a word of each point: id, source, and of each task what is true and was said.
    """

    name: str
    vectors: Floats
    facts: dict[str, list[str]]


def clouds(run: Path, most: int) -> list[Cloud]:
    """The run's test clips as its heads are given them: one cloud where all are given the same.

    Features are read from the store. A clip that is cut into windows lies at their mean.

    Args:
        most: clips in all, spread evenly over each source.

    Raises:
        StudyError: when features are no longer there, or a head is no module of the network.
        StoreError: when the run is damaged, or made by code that is not here.
    """
    predictor = load(run)
    said = _said(run)
    share = max(1, most // max(1, len(said)))
    parts = [_of_source(predictor, run, name, rows, share) for name, rows in sorted(said.items())]
    rows = [row for part in parts for row in part.rows]
    points = {
        head: np.concatenate([part.points[head] for part in parts]) for head in predictor.tasks
    }
    facts, first = _facts(rows, list(points)), next(iter(points.values()))
    if all(np.array_equal(first, other) for other in points.values()):
        return [Cloud("shared", first, facts)]
    return [Cloud(head, found, facts) for head, found in points.items()]


@dataclass(frozen=True, eq=False)
class _Part:
    """Points of one source by head, and a row of facts a clip."""

    points: dict[str, Floats]
    rows: list[dict[str, Any]]


def _of_source(
    predictor: Predictor, run: Path, source: str, said: Mapping[str, dict[str, Any]], most: int
) -> _Part:
    store = FeatureStore(run.resolve().parents[3] / "features")
    address = predictor.record["sources"][source]["features"]
    if not store.complete(address):
        raise StudyError(f"the features of {source} are no longer in the store")
    features = store.open(address)
    ids = sorted(said)[:: max(1, -(-len(said) // most))]
    found: dict[str, list[Floats]] = {head: [] for head in predictor.tasks}
    for at in range(0, len(ids), _PACK):
        some = ids[at : at + _PACK]
        rows = predictor.stored(source, [features.matrix(features.known[clip]) for clip in some])
        for head, given in _inputs(predictor, source, rows, len(some)).items():
            found[head].append(given)
    points = {head: np.concatenate(packs) for head, packs in found.items()}
    return _Part(points, [{"id": clip, "source": source, **said[clip]} for clip in ids])


def _inputs(
    predictor: Predictor, source: str, rows: Sequence[Row], clips: int
) -> dict[str, Floats]:
    """Head -> mean of what it is given of each clip, (clips, width) float32."""
    front, shape = predictor.recipe.fronts[source], predictor.recipe.shape
    sums: dict[str, Any] = {}
    sizes = np.bincount([row.piece for row in rows], minlength=clips)[:, None]
    for places, inputs in batches(rows, front, shape):
        of = [rows[place].piece for place in places]
        for head, values in heads_given(predictor.network, inputs).items():
            total = sums.setdefault(head, np.zeros((clips, values.shape[1])))
            np.add.at(total, of, values)
    return {head: (t / np.maximum(sizes, 1)).astype(np.float32) for head, t in sums.items()}


def heads_given(network: nn.Module, inputs: dict[str, Tensor]) -> dict[str, Floats]:
    """Head -> (B, width) float32: the input of the module whose output is the head's.

    Raises:
        StudyError: when no module gives a head's output as it is, of one tensor (B, width).
    """
    seen: list[tuple[Tensor, Tensor]] = []

    def watch(module: nn.Module, given: tuple[Any, ...], output: Any) -> None:
        if isinstance(output, Tensor) and given and isinstance(given[0], Tensor):
            seen.append((output, given[0]))

    hooks = [m.register_forward_hook(watch) for m in network.modules() if m is not network]
    try:
        with torch.no_grad():  # inference_mode would give outputs that are other objects
            outputs = network(inputs)
    finally:
        for hook in hooks:
            hook.remove()
    found: dict[str, Floats] = {}
    for head, output in outputs.items():
        given = next((g for made, g in seen if made is output and g.ndim == 2), None)
        if head == "auxiliary":
            continue
        if given is None:
            raise StudyError(f"what head {head!r} is given cannot be read off the network")
        found[head] = given.float().numpy()
    return found


def _said(run: Path) -> dict[str, dict[str, dict[str, Any]]]:
    """Source -> clip -> what is true and was said of it, by task."""
    found: dict[str, dict[str, dict[str, Any]]] = {}
    table = pq.read_table(run / PREDICTIONS, columns=["id", "source", "task", "truth", "decision"])
    for batch in table.to_batches(10_000):
        for row in batch.to_pylist():
            clip = found.setdefault(row["source"], {}).setdefault(row["id"], {})
            clip[row["task"]] = _words(row["truth"])
            clip[f"{row['task']}, said"] = _words(row["decision"])
    return found


def _words(labels: list[str] | None) -> str:
    return "?" if labels is None else ", ".join(labels)


def _facts(rows: Sequence[Mapping[str, Any]], heads: Sequence[str]) -> dict[str, list[str]]:
    """Columns of the facts: what a clip has no target for is empty."""
    return {name: [str(row.get(name, "")) for row in rows] for name in _columns(heads)}


def _columns(heads: Sequence[str]) -> Iterator[str]:
    yield from ("id", "source")
    for head in heads:
        yield from (head, f"{head}, said")

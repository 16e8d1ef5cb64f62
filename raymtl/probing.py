"""What stored features and trained networks say of pairs of sources: reads, trains nothing.

Under every extraction and network of a sweep, on few clips of each source, so that it stays cheap.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import lru_cache
from math import isfinite
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import torch
from torch import Tensor

from raymtl.deploy import Predictor, load
from raymtl.errors import RaymtlError, StudyError
from raymtl.extraction.featureset import FeatureSet
from raymtl.extraction.store import FeatureStore
from raymtl.kept import Epoch, spelt
from raymtl.loading.inputs import Inputs
from raymtl.results.records import PREDICTIONS
from raymtl.results.relations.predictors.affinity import Affinity, overlap
from raymtl.results.relations.predictors.gradients import gradient_cosine, lookahead
from raymtl.results.relations.predictors.networks import linear_cka, linear_probe
from raymtl.results.relations.predictors.sounds import frechet_distance, spectral_facts
from raymtl.results.relations.probes import (
    CLIPS,
    DISTANCE,
    NETWORKS,
    SOUND,
    Probe,
    Result,
    keep,
    kept,
)
from raymtl.tasks import AnyOf, OneOf, Task, YesNo

Doubles = npt.NDArray[np.float64]
RATE = 0.01  # length of the step that looks ahead, in gradients
PAUSE = 5.0  # seconds from one writing of what was measured to the next


@dataclass(frozen=True)
class Made:
    """measures: key -> result, those kept before and those made now. failed: key -> why not."""

    measures: dict[str, Result]
    failed: dict[str, str]


def make(
    wanted: Sequence[Probe],
    sweep: Path,
    store: Path,
    code: Sequence[str] = (),
    done: Callable[[], None] = lambda: None,
) -> Made:
    """Makes the measures that are not kept beside the sweep yet, and keeps them.

    What is finished is kept whatever ends this, Ctrl-C included. What cannot be had (features
    removed, runs without their network) is in `failed` and tried again the next time.

    Args:
        code: files of the user's own classes.
        done: called after each measure that was made or failed.

    Raises:
        StoreError: when the sweep's folder cannot be written.
    """
    found = Made(kept(sweep), {})
    measuring = _Measuring(sweep, store, code)
    written, fresh = time.monotonic(), False
    try:
        for probe in missing(wanted, found.measures):
            try:
                found.measures[probe.key] = measuring.result(probe)
                fresh = True
            except (RaymtlError, OSError, RuntimeError) as error:
                reason = str(error).split("\n")[0]
                found.failed[probe.key] = f"{probe.kind} of {' and '.join(probe.sources)}: {reason}"
            done()
            if fresh and time.monotonic() - written > PAUSE:
                keep(sweep, found.measures)
                written, fresh = time.monotonic(), False
    finally:
        if fresh:
            keep(sweep, found.measures)
    return found


def missing(wanted: Sequence[Probe], measures: dict[str, Result]) -> list[Probe]:
    """Those of which nothing is kept, none twice."""
    return list({p.key: p for p in wanted if p.key not in measures}.values())


class _Measuring:
    def __init__(self, sweep: Path, store: Path, code: Sequence[str]) -> None:
        self._sweep, self._code = sweep, code
        self._store = FeatureStore(store / "features")
        self._open = lru_cache(maxsize=64)(self._store.open)
        self._network = lru_cache(maxsize=64)(self._load)
        self._means = lru_cache(maxsize=64)(self._heard)
        self._own = lru_cache(maxsize=2)(self._shown)

    def result(self, probe: Probe) -> Result:
        found = self._measured(probe)
        return {
            k: None if isinstance(v, float) and not isfinite(v) else v for k, v in found.items()
        }

    def _measured(self, probe: Probe) -> Result:
        if probe.kind == SOUND:
            return self._facts(probe)
        if probe.kind == DISTANCE:
            return self._distance(probe)
        return self._trunks(probe) if probe.kind == NETWORKS else self._gradients(probe)

    def _load(self, run: str, epoch: Epoch = "best") -> Predictor:
        return load(self._sweep / "runs" / run, self._code, epoch)

    def _heard(self, address: str) -> Doubles:
        """Mean over time of each clip, (clips, channels × features)."""
        features = self._open(address)
        if not len(features):
            raise StudyError(f"{address}: holds no clip.")
        rows = np.linspace(0, len(features) - 1, min(CLIPS, len(features))).astype(int)
        return np.array([features.matrix(r).mean(axis=1, dtype=np.float64).ravel() for r in rows])

    def _facts(self, probe: Probe) -> Result:
        means, frames = self._means(probe.features[0]), self._open(probe.features[0]).frames
        recipe = self._network(probe.runs[0]).recipe
        front = recipe.fronts[probe.sources[0]]
        sound = front.signal.media == "audio"
        lengths = frames / (recipe.extraction.frame_rate(front.rate) if sound else 1.0)
        what = "duration" if sound else "frames"
        facts = {what: float(lengths.mean()), f"{what} spread": float(lengths.std())}
        if probe.method.extraction.startswith("LogMel"):
            facts |= spectral_facts(means)
        return facts

    def _distance(self, probe: Probe) -> Result:
        one, other = (self._means(address) for address in probe.features)
        if one.shape[1] != other.shape[1]:
            return {}
        return {"distance": frechet_distance(one, other)}

    def _shown(self, run: str, name: str, address: str) -> tuple[list[str], Any, Doubles]:
        """A source's clips, their labels, and what its own network makes of them."""
        ids, labels = _truths(self._sweep / "runs" / run, name)
        own = self._network(run)
        return ids, labels, _hidden(own, _batch(own, self._open(address), name, ids))

    def _trunks(self, probe: Probe) -> Result:
        """CKA of both trunks and a probe on the partner's, on the main source's clips: each behind
        the stages that were fitted for its own run."""
        ids, labels, own = self._own(probe.runs[0], probe.sources[0], probe.features[0])
        network, features = self._network(probe.runs[1]), self._open(probe.features[0])
        other = _hidden(network, _batch(network, features, probe.sources[1], ids))
        known = [at for at, found in enumerate(labels) if found and len(found) == 1]
        codes = np.unique([labels[at][0] for at in known], return_inverse=True)[1]
        return {
            "representations alike": linear_cka(own, other),
            "probe of partner": linear_probe(other[known], codes) if known else None,
        }

    def _gradients(self, probe: Probe) -> Result:
        """Affinities both ways, in the network that learnt both; means over the epochs that were
        kept, as TAG takes them over training."""
        opened = [self._open(address) for address in probe.features]
        common = overlap(*(features.ids for features in opened))
        epochs: Sequence[Epoch] = probe.epochs or ("best",)
        every = [self._at(probe, opened, epoch) for epoch in epochs]
        cosine = _mean([cosine for cosine, _ in every])
        said = spelt(list(probe.epochs)) if probe.epochs else "best"
        rows = []
        for at, (main, partner) in enumerate((probe.sources, probe.sources[::-1])):
            ahead = _mean([steps[at] for _, steps in every])
            rows.append(asdict(Affinity(main, partner, cosine, ahead, common, said)))
        return {"rows": rows}

    def _at(
        self, probe: Probe, opened: Sequence[FeatureSet], epoch: Epoch
    ) -> tuple[float | None, list[float | None]]:
        """Cosine, and the step ahead of either source, in the weights of one epoch."""
        network = self._network(probe.runs[0], epoch)
        losses = [
            _loss(network, self._sweep / "runs" / probe.runs[0], features, name)
            for features, name in zip(opened, probe.sources, strict=True)
        ]
        shared = [w for w in _trunk(network).parameters() if w.requires_grad]
        ahead = [lookahead(own, other, shared, RATE) for own, other in (losses, losses[::-1])]
        if not all(value is None or isfinite(value) for value in ahead):
            raise StudyError("the loss after a step is not finite.")
        return gradient_cosine(losses[0], losses[1], shared), ahead


def _mean(values: Sequence[float | None]) -> float | None:
    """Of those that are known."""
    known = [value for value in values if value is not None]
    return float(np.mean(known)) if known else None


def _batch(
    network: Predictor, features: FeatureSet, name: str, ids: list[str]
) -> dict[str, Tensor]:
    """Inputs of clips as the run's fitted stages make them, the first window of each."""
    inputs = Inputs(features, ids, network.recipe.fronts[name].stages)
    return inputs.batch(np.unique(inputs.clips, return_index=True)[1].astype(np.int64))


def _loss(network: Predictor, run: Path, features: FeatureSet, name: str) -> Callable[[], Tensor]:
    """Summed mean losses of a source's heads on its clips."""
    parts = []
    for head in network.recipe.fronts[name].tasks:
        ids, labels = _truths(run, name, head)
        task = network.tasks[head]
        targets = task.encode(_column(task, labels))
        parts.append((task, _batch(network, features, name, ids), targets))

    def loss() -> Tensor:
        total = torch.zeros(())
        for task, batch, targets in parts:
            output = network.network(batch, [task.name])[task.name]
            values = torch.from_numpy(targets.values), torch.from_numpy(targets.valid)
            total = total + task.loss(output, *values)
        return total

    return loss


def _truths(run: Path, source: str, task: str | None = None) -> tuple[list[str], list[list[str]]]:
    """Ids and labels of a run's test clips, spread evenly; of the first task without a name."""
    table = pq.read_table(run / PREDICTIONS, columns=["id", "source", "task", "truth"])
    table = table.filter(pc.equal(table["source"], source)).sort_by(
        [("task", "ascending"), ("id", "ascending")]
    )
    task = task or table["task"][0].as_py()
    table = table.filter(pc.and_(pc.equal(table["task"], task), pc.is_valid(table["truth"])))
    rows = np.unique(np.linspace(0, len(table) - 1, min(CLIPS, len(table))).astype(int))
    table = table.take(pa.array(rows))
    return table["id"].to_pylist(), table["truth"].to_pylist()


def _column(task: Task, labels: list[list[str]]) -> pa.Array:
    """Labels as a reader would give them.

    Raises:
        StudyError: for a kind of task whose labels are not kept as such.
    """
    if isinstance(task, OneOf):
        return pa.array([found[0] for found in labels], task.column)
    if isinstance(task, AnyOf):
        return pa.array(labels, task.column)
    if isinstance(task, YesNo):
        return pa.array([found[0] == "yes" for found in labels], task.column)
    raise StudyError(f"{task.name}: gradients of a {type(task).__name__} are not looked at.")


def _trunk(network: Predictor) -> torch.nn.Module:
    trunk = getattr(network.network, "trunk", None)
    if not isinstance(trunk, torch.nn.Module):
        raise StudyError(f"{type(network.recipe.model).__name__} has no shared trunk.")
    return trunk


def _hidden(network: Predictor, batch: dict[str, Tensor]) -> Doubles:
    with torch.no_grad():
        found: Doubles = _trunk(network)(batch).numpy().astype(np.float64)
    return found

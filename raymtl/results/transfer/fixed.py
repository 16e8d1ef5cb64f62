"""Scores of runs on parts of one fixed test set, from their predictions and the clips' groups."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from raymtl.results.records import PREDICTIONS
from raymtl.results.state import SweepState
from raymtl.results.transfer.gains import Gain
from raymtl.results.transfer.inference import Doubles, Weights

CLIPS = "clips.parquet"  # of a sweep: source, id, component
Codes = npt.NDArray[np.int64]
Metric = Callable[[Weights], Doubles]  # how often each clip counts (draws, N) to scores (draws,)


@dataclass(frozen=True, eq=False)
class FixedSet:
    """One fixed test set as the paired runs of a gain saw it.

    clusters: (N,) what is drawn together. scores: per paired seed, with and without partners.
    """

    clusters: list[str]
    scores: list[tuple[Metric, Metric]]

    def differences(self, weights: Weights) -> Doubles:
        """(draws, N) counts to (seeds, draws)."""
        return np.stack([one(weights) - other(weights) for one, other in self.scores])


@dataclass(frozen=True, eq=False)
class _Said:
    """What one run said of the test clips of one task: their ids, and its score on any draw."""

    ids: list[str]
    score: Metric


@lru_cache(maxsize=2)
def fixed_sets(state: SweepState) -> Callable[[Gain], FixedSet | str]:
    """For a gain on one test set: the test set, or why there is none to resample.

    A run's scores on the draws are computed once, whatever it is compared with.
    """
    components = _components(state.sweep)

    @cache
    def said(run: str, source: str, task: str, metric: str) -> _Said | None:
        table = _predictions(state.sweep / "runs" / run / PREDICTIONS, source, task)
        if table is None:
            return None
        labels = state.tasks.get(task, {}).get("labels", [])
        return _Said(table["id"].to_pylist(), _once(_RESAMPLED[metric](table, labels)))

    def of(gain: Gain) -> FixedSet | str:
        source, task, metric, _ = gain.what
        if metric not in _RESAMPLED:
            return f"{metric} is not resampled"
        runs = [run for pair in gain.pairs for run in (pair.run, pair.base_run)]
        known = [one for run in runs if (one := said(run, source, task, metric)) is not None]
        if len(known) < len(runs):
            return "predictions are missing"
        ids = known[0].ids
        if any(one.ids != ids for one in known):
            return "the runs did not score the same clips"
        clusters = [components.get((source, i), i) for i in ids]
        scores = [one.score for one in known]
        return FixedSet(clusters, list(zip(scores[::2], scores[1::2], strict=True)))

    return of


def _once(metric: Metric) -> Metric:
    """The metric, which remembers its answer to the last weights (kept by `clip_weights`)."""
    last: list[tuple[Weights, Doubles]] = []

    def remembered(weights: Weights) -> Doubles:
        if not last or last[0][0] is not weights:
            last[:] = [(weights, metric(weights))]
        return last[0][1]

    return remembered


def _components(sweep: Path) -> dict[tuple[str, str], str]:
    if not (sweep / CLIPS).is_file():
        return {}
    table = pq.read_table(sweep / CLIPS)
    names = (table[name].to_pylist() for name in ("source", "id", "component"))
    return {(source, i): component for source, i, component in zip(*names, strict=True)}


def _predictions(path: Path, source: str, task: str) -> pa.Table | None:
    """Rows with a known truth, by id."""
    try:
        table = pq.read_table(path, filters=[("source", "=", source), ("task", "=", task)])
    except (OSError, pa.ArrowException):
        return None
    return table.filter(pc.is_valid(table["truth"])).sort_by("id")


def _codes(column: pa.ChunkedArray, labels: Sequence[str]) -> Codes:
    flat = pc.list_flatten(column.combine_chunks())
    codes: Codes = pc.index_in(flat, value_set=pa.array(labels, pa.string())).to_numpy()
    return codes.astype(np.int64)


def _uar(table: pa.Table, labels: Sequence[str]) -> Metric:
    truth, decided = _codes(table["truth"], labels), _codes(table["decision"], labels)
    is_of = np.eye(len(labels))[truth]
    right = is_of * (truth == decided)[:, None]

    def score(weights: Weights) -> Doubles:
        support, hits = weights @ is_of, weights @ right
        present = support > 0
        recalls = np.where(present, hits / np.maximum(support, 1), 0.0)
        found: Doubles = recalls.sum(axis=1) / np.maximum(present.sum(axis=1), 1)
        return found

    return score


def _map(table: pa.Table, labels: Sequence[str]) -> Metric:
    scores = np.stack(table["scores"].to_pylist()).astype(np.float64)
    truth = np.array([[label in found for label in labels] for found in table["truth"].to_pylist()])

    def score(weights: Weights) -> Doubles:
        each = np.stack(
            [_precisions(scores[:, k], truth[:, k], weights) for k in range(len(labels))]
        )
        known = ~np.isnan(each)  # a draw without a positive of a label leaves the label out
        total = np.where(known, each, 0.0).sum(axis=0)
        found: Doubles = np.where(
            known.any(axis=0), total / np.maximum(known.sum(axis=0), 1), np.nan
        )
        return found

    return score


def _precisions(scores: Doubles, truth: npt.NDArray[np.bool_], weights: Weights) -> Doubles:
    """Average precision of one label in each draw: (N,), (N,), (draws, N) to (draws,), NaN without
    a positive; clips of equal score are accepted together, as in `tasks.metrics`."""
    order = np.argsort(-scores, kind="stable")
    ranked, drawn = scores[order], weights[:, order]
    ends = np.append(np.flatnonzero(np.diff(ranked)), len(ranked) - 1)
    seen = np.cumsum(drawn, axis=1)[:, ends]
    hits = np.cumsum(drawn * truth[order], axis=1)[:, ends]
    gained = np.diff(hits, axis=1, prepend=0)
    positives = hits[:, -1]
    total = (gained * hits / np.maximum(seen, 1)).sum(axis=1)
    found: Doubles = np.where(positives > 0, total / np.maximum(positives, 1), np.nan)
    return found


def _r2(table: pa.Table, labels: Sequence[str]) -> Metric:
    said = np.array([found[0] for found in table["scores"].to_pylist()], np.float64)
    truth = np.array([float(found[0]) for found in table["truth"].to_pylist()])
    truth, said = truth - truth.mean(), said - truth.mean()
    squares = (said - truth) ** 2

    def score(weights: Weights) -> Doubles:
        count = weights.sum(axis=1)
        mean = weights @ truth / count
        spread = weights @ truth**2 / count - mean**2
        known = spread > 1e-9 * max(float(truth.var()), 1e-300)  # not all draws of one value
        found: Doubles = 1 - weights @ squares / count / np.where(known, spread, np.nan)
        return found

    return score


def resampled(metric: str, table: pa.Table, labels: Sequence[str]) -> Metric | None:
    """A metric on any draw of clips, of predictions whose truth is known; None for one that is not
    resampled."""
    found = _RESAMPLED.get(metric)
    return None if found is None else found(table, labels)


_RESAMPLED: dict[str, Callable[[pa.Table, Sequence[str]], Metric]] = {
    "uar": _uar,
    "map": _map,
    "r2": _r2,
}

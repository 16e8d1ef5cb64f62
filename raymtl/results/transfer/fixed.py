"""Scores of runs on draws of one fixed test set, from their predictions and the clips' groups."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from raymtl.errors import StudyError
from raymtl.results.records import PREDICTIONS
from raymtl.results.state import SweepState
from raymtl.results.transfer.drawn import Draws, Ints, drawn_map, drawn_r2, drawn_uar
from raymtl.results.transfer.gains import Gain
from raymtl.results.transfer.inference import Doubles, clip_draws

CLIPS = "clips.parquet"  # of a sweep: source, id, component
MISSING = "predictions are missing"
_CLOSE = 1e-4  # scores from predictions, which are kept in single precision, to those recorded
Metric = Callable[[Draws], Doubles]  # scores on each draw, (draws,)
_COLUMNS = ["id", "source", "task", "truth", "decision", "scores"]


@dataclass(frozen=True, eq=False)
class FixedSet:
    """One fixed test set as the paired runs of a gain saw it.

    clusters: how many there are. differences: (seeds, 1 + draws) with partners minus without, on
    the whole set and on each draw of it.
    """

    clusters: int
    differences: Doubles


class _Asked(NamedTuple):
    """What is scored of one run."""

    source: str
    task: str
    metric: str


@dataclass(frozen=True, eq=False)
class _Said:
    """Scores of one run on the clips `ids` and on each draw of them, (1 + draws,)."""

    ids: tuple[str, ...]
    clusters: int
    scores: Doubles


@lru_cache(maxsize=2)
def fixed_sets(state: SweepState, draws: int) -> FixedSets:
    """The fixed test sets of a sweep; what has been drawn of them is kept while it is asked for."""
    return FixedSets(state, draws)


class FixedSets:
    """Scores on the draws of fixed test sets, each run's computed once, whatever it is paired with.

    Runs are read side by side; of each only its scores stay in memory.
    """

    def __init__(self, state: SweepState, draws: int) -> None:
        self._state = state
        self._count = draws
        self._components = _components(state.sweep)
        self._ids: dict[tuple[str, ...], tuple[str, ...]] = {}
        self._said: dict[tuple[str, _Asked], _Said | str] = {}

    def of(self, found: Sequence[Gain]) -> list[FixedSet | str]:
        """For each gain on one test set: the test set, or why there is none to resample."""
        wanted: dict[str, dict[_Asked, None]] = defaultdict(dict)
        for gain in found:
            asked = _Asked(*gain.what[:3])
            for run in _runs(gain):
                if asked.metric in _DRAWN and (run, asked) not in self._said:
                    wanted[run][asked] = None
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            for run, said in zip(
                wanted, pool.map(self._read, wanted, wanted.values()), strict=True
            ):
                self._said |= {(run, asked): one for asked, one in said.items()}
        return [self._set(gain) for gain in found]

    def _set(self, gain: Gain) -> FixedSet | str:
        asked = _Asked(*gain.what[:3])
        if asked.metric not in _DRAWN:
            return f"{asked.metric} is not resampled"
        known: list[_Said] = []
        for run in _runs(gain):
            said = self._said[run, asked]
            if isinstance(said, str):
                return said
            known.append(said)
        if any(one.ids is not known[0].ids for one in known):
            return "the runs did not score the same clips"
        scores = np.stack([one.scores for one in known])
        recorded = [score for pair in gain.pairs for score in (pair.score, pair.base)]
        if not np.allclose(scores[:, 0], recorded, rtol=_CLOSE, atol=_CLOSE):
            return "predictions do not tell the score: labels of some clips are partly unknown"
        return FixedSet(known[0].clusters, scores[::2] - scores[1::2])

    def _read(self, run: str, wanted: Iterable[_Asked]) -> dict[_Asked, _Said | str]:
        path = self._state.sweep / "runs" / run / PREDICTIONS
        try:
            table = pq.ParquetFile(path).read(_COLUMNS, use_threads=False)
        except (OSError, pa.ArrowException):
            return dict.fromkeys(wanted, MISSING)
        return {asked: self._score(table, asked) for asked in wanted}

    def _score(self, table: pa.Table, asked: _Asked) -> _Said | str:
        """Of the rows with a known truth, by id."""
        chosen = pc.and_(
            pc.and_(pc.equal(table["source"], asked.source), pc.equal(table["task"], asked.task)),
            pc.is_valid(table["truth"]),
        )
        rows = table.filter(chosen).sort_by("id")
        labels = self._state.tasks.get(asked.task, {}).get("labels", [])
        ids = tuple(rows["id"].to_pylist())
        try:
            draws = clip_draws(self._clusters(asked.source, ids), self._count, 0)
            scores = _DRAWN[asked.metric](rows, labels, draws)
        except StudyError as error:
            return str(error)
        return _Said(self._ids.setdefault(ids, ids), len(draws.counts), scores)

    def _clusters(self, source: str, ids: Iterable[str]) -> tuple[str, ...]:
        return tuple(self._components.get((source, i), i) for i in ids)


def _runs(gain: Gain) -> list[str]:
    return [run for pair in gain.pairs for run in (pair.run, pair.base_run)]


def _components(sweep: Path) -> dict[tuple[str, str], str]:
    if not (sweep / CLIPS).is_file():
        return {}
    table = pq.read_table(sweep / CLIPS)
    names = (table[name].to_pylist() for name in ("source", "id", "component"))
    return {(source, i): component for source, i, component in zip(*names, strict=True)}


def _codes(column: pa.ChunkedArray, labels: Sequence[str]) -> Ints:
    """Numbers of the labels in lists of them, one list after another."""
    flat = pc.list_flatten(column.combine_chunks())
    codes = pc.index_in(flat, value_set=pa.array(labels, pa.string()))
    if codes.null_count:
        raise StudyError("predictions hold labels that the task does not have")
    found: Ints = codes.to_numpy().astype(np.int64)
    return found


def _uar(rows: pa.Table, labels: Sequence[str], draws: Draws) -> Doubles:
    truth, decided = _codes(rows["truth"], labels), _codes(rows["decision"], labels)
    return drawn_uar(truth, decided, len(labels), draws)


def _map(rows: pa.Table, labels: Sequence[str], draws: Draws) -> Doubles:
    scores = pc.list_flatten(rows["scores"].combine_chunks()).to_numpy()
    sizes = pc.list_value_length(rows["truth"].combine_chunks()).to_numpy()
    truth = np.zeros((len(rows), len(labels)), np.bool_)
    truth[np.repeat(np.arange(len(rows)), sizes), _codes(rows["truth"], labels)] = True
    return drawn_map(scores.reshape(truth.shape), truth, draws)


def _r2(rows: pa.Table, labels: Sequence[str], draws: Draws) -> Doubles:
    said = pc.list_flatten(rows["scores"].combine_chunks()).to_numpy().astype(np.float64)
    truth = pc.list_flatten(rows["truth"].combine_chunks()).cast(pa.float64()).to_numpy()
    return drawn_r2(said, truth, draws)


_DRAWN: dict[str, Callable[[pa.Table, Sequence[str], Draws], Doubles]] = {
    "uar": _uar,
    "map": _map,
    "r2": _r2,
}


def resampled(metric: str, rows: pa.Table, labels: Sequence[str]) -> Metric | None:
    """A metric on any draws of clips, of predictions whose truth is known; None for one that is not
    resampled."""
    found = _DRAWN.get(metric)
    return None if found is None else partial(found, rows, labels)

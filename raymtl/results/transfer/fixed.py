"""Scores of runs on draws of one fixed test set, from their predictions and the clips' groups."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from raymtl.errors import StudyError
from raymtl.results.records import PREDICTIONS
from raymtl.results.state import SweepState
from raymtl.results.transfer.drawn import (
    Draws,
    Ints,
    drawn_f1,
    drawn_map,
    drawn_r2,
    drawn_uar,
)
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


@dataclass(frozen=True, eq=False)
class _Labelled:
    """Labels of clips, as `drawn_f1` takes them; `truth` is shared by runs that agree on it."""

    ids: tuple[str, ...]
    draws: Draws
    labels: tuple[str, ...]
    truth: Ints
    decided: npt.NDArray[np.int32]


@lru_cache(maxsize=2)
def fixed_sets(state: SweepState, draws: int) -> FixedSets:
    """The fixed test sets of a sweep; what has been drawn of them is kept while it is asked for."""
    return FixedSets(state, draws)


class FixedSets:
    """Scores on the draws of fixed test sets, each run's computed once, whatever it is paired with.

    Runs are read side by side; of each its scores stay in memory, and four bytes a label that it
    said of a clip.
    """

    def __init__(self, state: SweepState, draws: int) -> None:
        self._state = state
        self._count = draws
        self._components = _components(state.sweep)
        self._ids: dict[tuple[str, ...], tuple[str, ...]] = {}
        self._said: dict[tuple[str, _Asked], _Said | str] = {}
        self._truths: dict[bytes, Ints] = {}
        self._labelled: dict[tuple[str, str, str], _Labelled | str] = {}

    def of(self, found: Sequence[Gain]) -> Iterator[tuple[Gain, FixedSet | str]]:
        """Each gain on one test set with that set, or why there is none to resample."""
        self._read_all(found)
        whole = [gain for gain in found if gain.what.label is None]
        yield from ((gain, self._set(gain)) for gain in whole)
        together: dict[_Group, list[Gain]] = defaultdict(list)
        for gain in found:
            if gain.what.label is not None:
                together[_group(gain)].append(gain)
        drawn = lru_cache(maxsize=2 * max((len(g.pairs) for g in found), default=1))(self._f1)
        for group in sorted(together):  # those of one method, with one base, follow one another
            for gain in together[group]:
                yield gain, self._label_set(gain, drawn)

    def _read_all(self, found: Sequence[Gain]) -> None:
        wanted: dict[str, dict[_Asked, None]] = defaultdict(dict)
        for gain in found:
            asked = _Asked(*gain.what[:3])
            for run in _runs(gain):
                known = (
                    (run, asked) in self._said
                    if gain.what.label is None
                    else (run, asked.source, asked.task) in self._labelled
                )
                if not known and (asked.metric in _DRAWN or gain.what.label is not None):
                    wanted[run][asked] = None
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            for run, said in zip(
                wanted, pool.map(self._read, wanted, wanted.values()), strict=True
            ):
                for asked, (scores, labels) in said.items():
                    self._said[run, asked] = scores
                    self._labelled[run, asked.source, asked.task] = labels

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
        each = [(one.ids, one.scores) for one in known]
        return _differences(gain, each, known[0].clusters)

    def _f1(self, run: str, source: str, task: str) -> Doubles:
        known = self._labelled[run, source, task]
        assert isinstance(known, _Labelled)
        decided = known.decided.astype(np.int64)
        return drawn_f1(known.truth, decided, len(known.labels), known.draws)

    def _label_set(self, gain: Gain, drawn: Callable[[str, str, str], Doubles]) -> FixedSet | str:
        keys = [(run, gain.what.source, gain.what.task) for run in _runs(gain)]
        known: list[_Labelled] = []
        for key in keys:
            one = self._labelled[key]
            if isinstance(one, str):
                return one
            known.append(one)
        if len({one.labels for one in known}) > 1 or gain.what.label not in known[0].labels:
            return "the runs have other labels"
        at = known[0].labels.index(gain.what.label)
        each = [(one.ids, drawn(*key)[at]) for one, key in zip(known, keys, strict=True)]
        return _differences(gain, each, len(known[0].draws.counts))

    def _read(
        self, run: str, wanted: Iterable[_Asked]
    ) -> dict[_Asked, tuple[_Said | str, _Labelled | str]]:
        path = self._state.sweep / "runs" / run / PREDICTIONS
        try:
            table = pq.ParquetFile(path).read(_COLUMNS, use_threads=False)
        except (OSError, pa.ArrowException):
            return dict.fromkeys(wanted, (MISSING, MISSING))
        return {asked: self._score(table, asked) for asked in wanted}

    def _score(self, table: pa.Table, asked: _Asked) -> tuple[_Said | str, _Labelled | str]:
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
            labelled = self._kept(rows, ids, labels, draws) if labels else "it has no labels"
            metric = _DRAWN.get(asked.metric)
            if metric is None:
                return f"{asked.metric} is not resampled", labelled
            scores = metric(rows, labels, draws)
        except StudyError as error:
            return str(error), str(error)
        return _Said(self._ids.setdefault(ids, ids), len(draws.counts), scores), labelled

    def _kept(
        self, rows: pa.Table, ids: tuple[str, ...], labels: Sequence[str], draws: Draws
    ) -> _Labelled:
        truth, decided = (_pairs(rows[name], labels) for name in ("truth", "decision"))
        truth = self._truths.setdefault(truth.tobytes(), truth)
        ids = self._ids.setdefault(ids, ids)
        return _Labelled(ids, draws, tuple(labels), truth, decided.astype(np.int32))

    def _clusters(self, source: str, ids: Iterable[str]) -> tuple[str, ...]:
        return tuple(self._components.get((source, i), i) for i in ids)


_Group = tuple[str, ...]


def _group(gain: Gain) -> _Group:
    how = gain.how
    return (*gain.what[:2], how.extraction, how.model, *how.partners, how.control)


def _differences(
    gain: Gain, each: Sequence[tuple[tuple[str, ...], Doubles]], clusters: int
) -> FixedSet | str:
    """From (clips, scores) of the gain's runs, those with partners and those without in turn."""
    if any(ids is not each[0][0] for ids, _ in each):
        return "the runs did not score the same clips"
    scores = np.stack([one for _, one in each]).astype(np.float64)
    recorded = [score for pair in gain.pairs for score in (pair.score, pair.base)]
    if not np.allclose(scores[:, 0], recorded, rtol=_CLOSE, atol=_CLOSE):
        return "predictions do not tell the score: labels of some clips are partly unknown"
    return FixedSet(clusters, scores[::2] - scores[1::2])


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


def _pairs(column: pa.ChunkedArray, labels: Sequence[str]) -> Ints:
    """Row * labels + label of every label in lists of them."""
    sizes = pc.list_value_length(column.combine_chunks()).to_numpy()
    return np.repeat(np.arange(len(sizes)), sizes) * len(labels) + _codes(column, labels)


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

"""Facts on every source from its runs alone: how it is learnt, its labels, its size, its score."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from raymtl.results.curves import histories
from raymtl.results.records import PREDICTIONS, Record
from raymtl.results.relations.predictors.curves import PLACES, logarithm, slopes
from raymtl.results.relations.predictors.labels import label_facts
from raymtl.results.state import SweepState
from raymtl.results.table import matches

Facts: TypeAlias = Mapping[str, Mapping[str, float]]  # source -> what it is -> number
MOST = 12  # runs of a source whose curves are read


def source_facts(
    state: SweepState, method: tuple[str, str] | None = None
) -> dict[str, dict[str, float]]:
    """As `SourceFacts.of`, of a sweep."""
    return SourceFacts(state).of(method)


class SourceFacts:
    """Facts on every source, its runs alone read once however often they are asked for."""

    def __init__(self, state: SweepState) -> None:
        self._state = state
        self._alone = alone(state)
        self._scores = _scores(state)
        self._curves: dict[str, dict[str, list[float]]] = {}
        self._labels: dict[tuple[str, str], dict[str, float]] = {}

    def of(self, method: tuple[str, str] | None = None) -> dict[str, dict[str, float]]:
        """Source -> facts, from its runs without partners; means over tasks, methods, folds, seeds.

        A source without such runs is left out; a fact that no run gives is, too. Facts on labels
        are of the clips that were tested: of all clips where every fold was run.

        Args:
            method: extraction and model of the runs looked at; all without.
        """
        found: dict[str, dict[str, float]] = {}
        for source, records in sorted(self._alone.items()):
            records = [r for r in records if method is None or method_of(r) == tuple(method)]
            if not records:
                continue
            sizes = [record.content["sources"][source]["train"] for record in records]
            facts = {"training clips": float(np.mean(sizes))}
            facts |= _means(self._curve(record) for record in records[:MOST])
            facts |= self._label_facts(source, records)
            scores = [
                value
                for of, values in self._scores.get(source, {}).items()
                for value in values
                if method is None or of == tuple(method)
            ]
            if scores:
                facts["score alone"] = float(np.mean(scores))
            found[source] = facts
        return found

    def _curve(self, record: Record) -> dict[str, list[float]]:
        if record.run not in self._curves:
            tables = histories(self._state.sweep, [record])
            self._curves[record.run] = _curve_values(tables[0]) if tables else {}
        return self._curves[record.run]

    def _label_facts(self, source: str, records: Sequence[Record]) -> dict[str, float]:
        """Of what one method's runs told: all tell the same clips."""
        cell = str(records[0].content["cell"]["name"])
        if (source, cell) not in self._labels:
            told = [record for record in records if record.content["cell"]["name"] == cell]
            self._labels[source, cell] = _label_facts(self._state, told)
        return self._labels[source, cell]


def alone(state: SweepState) -> dict[str, list[Record]]:
    """Source -> records of its runs without partners and controls, by run name."""
    found: dict[str, list[Record]] = defaultdict(list)
    for _, record in sorted(state.records.items()):
        cell = record.content.get("cell", {})
        if len(cell.get("combination", ())) == 1 and not cell.get("control"):
            found[cell["combination"][0]].append(record)
    return dict(found)


def method_of(record: Record) -> tuple[str, str]:
    cell = record.content["cell"]
    return str(cell["extraction"]), str(cell["model"])


def curve_facts(tables: Sequence[pa.Table]) -> dict[str, float]:
    """Slopes of the training loss per epoch and the parameters of a logarithm, mean over runs."""
    return _means(map(_curve_values, tables))


def _means(runs: Iterable[Mapping[str, Sequence[float]]]) -> dict[str, float]:
    found: dict[str, list[float]] = defaultdict(list)
    for run in runs:
        for name, values in run.items():
            found[name] += values
    return {name: float(np.mean(values)) for name, values in found.items()}


def _curve_values(table: pa.Table) -> dict[str, list[float]]:
    """What each task of a run gives."""
    found: dict[str, list[float]] = defaultdict(list)
    for epochs, losses in _losses(table):
        for place, slope in zip(PLACES, slopes(epochs, losses), strict=False):
            found[f"slope at {place:.0%}"].append(slope)
        fit = logarithm(epochs, losses)
        if fit is not None:
            found["curve b"].append(fit[1])
            found["curve c"].append(fit[2])
    return dict(found)


def _losses(table: pa.Table) -> Iterable[tuple[list[float], list[float]]]:
    """Epochs and training loss of each task."""
    chosen = pc.and_(pc.equal(table["part"], "train"), pc.equal(table["metric"], "loss"))
    rows = table.filter(chosen)
    for task in sorted(set(rows["task"].to_pylist())):
        one = rows.filter(pc.equal(rows["task"], task)).sort_by("epoch")
        yield one["epoch"].to_pylist(), one["value"].to_pylist()


def _label_facts(state: SweepState, records: Sequence[Record]) -> dict[str, float]:
    """Of the true labels of every test clip that these runs told; mean over tasks."""
    truths: dict[str, dict[str, list[str]]] = defaultdict(dict)
    for record in records:
        try:
            table = pq.read_table(
                state.sweep / "runs" / record.run / PREDICTIONS, columns=["id", "task", "truth"]
            )
        except (OSError, pa.ArrowException):
            continue
        columns = table.filter(pc.is_valid(table["truth"])).to_pydict()
        for task, clip, truth in zip(*(columns[n] for n in ("task", "id", "truth")), strict=True):
            truths[task][clip] = truth
    found: dict[str, list[float]] = defaultdict(list)
    for task, said in truths.items():
        if state.tasks.get(task, {}).get("labels"):
            counts = Counter(label for labels in said.values() for label in labels)
            for name, value in label_facts(list(counts.values())).items():
                found[name].append(value)
    return {name: float(np.mean(values)) for name, values in found.items()}


def _scores(state: SweepState) -> dict[str, dict[tuple[str, str], list[float]]]:
    """Source -> extraction and model -> test scores of its runs alone, by primary metrics."""
    results = state.results
    primary = {state.primary(task) for task in state.tasks}
    chosen = pc.and_(matches(results, "part", "test"), pc.is_null(results["label"]))
    chosen = pc.and_(chosen, matches(results, "metric", *sorted(primary)))
    rows = results.filter(pc.and_(chosen, pc.is_null(results["control"])))
    found: dict[str, dict[tuple[str, str], list[float]]] = defaultdict(lambda: defaultdict(list))
    names = ("combination", "source", "task", "metric", "extraction", "model", "value")
    for together, source, task, metric, extraction, model, value in zip(
        *(rows[name].to_pylist() for name in names), strict=True
    ):
        if together == source and metric == state.primary(task):
            found[source][extraction, model].append(value)
    return found

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
    """Source -> facts, from its runs without partners; means over tasks, methods, folds and seeds.

    A source without such runs is left out; a fact that no run gives is, too.

    Args:
        method: extraction and model of the runs looked at; all without.
    """
    scores = _scores(state, method)
    found: dict[str, dict[str, float]] = {}
    for source, records in sorted(alone(state).items()):
        records = [r for r in records if method is None or method_of(r) == method]
        if not records:
            continue
        sizes = [record.content["sources"][source]["train"] for record in records]
        facts = {"training clips": float(np.mean(sizes))}
        facts |= curve_facts(histories(state.sweep, records[:MOST]))
        facts |= _label_facts(state, source, records)
        if scores.get(source):
            facts["score alone"] = float(np.mean(scores[source]))
        found[source] = facts
    return found


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
    found: dict[str, list[float]] = defaultdict(list)
    for table in tables:
        for epochs, losses in _losses(table):
            for place, slope in zip(PLACES, slopes(epochs, losses), strict=False):
                found[f"slope at {place:.0%}"].append(slope)
            fit = logarithm(epochs, losses)
            if fit is not None:
                found["curve b"].append(fit[1])
                found["curve c"].append(fit[2])
    return {name: float(np.mean(values)) for name, values in found.items()}


def _losses(table: pa.Table) -> Iterable[tuple[list[float], list[float]]]:
    """Epochs and training loss of each task."""
    chosen = pc.and_(pc.equal(table["part"], "train"), pc.equal(table["metric"], "loss"))
    rows = table.filter(chosen)
    for task in sorted(set(rows["task"].to_pylist())):
        one = rows.filter(pc.equal(rows["task"], task)).sort_by("epoch")
        yield one["epoch"].to_pylist(), one["value"].to_pylist()


def _label_facts(state: SweepState, source: str, records: Sequence[Record]) -> dict[str, float]:
    """Of the true labels of every test clip that one method's runs told; mean over tasks."""
    cell = records[0].content["cell"]["name"]
    truths: dict[str, dict[str, list[str]]] = defaultdict(dict)
    for record in records:
        if record.content["cell"]["name"] != cell:
            continue
        try:
            table = pq.read_table(
                state.sweep / "runs" / record.run / PREDICTIONS, columns=["id", "task", "truth"]
            )
        except (OSError, pa.ArrowException):
            continue
        for row in table.filter(pc.is_valid(table["truth"])).to_pylist():
            truths[row["task"]][row["id"]] = row["truth"]
    found: dict[str, list[float]] = defaultdict(list)
    for task, said in truths.items():
        if state.tasks.get(task, {}).get("labels"):
            counts = Counter(label for labels in said.values() for label in labels)
            for name, value in label_facts(list(counts.values())).items():
                found[name].append(value)
    return {name: float(np.mean(values)) for name, values in found.items()}


def _scores(state: SweepState, method: tuple[str, str] | None) -> dict[str, list[float]]:
    """Source -> test scores of its runs alone, by primary metrics."""
    results = state.results
    chosen = pc.and_(matches(results, "part", "test"), pc.is_null(results["label"]))
    rows = results.filter(pc.and_(chosen, pc.is_null(results["control"])))
    found: dict[str, list[float]] = defaultdict(list)
    names = ("combination", "source", "task", "metric", "extraction", "model", "value")
    for together, source, task, metric, *of, value in zip(
        *(rows[name].to_pylist() for name in names), strict=True
    ):
        wanted = method is None or tuple(of) == tuple(method)
        if together == source and metric == state.primary(task) and wanted:
            found[source].append(value)
    return dict(found)

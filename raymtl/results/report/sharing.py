"""Who shares what in a sweep's networks: a drawing of each structure, and every cell's size."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from raymtl.results.report.panels import Names, Row
from raymtl.results.report.sections import bounded
from raymtl.results.report.shown import shown
from raymtl.results.report.trees import drawing
from raymtl.results.sharing import Part, Shares, in_words, shares, why_no_tree, why_unknown
from raymtl.results.state import SweepState
from raymtl.results.table import TOGETHER

MOST_STRUCTURES, MOST_PARTS = 12, 100  # drawn, and rows of one of them

_COLUMNS = {"combination": "Trained together", "control": "Control", "method": "Method",
            "tasks": "Tasks", "parameters": "Parameters", "shared": "Serve several tasks",
            "percent": "% of all", "apart": "Networks apart"}  # fmt: skip


@dataclass(frozen=True, eq=False)
class _Cell:
    """A cell's network, as the record of its first run has it."""

    about: Mapping[str, Any]
    shares: Shares
    sources: Mapping[str, Sequence[str]]  # of each task

    @property
    def combination(self) -> str:
        return TOGETHER.join(map(str, self.about.get("combination", [])))

    def method(self, names: Names) -> str:
        found = (names.extractions.get(e := self._of("extraction"), e),
                 names.models.get(m := self._of("model"), m))  # fmt: skip
        return " · ".join(found)

    def title(self, names: Names) -> str:
        control = self.about.get("control")
        return f"{self.combination}{f' ({control})' if control else ''} — {self.method(names)}"

    def label(self, task: str) -> str:
        """The task, and whose it is where its name does not say so."""
        sources = self.sources.get(task, ())
        told = len(sources) == 1 and (sources[0] == task or sources[0].endswith(f".{task}"))
        return task if told or not sources else f"{task} ({', '.join(sources)})"

    def _of(self, key: str) -> str:
        return str(self.about.get(key, ""))


def sharing(state: SweepState, names: Names) -> Row:
    """The structures that differ, each drawn for one of its cells, and a table of all cells."""
    found, unknown = _cells(state)
    structures: dict[Any, list[_Cell]] = defaultdict(list)
    for cell in found:
        structures[_structure(cell.shares)].append(cell)
    ordered = sorted(structures.values(), key=lambda cells: -len(cells[0].shares.tasks))
    table = _table(found, names)
    return {
        "structures": [
            _drawn(cells, names, number)
            for number, cells in enumerate(ordered[:MOST_STRUCTURES], start=1)
        ],
        "more": max(0, len(ordered) - MOST_STRUCTURES),
        "unknown": unknown.most_common(),
        "table": shown("sharing", "Size of every cell's network", table, _COLUMNS),
        "parts": shown(
            "sharing-parts", "Every part of every cell's network", _parts(found), most=0
        ),
    }


def _cells(state: SweepState) -> tuple[list[_Cell], Counter[str]]:
    """Cells with a record that tells; why others do not, and how many of these there are."""
    sources: dict[str, dict[str, dict[str, None]]] = defaultdict(lambda: defaultdict(dict))
    for row in state.summed:
        sources[row["cell"]][row["task"]][row["source"]] = None
    found: dict[str, _Cell] = {}
    unknown: dict[str, str] = {}
    for record in state.records.values():
        about = record.content.get("cell", {})
        name = str(about.get("name", record.run))
        told = shares(record.content) if name not in found else None
        if told:
            of_task = {task: list(each) for task, each in sources[name].items()}
            found[name] = _Cell(about, told, of_task)
        elif name not in found:
            unknown[name] = why_unknown(record.content)
    return list(found.values()), Counter(why for name, why in unknown.items() if name not in found)


def _structure(found: Shares) -> Any:
    """What is equal for networks that differ in names of tasks and numbers of parameters alone."""
    if len(found.tasks) == 1:
        return 1
    at = {task: number for number, task in enumerate(found.tasks)}
    return tuple(
        (
            tuple(at.get(step, step) for step in part.name.split(".")),
            frozenset(at[task] for task in part.tasks),
            part.reused,
        )
        for part in found.parts
    )


def _drawn(cells: Sequence[_Cell], names: Names, number: int) -> Row:
    one = next((cell for cell in cells if not cell.about.get("control")), cells[0])
    found = one.shares
    tree, several = found.tree(), len(found.tasks) > 1
    models = dict.fromkeys(cell.method(names).rpartition(" · ")[2] for cell in cells)
    labels = {task: one.label(task) for task in found.tasks}
    return {
        "title": f"{len(found.tasks)} task{'s' if several else ''}: {', '.join(models)}",
        "example": one.title(names),
        "cells": bounded([cell.title(names) for cell in cells]),
        "words": in_words(found),
        "problem": "" if tree else why_no_tree(found),
        "drawing": drawing(found, tree, labels) if tree and several else None,
        "matrix": _matrix(found, number) if several else None,
    }


def _matrix(found: Shares, number: int) -> Row:
    """Parts × tasks, and what each task uses in all."""
    parts = found.parts[:MOST_PARTS]
    return {
        "tasks": found.tasks,
        "rows": [(part, f"{found.share(part.parameters):.1f}", _note(part)) for part in parts],
        "more": len(found.parts) - len(parts),
        "parameters": found.parameters,
        "used": [found.used_by(task) for task in found.tasks],
        "table": _matrix_table(found, number),
    }


def _matrix_table(found: Shares, number: int) -> Row:
    """CSV and Parquet hold a row a part, LaTeX the matrix."""
    columns = {"part": "Part", "parameters": "Parameters", "percent": "%"}
    columns |= {str(at): task for at, task in enumerate(found.tasks)}
    facts: list[Row] = [
        {
            "part": part.name,
            "parameters": part.parameters,
            "percent": found.share(part.parameters),
            "tasks": list(part.tasks),
        }
        for part in found.parts
    ]
    rows = [
        row
        | {"percent": f"{row['percent']:.1f}"}
        | {str(at): "x" for at, task in enumerate(found.tasks) if task in row["tasks"]}
        for row in facts
    ]
    name, caption = f"shares-{number}", "Parts of a network and the tasks that use them"
    return shown(name, caption, pa.Table.from_pylist(facts), columns, rows)


def _note(part: Part) -> str:
    """What else is to be said of a part."""
    words = ["used on different inputs"] if part.reused else []
    words += [f"{part.frozen:,} of them not trained"] if part.frozen else []
    words += [] if part.tasks else ["no task's gradient comes here"]
    return "; ".join(words)


def _table(cells: Sequence[_Cell], names: Names) -> pa.Table:
    rows = [
        {
            "cell": cell.about.get("name", ""),
            "combination": cell.combination,
            "control": cell.about.get("control") or "",
            "method": cell.method(names),
            "tasks": len(found.tasks),
            "parameters": found.parameters,
            "shared": found.shared,
            "percent": found.share(found.shared),
            "apart": found.apart,
            "tree": found.tree() is not None,
        }
        for cell in cells
        if (found := cell.shares)
    ]
    kinds = {**dict.fromkeys(("cell", "combination", "control", "method"), pa.string()),
             **dict.fromkeys(("tasks", "parameters", "shared"), pa.int64()),
             "percent": pa.float64(), "apart": pa.int64(), "tree": pa.bool_()}  # fmt: skip
    return pa.Table.from_pylist(rows, schema=pa.schema(list(kinds.items())))


def _parts(cells: Sequence[_Cell]) -> pa.Table:
    """One row a part of a cell's network."""
    rows = [
        {
            "cell": cell.about.get("name", ""),
            "part": part.name,
            "parameters": part.parameters,
            "percent": cell.shares.share(part.parameters),
            "tasks": list(part.tasks),
            "frozen": part.frozen,
            "reused": part.reused,
        }
        for cell in cells
        for part in cell.shares.parts
    ]
    return pa.Table.from_pylist(rows) if rows else pa.table({})

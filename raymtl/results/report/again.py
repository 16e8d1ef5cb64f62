"""The setting of a sweep, and the commands that run any of its cells again."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from raymtl.results.report.panels import Row
from raymtl.results.report.sections import bounded
from raymtl.results.state import SweepState

_FLAGS = ("--fail-fast", "--plain")  # options without a value
_OURS = ("--only", "--store", "--data")  # options that are not taken over, with their values
DATA = "DATA"  # stands for a folder that is not known
MOST_CELLS = 3_000


def setting(state: SweepState) -> list[tuple[str, list[str]]]:
    """What the study varies and what it holds still, as far as plan and records tell."""
    contents = [record.content for record in state.records.values()]
    runs = _dicts(state.plan.get("runs")) or contents
    cells = _dicts(state.plan.get("cells")) or [content.get("cell", {}) for content in contents]
    controls = {row["cell"] for row in state.summed if row.get("control")}  # old plans do not tell
    controls |= {cell.get("name") for cell in cells if cell.get("control")}
    chosen = [cell for cell in cells if cell.get("name") not in controls] or cells
    sources = state.plan.get("sources")
    found = {
        "Sources": _sources(sources) if isinstance(sources, Mapping) else [],
        "Tasks": [
            f"{name}: {facts.get('kind', '')}, {len(facts.get('labels', []))} labels, judged by "
            f"{facts.get('primary', '')}"
            for name, facts in state.tasks.items()
        ],
        "Extractions": _known(chosen, "extraction"),
        "Models": _known(chosen, "model"),
        "Training": _known(contents, "training"),
        "Controls": _known(cells, "control")
        or _known([c.get("cell", {}) for c in contents], "control"),
        "Folds": [", ".join(_known(runs, "fold"))],
        "Seeds": [", ".join(_known(runs, "seed"))],
    }
    return [(name, values) for name, values in found.items() if any(values)]


def again(state: SweepState) -> Row:
    """Commands, in the words of the one that made this sweep, for a cell and for a run.

    study, commit, command: None where environment.json does not tell. cells: (name, a run of it).
    """
    environment = state.environment
    said = environment.get("command")
    said = [str(word) for word in said] if isinstance(said, list) else []
    study = str(environment.get("study") or state.sweep.resolve() / "study.py")
    data = _data(environment)
    first: dict[str, str] = {}
    for run, cell in state.planned.items():
        first.setdefault(cell, run)
    cells = [(cell, str(state.sweep.resolve() / "runs" / run)) for cell, run in first.items()]
    cells = [(cell, run) for cell, run in cells if cell]
    return {
        "study": study,
        "commit": environment.get("commit"),
        "command": shlex.join(["raymtl", *said[1:]]) if said else None,
        "words": [*_words(said, study), *data],
        "rerun": ["raymtl", "rerun", *data],
        "data": DATA if DATA in data else "",
        "miniature": bool(environment.get("miniature")),
        "store": "raymtl-again",
        "cells": cells[:MOST_CELLS],
        "more": max(0, len(cells) - MOST_CELLS),
        "pins": _pins(environment.get("versions")),
    }


def _data(environment: Mapping[str, Any]) -> list[str]:
    """Where the recordings are, as an option: a placeholder where that is not known, nothing
    where miniatures were made."""
    if environment.get("miniature"):
        return []
    known = environment.get("data")
    return ["--data", known if isinstance(known, str) and known else DATA]


def cell_command(words: Sequence[str], cell: str, store: str) -> str:
    """Runs one cell in a store of its own: in the old one it is done already."""
    return shlex.join([*words, "--store", store, "--only", cell])


def _words(said: Sequence[str], study: str) -> list[str]:
    """``raymtl sweep STUDY`` and the options of the old command but for data, store and cells."""
    words, skipping = ["raymtl", "sweep", study], False
    options = list(said[said.index("sweep") + 1 :]) if "sweep" in said else []
    for at, word in enumerate(options):
        name = word.split("=")[0]
        if skipping:
            skipping = False
        elif name in _OURS:
            skipping = "=" not in word
        elif word.startswith("-") or (at and _takes_value(options[at - 1])):
            words.append(word)
    return words


def _takes_value(word: str) -> bool:
    return word.startswith("--") and "=" not in word and word not in _FLAGS


def _pins(versions: Any) -> str:
    """Requirements that bring the packages of the records back."""
    if not isinstance(versions, Mapping):
        return ""
    left_out = ("machine", "python")
    pins = [f"{n}=={v}" for n, v in sorted(versions.items()) if n not in left_out]
    return "pip install " + shlex.join(pins) if pins else ""


_PARTS = (("train", "train"), ("validation", "choose the epoch"), ("test", "test"))


def _sources(sources: Mapping[str, Any]) -> list[str]:
    return [
        f"{name}: {facts.get('reader', '')}, {facts.get('clips', '?')} clips{_first_fold(facts)}, "
        f"tasks {', '.join(map(str, facts.get('tasks', [])))}"
        for name, facts in sorted(sources.items())
        if isinstance(facts, Mapping)
    ]


def _first_fold(facts: Mapping[str, Any]) -> str:
    """How many clips train, choose and test: of a source that learns from few, not all."""
    for fold in _dicts(facts.get("folds"))[:1]:
        parts = [f"{fold[part]} {verb}" for part, verb in _PARTS if fold.get(part)]
        return f" (fold 1: {', '.join(parts)})" if parts else ""
    return ""


def _known(rows: Sequence[Mapping[str, Any]], name: str) -> list[str]:
    values = {row[name] for row in rows if row.get(name) not in (None, "")}
    return bounded(str(value) for value in sorted(values))["rows"]  # type: ignore[no-any-return]


def _dicts(values: Any) -> list[Mapping[str, Any]]:
    return [v for v in values if isinstance(v, Mapping)] if isinstance(values, list) else []

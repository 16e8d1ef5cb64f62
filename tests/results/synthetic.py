"""Outcomes and sweeps made from random numbers, for tests of tables and pages."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import torch

from raymtl.durable import file_digest
from raymtl.results.ledger import Ledger
from raymtl.results.records import RECORD, finish, write_record
from raymtl.tasks import AnyOf, OneOf, Targets, Task, YesNo
from raymtl.training.outcome import HistoryRow, Outcome, Predictions

TASKS: dict[str, Task] = {
    "ravdess.emotion": OneOf("emotion", ("neutral", "calm", "happy", "sad", "angry", "fearful")),
    "fsdd.digit": OneOf("digit", tuple("0123456789")),
    "dcase.events": AnyOf("events", ("car", "children", "people walking", "brakes squeaking")),
    "ravdess.stress": YesNo("stress"),
}


def logits(task: Task, targets: Targets, skill: float, random: np.random.Generator) -> torch.Tensor:
    """Network outputs that lean towards the targets by `skill`."""
    noise = random.normal(size=(len(targets), task.outputs))
    if targets.values.ndim == 1:
        truth = np.eye(task.outputs)[targets.values]
    else:
        truth = 2 * targets.values - 1
    return torch.tensor(noise + skill * truth, dtype=torch.float32)


def random_targets(task: Task, clips: int, random: np.random.Generator) -> Targets:
    if isinstance(task, OneOf):
        return Targets(random.integers(0, task.outputs, clips), random.random(clips) > 0.05)
    flags = (random.random((clips, task.outputs)) > 0.6).astype(np.float32)
    return Targets(flags, np.repeat(random.random((clips, 1)) > 0.05, task.outputs, axis=1))


def outcome(
    tasks: Mapping[str, Task],
    *,
    seed: int = 0,
    epochs: int = 12,
    clips: int = 60,
    skill: float = 1.5,
    truth: int | None = None,
) -> Outcome:
    """A finished run over `tasks` (source -> its one task); `truth` seeds the targets alone."""
    random = np.random.default_rng(seed)
    drawn = random if truth is None else np.random.default_rng(truth)
    history: list[HistoryRow] = []
    scores, predictions = {}, {}
    for source, task in tasks.items():
        targets = random_targets(task, clips, drawn)
        found = task.scores(logits(task, targets, skill, random)).numpy()
        predictions[source, task.name] = Predictions(
            [f"{source}/{i:03}" for i in range(clips)], found, targets
        )
        scores[source, task.name, "test"] = task.measure(found, targets)
        scores[source, task.name, "validation"] = task.measure(
            found[:30], targets.take(np.arange(30))
        )
        best = scores[source, task.name, "validation"].scalars[task.primary]
        history += learning_curve(source, task, best, epochs, random)
    history.sort(key=lambda row: row.epoch)
    weights = {"trunk.weight": torch.zeros(64, 32), "trunk.bias": torch.zeros(64)}
    return Outcome(
        history,
        epochs - 2,
        epochs,
        scores,
        predictions,
        dict.fromkeys(tasks, float(epochs)),
        40 * epochs,
        1.5,
        2112,
        weights,
    )


def learning_curve(
    source: str, task: Task, best: float, epochs: int, random: np.random.Generator
) -> list[HistoryRow]:
    """A loss that falls, and a noisy score that rises towards its best."""
    rows = []
    for epoch in range(1, epochs + 1):
        rise = best * (1 - 0.7 * np.exp(-epoch / 4)) + random.normal(0, 0.015)
        reached = float(min(max(rise, 0), 1))
        rows += [
            HistoryRow(epoch, "", task.name, "train", "loss", 2 / epoch),
            HistoryRow(epoch, source, task.name, "validation", task.primary, reached),
        ]
    return rows


def record(run: str, cell: Mapping[str, Any], fold: int, seed: int) -> dict[str, Any]:
    sources = {
        name: {
            "features": "f" * 64,
            "fit": "a" * 64,
            "train": 200,
            "validation": 30,
            "test": 60,
            "skipped": 0,
        }
        for name in cell["combination"]
    }
    return {
        "run": run,
        "digest": f"{run}-digest",
        "cell": dict(cell),
        "fold": fold,
        "seed": seed,
        "sources": sources,
        "conflicts": [],
        "versions": {"raymtl": "0.1.0"},
    }


def add_run(
    sweep: Path,
    run: str,
    cell: Mapping[str, Any],
    fold: int,
    seed: int,
    found: Outcome,
    tasks: Sequence[Task],
    **changes: Any,
) -> Path:
    folder = sweep / "unfinished" / run
    write_record(folder, record(run, cell, fold, seed) | changes, found, tasks)
    finished = finish(folder, sweep / "runs")
    Ledger(sweep / "ledger").write(
        run, "done", seconds=1.5, digest=f"{run}-digest", record=file_digest(finished / RECORD)
    )
    return finished


def cells(
    extractions: Sequence[str], models: Sequence[str], names: Sequence[str] = tuple(TASKS)
) -> list[dict[str, Any]]:
    """Sources alone, in pairs, and all together."""
    together = [
        *combinations(sorted(names), 1),
        *combinations(sorted(names), 2),
        tuple(sorted(names)),
    ]
    return [
        {
            "name": re.sub(r"[^A-Za-z0-9_.-]+", "", f"{'__'.join(c)}--{e}--{m}"),
            "combination": list(c),
            "extraction": e,
            "model": m,
        }
        for c in together
        for e in extractions
        for m in models
    ]


def write_plan(
    sweep: Path, planned: Sequence[Mapping[str, Any]], folds: int = 1, seeds: int = 1, **more: Any
) -> list[tuple[str, Mapping[str, Any], int, int]]:
    """plan.json of a sweep; its runs as (run, cell, fold, seed)."""
    runs = [
        (f"{cell['name']}-f{fold}-s{seed}", cell, fold, seed)
        for cell in planned
        for fold in range(folds)
        for seed in range(seeds)
    ]
    content = {
        "name": "synthetic",
        "question": "Which task helps which?",
        "cells": [
            {
                "name": c["name"],
                "sources": c["combination"],
                "extraction": c["extraction"],
                "model": c["model"],
                "control": c.get("control", ""),
            }
            for c in planned
        ],
        "runs": [
            {"run": run, "cell": cell["name"], "fold": fold, "seed": seed}
            for run, cell, fold, seed in runs
        ],
        **more,
    }
    sweep.mkdir(parents=True, exist_ok=True)
    (sweep / "plan.json").write_text(json.dumps(content))
    return runs

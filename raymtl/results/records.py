"""The record of one run: a folder that is complete or absent.

All files first, record.json last with the digest of every other one; then the folder moves from
``unfinished/<run>`` to ``runs/<run>`` in one rename. See `read_record` for what record.json holds.
"""

from __future__ import annotations

import math
import shutil
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq

from raymtl.durable import (
    file_digest,
    open_sealed,
    seal,
    sync,
    sync_all,
    write_durably,
)
from raymtl.errors import StoreError
from raymtl.faults import fault_point
from raymtl.kept import BEST_WEIGHTS, epoch_file
from raymtl.results.predictions import predictions_table

if TYPE_CHECKING:
    from raymtl.tasks import Scores, Task
    from raymtl.training.outcome import HistoryRow, Outcome

FORMAT = 1  # of record.json; raise it when the meaning of a key changes
_AHEAD = 32  # records read at a time
RECORD, METRICS, PREDICTIONS = "record.json", "metrics.parquet", "predictions.parquet"
CHECKPOINT, WEIGHTS = "checkpoint", BEST_WEIGHTS

HISTORY_SCHEMA = pa.schema(
    [
        ("epoch", pa.int64()),
        ("source", pa.string()),
        ("task", pa.string()),
        ("part", pa.string()),
        ("metric", pa.string()),
        ("value", pa.float64()),
    ]
)


@dataclass(frozen=True)
class Record:
    """A run's record.json, as read; `scores` is a list of what `Scores` holds, as plain data."""

    run: str
    content: dict[str, Any]

    @property
    def scores(self) -> list[dict[str, Any]]:
        return list(self.content.get("scores", []))


def write_record(
    folder: Path, record: Mapping[str, Any], outcome: Outcome, tasks: Iterable[Task]
) -> None:
    """Completes the unfinished run in `folder`: every file, then record.json.

    Args:
        folder: ``unfinished/<run>``; what else lies in it becomes part of the record, but for
            states to resume from (``checkpoint/``), which `finish` removes.
        record: what the outcome does not know: run, digest, cell, fold, seed, sources, ...
        tasks: every head of the run; their label names go into the record.

    Raises:
        StoreError: when the folder cannot be written.
    """
    heads = {task.name: task for task in tasks}
    try:
        _write_files(folder, outcome, heads)
        files = _describe_files(folder, epoch_file(outcome.best_epoch))
    except OSError as error:
        raise StoreError(
            f"{folder}: the record cannot be written ({error.strerror or error}). "
            "Free space there, then run again."
        ) from error
    fault_point("record:before-record")
    content = {
        "format": FORMAT,
        **_of_outcome(outcome),
        **record,
        "tasks": task_facts(heads),
        "files": files,
    }
    content["sources"] = _with_passes(record.get("sources", {}), outcome.passes)
    write_durably(folder / RECORD, seal(content))


def _write_files(folder: Path, outcome: Outcome, heads: Mapping[str, Task]) -> None:
    from safetensors.torch import save_file  # reading records takes no torch

    (folder / CHECKPOINT).mkdir(parents=True, exist_ok=True)
    _write_table(history_table(outcome.history), folder / METRICS)
    _write_table(predictions_table(outcome.predictions, heads), folder / PREDICTIONS)
    weights = {name: weight.contiguous() for name, weight in outcome.weights.items()}
    save_file(weights, folder / WEIGHTS)


def finish(unfinished: Path, runs: Path) -> Path:
    """Moves a completed run to `runs` in one rename; calling it again after a crash is fine.

    A whole record that is already there stays: it has the same numbers, for its name holds its
    digest.

    Raises:
        StoreError: when the run is not complete.
    """
    target = runs / unfinished.name
    content = read_record(unfinished).content
    _remove_unlisted(unfinished, set(content["files"]))
    runs.mkdir(parents=True, exist_ok=True)
    if target.exists():
        if not verify(target):
            shutil.rmtree(unfinished)
            return target
        shutil.rmtree(target)
    fault_point("record:before-rename")
    unfinished.rename(target)
    sync(runs)
    fault_point("record:after-rename")
    return target


def read_record(folder: Path) -> Record:
    """record.json of a run, its seal checked; other files are not looked at (see `verify`).

    Keys: run, digest, status, cell {name, combination, extraction, model}, fold, seed, sources
    {name: {features, fit, train, validation, test, skipped, passes}}, tasks {name: {kind, labels,
    primary}}, scores, parameters, cost {macs, frames, latency_ms, gpu_bytes}, sharing {blocks
    [{name, parameters, tasks, frozen, reused}] or problem}, steps, seconds, epochs, best_epoch,
    conflicts, leaks, versions, files {name: {sha256, size}}.

    Raises:
        StoreError: when it is missing or damaged.
    """
    return Record(folder.name, open_sealed(folder / RECORD))


def verify(folder: Path) -> list[str]:
    """What is wrong with a record; empty when every byte is as it was written."""
    try:
        content = read_record(folder).content
    except StoreError as error:
        return [str(error)]
    problems = [
        f"{folder / name}: {problem}"
        for name, facts in content["files"].items()
        if (problem := _problem(folder / name, facts))
    ]
    if content.get("run") != folder.name:
        problems.append(f"{folder}: the record of run {content.get('run')!r}.")
    return problems


def each_record(
    sweep: Path, runs: Iterable[str], threads: int = 4
) -> Iterator[tuple[str, Record | str]]:
    """Record, or what is wrong with it, of those of `runs` that have a folder, sorted by run.

    Few are in memory at a time.
    """
    names = sorted(name for name in set(runs) if (sweep / "runs" / name).is_dir())
    with ThreadPoolExecutor(threads) as pool:
        for start in range(0, len(names), _AHEAD):
            batch = names[start : start + _AHEAD]
            folders = [sweep / "runs" / name for name in batch]
            yield from zip(batch, pool.map(_record_or_problem, folders), strict=True)


def history_table(history: Iterable[HistoryRow]) -> pa.Table:
    """One row a number of an epoch; columns as in `HISTORY_SCHEMA`."""
    rows = list(history)
    return pa.table(
        {name: [getattr(row, name) for row in rows] for name in HISTORY_SCHEMA.names},
        schema=HISTORY_SCHEMA,
    )


def task_facts(tasks: Mapping[str, Task]) -> dict[str, Any]:
    """What tables and pages need to know of tasks."""
    return {
        name: {"kind": type(task).__name__, "labels": list(task.labels_), "primary": task.primary}
        for name, task in tasks.items()
    }


def scores_facts(scores: Mapping[tuple[str, str, str], Scores]) -> list[dict[str, Any]]:
    """Scores as plain data, in a fixed order; a number that is not finite is left out."""
    return [
        {
            "source": source,
            "task": task,
            "part": part,
            "scalars": _finite(found.scalars),
            "per_label": {label: _finite(v) for label, v in found.per_label.items()},
            "confusion": None if found.confusion is None else found.confusion.tolist(),
        }
        for (source, task, part), found in sorted(scores.items(), key=lambda item: item[0])
    ]


def _of_outcome(outcome: Outcome) -> dict[str, Any]:
    names = ("best_epoch", "steps", "seconds", "parameters", "cost", "sharing")
    return {
        "status": "done",
        "epochs": outcome.epochs_run,
        "scores": scores_facts(outcome.scores),
        **{name: getattr(outcome, name) for name in names},
    }


def _with_passes(sources: Mapping[str, Any], passes: Mapping[str, float]) -> dict[str, Any]:
    return {name: {"passes": passes.get(name), **facts} for name, facts in sources.items()}


def _finite(values: Mapping[str, float]) -> dict[str, float]:
    return {name: float(value) for name, value in values.items() if math.isfinite(value)}


def _write_table(table: pa.Table, path: Path) -> None:
    pq.write_table(table, path, compression="zstd", write_statistics=False)


def _describe_files(folder: Path, twice: str) -> dict[str, dict[str, Any]]:
    """Digest and size of every file of the record; all of them are synced to disk.

    twice: the best epoch among those kept: its weights are there already.
    """
    names = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*")}
    files = {
        name: path
        for name, path in sorted(names.items())
        if path.is_file() and _belongs(name) and name != twice
    }
    sync_all([*files.values(), *(path for path in names.values() if path.is_dir())])
    return {
        name: {"sha256": file_digest(path), "size": path.stat().st_size}
        for name, path in files.items()
    }


def _belongs(name: str) -> bool:
    resumable = name.startswith(f"{CHECKPOINT}/") and name != WEIGHTS
    return not resumable and name != RECORD and not Path(name).name.startswith(".")


def _remove_unlisted(folder: Path, listed: set[str]) -> None:
    for path in folder.rglob("*"):
        name = path.relative_to(folder).as_posix()
        if path.is_file() and name not in listed and name != RECORD:
            path.unlink()


def _problem(path: Path, facts: Mapping[str, Any]) -> str:
    if not path.is_file():
        return "missing."
    if path.stat().st_size != facts["size"]:
        return f"{path.stat().st_size} bytes, expected {facts['size']}."
    return "" if file_digest(path) == facts["sha256"] else "its content has changed."


def _record_or_problem(folder: Path) -> Record | str:
    try:
        return read_record(folder)
    except StoreError as error:
        return str(error)

"""Time and memory of a report of 2,000 runs.

python -m tests.benchmarks.bench_report relations
    five sources of one-of-many tasks alone, in pairs, threes and together, two extractions, two
    networks, controls, 4 folds x 4 seeds: all that relations between tasks are told from.
python -m tests.benchmarks.bench_report [labels] [clips] [runs]
    two sources on one fixed test set each, scored by mAP.

CPU on one core of a shared machine, OMP_NUM_THREADS=1, beside loading raymtl (1.0 s), of the report
of 1,984 runs that tell of relations:

    7.1 s, peak 334 MiB, page 0.91 MB. With each model of a permutation test fitted by itself and
    torch and scikit-learn loaded: 16.5 s and 3.4 s of loading, peak 563 MiB.

Of experiments/variation.py on miniatures, 936 runs: 7.0 s, 367 MiB, 2.9 MB (before: 15.4 s, 3.9 s
of loading, 586 MiB).
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import resource
import subprocess
import sys
import tempfile
from dataclasses import replace
from itertools import combinations, product
from pathlib import Path
from time import perf_counter, process_time
from typing import Any

from raymtl.results.records import PREDICTIONS
from raymtl.results.report import write_report
from raymtl.tasks import AnyOf, OneOf
from tests.results.synthetic import add_run, cells, outcome, write_plan

LABELS, CLIPS, RUNS = 10, 400, 2_000
LETTERS = tuple("abcdefghijk")
DIFFERENT = 10  # outcomes of a source that several runs share


def related(folds: int = 4, seeds: int = 4) -> None:
    with tempfile.TemporaryDirectory() as folder:
        print(f"{_make_related(Path(folder), folds, seeds)} runs that tell of relations")
        _reported(folder)


def main(labels: int = LABELS, clips: int = CLIPS, runs: int = RUNS) -> None:
    with tempfile.TemporaryDirectory() as folder:
        made = _make(Path(folder), labels, clips, runs)
        print(f"{runs} runs, {made} times {labels} labels x {clips} clips, one test set")
        _reported(folder)


def _reported(folder: str) -> None:
    code = f"from tests.benchmarks.bench_report import report; report({folder!r})"
    subprocess.run([sys.executable, "-c", code], check=True)


def report(folder: str) -> None:
    """In a process of its own, for its peak of memory."""
    for name in ("first", "again"):
        wall, cpu = perf_counter(), process_time()
        page = write_report(Path(folder))
        wall, cpu = perf_counter() - wall, process_time() - cpu
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        size = page.stat().st_size / 1e6
        print(f"  {name}: {wall:.1f} s, CPU {cpu:.1f} s, peak {peak:.0f} MiB, page {size:.2f} MB")


def _make_related(sweep: Path, folds: int, seeds: int) -> int:
    tasks = {f"corpus{n}.task{n}": OneOf(f"task{n}", LETTERS[: 6 + n]) for n in range(5)}
    grid = _related_grid(sorted(tasks))
    planned = write_plan(sweep, grid, folds, seeds)
    found = {
        (name, size, n): outcome(
            {name: task}, seed=97 * at + 10 * n + size, clips=60, skill=1 + 0.1 * size * (at - 2)
        )
        for at, (name, task) in enumerate(tasks.items())
        for size in (1, 2, 3, 5)
        for n in range(DIFFERENT)
    }
    for run, cell, fold, seed in planned:
        names = cell["combination"]
        pick = (7 * fold + 3 * seed + len(cell["name"])) % DIFFERENT
        each = [found[name, len(names), pick] for name in names]
        scores = {key: value for one in each for key, value in one.scores.items()}
        said = {key: value for one in each for key, value in one.predictions.items()}
        lines = [row for one in each for row in one.history]
        passes = dict.fromkeys(names, 12.0)
        both = replace(each[0], scores=scores, predictions=said, passes=passes, history=lines)
        add_run(sweep, run, cell, fold, seed, both, [tasks[name] for name in names])
    return len(planned)


def _related_grid(names: list[str]) -> list[dict[str, Any]]:
    """Singles, pairs, threes and all; and each source among partners with shuffled labels."""
    sets = [c for size in (1, 2, 3, len(names)) for c in combinations(names, size)]
    found = []
    for extraction, model in product(["LogMel()", "Mfcc()"], ["SharedDnn()", "SharedCnn()"]):
        way = {"extraction": extraction, "model": model}
        end = f"--{extraction[:-2]}--{model[:-2]}"
        found += [{"name": "__".join(c) + end, "combination": list(c), **way} for c in sets]
        found += [
            {"name": f"all{end}--{main}", "combination": names, **way} | {"control": "shuffled",
             "main": main}
            for main in names
        ]  # fmt: skip
    return found


def _make(sweep: Path, labels: int, clips: int, runs: int) -> int:
    words = tuple(f"label {k}" for k in range(labels))
    tasks = {"street.events": AnyOf("events", words), "home.tags": AnyOf("tags", words)}
    grid = cells(["logmel", "mfcc", "summary", "waveform"], ["dnn", "cnn", "tree"], list(tasks))
    grid = list({cell["name"]: cell for cell in grid}.values())
    planned = write_plan(sweep, grid, folds=1, seeds=-(-runs // len(grid)))[:runs]
    found = {
        (name, together, n): outcome({name: task}, seed=1000 * together + n, clips=clips, truth=0)
        for name, task in tasks.items()
        for together in (False, True)
        for n in range(DIFFERENT)
    }
    for run, cell, fold, seed in planned:
        names = cell["combination"]
        each = [found[name, len(names) > 1, seed % DIFFERENT] for name in names]
        scores = {key: value for one in each for key, value in one.scores.items()}
        said = {key: value for one in each for key, value in one.predictions.items()}
        passes = dict.fromkeys(names, 12.0)
        both = replace(each[0], scores=scores, predictions=said, passes=passes)
        add_run(sweep, run, cell, fold, seed, both, [tasks[name] for name in names])
    assert all((sweep / "runs" / run / PREDICTIONS).is_file() for run, *_ in planned)
    return sum(len(cell["combination"]) for _, cell, _, _ in planned)


if __name__ == "__main__":
    if sys.argv[1:] == ["relations"]:
        related()
    else:
        main(*map(int, sys.argv[1:]))

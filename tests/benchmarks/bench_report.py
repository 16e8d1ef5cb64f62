"""Time and memory of a report of 2,000 runs on one fixed test set, scored by mAP.

python -m tests.benchmarks.bench_report [labels] [clips] [runs]
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

import resource
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from time import perf_counter, process_time

from raymtl.results.records import PREDICTIONS
from raymtl.results.report import write_report
from raymtl.tasks import AnyOf
from tests.results.synthetic import add_run, cells, outcome, write_plan

LABELS, CLIPS, RUNS = 10, 400, 2_000
DIFFERENT = 10  # outcomes of a source that several runs share


def main(labels: int = LABELS, clips: int = CLIPS, runs: int = RUNS) -> None:
    with tempfile.TemporaryDirectory() as folder:
        made = _make(Path(folder), labels, clips, runs)
        print(f"{runs} runs, {made} times {labels} labels x {clips} clips, one test set")
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
    main(*map(int, sys.argv[1:]))

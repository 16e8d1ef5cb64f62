"""Cost of a run's record and of a sweep's tables: ``python -m tests.benchmarks.bench_records``.

Not a ratio: what a run costs above its training has a bound in milliseconds.
"""

from __future__ import annotations

import os
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

from raymtl.durable import file_digest
from raymtl.results.ledger import Ledger, reconcile
from raymtl.results.records import RECORD, finish, write_record
from raymtl.results.report import write_report
from raymtl.results.table import collect, save_results, summary
from raymtl.results.tracking.tensorboard import RunWriter
from raymtl.training.outcome import EpochReport, Outcome, Point
from tests.results.synthetic import TASKS, cells, outcome, record, write_plan

RUNS, EPOCHS = 2_000, 30


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        sweep = Path(folder)
        grid = cells(["logmel", "mfcc", "summary", "waveform"], ["dnn", "cnn", "tree"])
        runs = write_plan(sweep, grid, folds=-(-RUNS // (len(grid) * 3)), seeds=3)[:RUNS]
        found = {
            c: outcome({s: TASKS[s] for s in c}, epochs=EPOCHS, clips=200)
            for c in {tuple(cell["combination"]) for cell in grid}
        }
        steps: dict[str, list[float]] = {"events": [], "record": [], "finish": [], "ledger": []}
        for run in runs:
            _one(sweep, run, found[tuple(run[1]["combination"])], steps)
        print(f"one run of {len(TASKS)} tasks at most, {EPOCHS} epochs, 200 test clips (median)")
        for name, seconds in steps.items():
            print(f"  {name:12} {1e3 * statistics.median(seconds):8.1f} ms")
        total = sum(statistics.median(seconds) for seconds in steps.values())
        print(f"  {'together':12} {1e3 * total:8.1f} ms")
        _sweep(sweep, [run[0] for run in runs])


def _one(sweep: Path, run: tuple, found: Outcome, steps: dict[str, list[float]]) -> None:
    name, cell, fold, seed = run
    folder = sweep / "unfinished" / name
    tasks = [TASKS[s] for s in cell["combination"]]
    clock = _Clock()
    with RunWriter(folder, None, tasks) as writer:
        for epoch in range(EPOCHS):
            writer.epoch(
                EpochReport(
                    epoch + 1,
                    EPOCHS,
                    {t.name: 1.0 for t in tasks},
                    {key[:2]: Point(1.0, 0.5) for key in found.scores},
                    1e-3,
                    found.passes,
                    0.1,
                    1,
                )
            )
        writer.outcome(found, {"run": name})
    steps["events"].append(clock.lap())
    write_record(folder, record(name, cell, fold, seed), found, tasks)
    steps["record"].append(clock.lap())
    done = finish(folder, sweep / "runs")
    steps["finish"].append(clock.lap())
    Ledger(sweep / "ledger").write(name, "done", record=file_digest(done / RECORD))
    steps["ledger"].append(clock.lap())


def _sweep(sweep: Path, names: list[str]) -> None:
    actions: dict[str, Callable[[], object]] = {
        "reconcile": lambda: reconcile(sweep, names),
        "collect": lambda: collect(sweep, names),
        "save": lambda: save_results(sweep, collect(sweep, names)),
        "summary": lambda: summary(collect(sweep, names)),
        "report": lambda: write_report(sweep),
    }
    print(f"a sweep of {len(names)} runs ({collect(sweep, names).num_rows} numbers)")
    for name, action in actions.items():
        clock = _Clock()
        action()
        print(f"  {name:12} {clock.lap():8.2f} s")
    size = (sweep / "report" / "index.html").stat().st_size
    print(f"  {'page':12} {size / 1e6:8.2f} MB")


class _Clock:
    def __init__(self) -> None:
        self._last = time.perf_counter()

    def lap(self) -> float:
        now = time.perf_counter()
        passed, self._last = now - self._last, now
        return passed


if __name__ == "__main__":
    main()

"""What the engine adds to short runs: 200 of them on two lanes, against the textbook recipe.

Run: python -m tests.benchmarks.bench_engine [runs] [textbook trials]

A run is a small network on the FSDD miniature, with its record, checkpoint and event file. Wall
time a run is that of the whole sweep divided by its runs, two at a time; "above training" takes off
what the records say that training and scoring took. The textbook recipe is one
`TorchTrainer(num_workers=1)` in each Tune trial, two trials at a time, around the same `run_job`.
"""

from __future__ import annotations

import os

# Ray's workers are at 15 by default, and would lose to whatever else runs here.
os.environ["RAY_worker_niceness"] = "0"  # noqa: SIM112  Ray's spelling
os.environ["OMP_NUM_THREADS"] = "1"

import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import ray
from ray import tune
from ray.train import RunConfig, ScalingConfig
from ray.train.torch import TorchTrainer

from raymtl.engine.attempts import Attempt
from raymtl.engine.cluster import connected
from raymtl.engine.extract import Told, extract_all
from raymtl.engine.fit import fit_and_save
from raymtl.engine.interrupt import descendants
from raymtl.engine.lanes import Cargo, run_lanes
from raymtl.engine.options import SweepOptions
from raymtl.engine.resources import Share
from raymtl.plan import Plan, make_plan
from raymtl.results.records import read_record
from raymtl.study import load_study
from raymtl.training.run import Workbench, run_job
from readers.fsdd import Fsdd

STUDY = Path(__file__).parents[1] / "faults" / "study.py"
MOST = 0.15  # seconds of wall time a run above training
LANES = 2


def planned(folder: Path, runs: int) -> Plan:
    """A plan of at least so many runs, three cells, with all features and fits made."""
    Fsdd.miniature(folder / "data" / Fsdd.folder, 0)
    study = load_study(STUDY)
    many = replace(study.experiment, seeds=tuple(range(-(-runs // 3))))
    plan = make_plan(study, many, folder / "data", folder / "store")
    extract_all(plan.needed_features(), plan.store / "features", Told())
    fit_and_save(plan.needed_fits(), plan.store, LANES)
    return plan


def cargo_of(plan: Plan, share: Share, runs: int, cells: int) -> Cargo:
    """The first so many runs, dealt to so many cells."""
    jobs = list(plan.runs)[:runs]
    size = -(-len(jobs) // cells)
    dealt = tuple(tuple(jobs[at : at + size]) for at in range(0, len(jobs), size))
    return Cargo(
        plan.store,
        plan.sweep,
        Attempt.new(plan.sweep / "scratch", "bench"),
        share,
        dealt,
        plan.tables,
    )


def trained(plan: Plan, runs: Sequence[str]) -> float:
    """Seconds of training and scoring in the records of `runs`."""
    return sum(read_record(plan.sweep / "runs" / run).content["seconds"] for run in runs)


def resident(pid: int) -> float:
    """MiB."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def lanes_alive() -> list[int]:
    found = []
    for pid in descendants(os.getpid()):
        try:
            name = Path(f"/proc/{pid}/cmdline").read_bytes()
        except OSError:
            continue
        if b"Lane" in name or b"ResourceTrainable" in name:
            found.append(pid)
    return found


def by_lanes(plan: Plan, share: Share, runs: int) -> tuple[float, float]:
    """(wall, above training) seconds a run; prints memory on the way."""
    ended: list[str] = []
    starts: list[float] = []

    def note(rows: Sequence[tuple[str, str, str]]) -> None:
        starts.append(time.perf_counter())
        for run, status, why in rows:
            assert status == "done", why
            ended.append(run)
        if len(ended) % 50 == 0 or len(ended) == 20:
            lanes = ", ".join(f"{resident(pid):.0f}" for pid in lanes_alive())
            print(
                f"  after {len(ended):3} runs: driver {resident(os.getpid()):.0f} MiB, lanes "
                f"{lanes} MiB",
                flush=True,
            )

    cargo = cargo_of(plan, share, runs, 40)
    began = time.perf_counter()
    run_lanes(cargo, note)
    wall = time.perf_counter() - began
    assert len(ended) == runs
    print(f"  first run ended after {starts[0] - began:.1f} s, all after {wall:.1f} s")
    return wall / runs, (wall - trained(plan, ended) / LANES) / runs


def loop(config: dict[str, Any]) -> None:
    """The worker of a textbook trial."""
    cargo = ray.get(config["cargo"][0])
    run_job(
        cargo.cells[config["cell"]][0],
        Workbench(cargo.store, cargo.tables),
        cargo.sweep,
        report=lambda epoch: None,
        stop=lambda: False,
    )


def trial(config: dict[str, Any]) -> None:
    TorchTrainer(
        loop,
        train_loop_config=config,
        scaling_config=ScalingConfig(num_workers=1),
        run_config=RunConfig(name=f"textbook-{config['cell']}", storage_path=config["storage"]),
    ).fit()


def by_textbook(plan: Plan, share: Share, runs: int) -> tuple[float, float]:
    """(wall, above training) seconds a trial."""
    cargo = cargo_of(plan, share, runs, runs)
    storage = str(plan.sweep / "scratch" / "textbook")
    space = {
        "cell": tune.grid_search(list(range(runs))),
        "cargo": [ray.put(cargo)],
        "storage": storage,
    }
    began = time.perf_counter()
    results = tune.Tuner(
        tune.with_resources(trial, {"node:__internal_head__": 0.001}),
        param_space=space,
        tune_config=tune.TuneConfig(max_concurrent_trials=LANES),
        run_config=tune.RunConfig(name="textbook", storage_path=storage, verbose=0),
    ).fit()
    wall = time.perf_counter() - began
    assert not results.errors
    names = [cell[0].run for cell in cargo.cells]
    return wall / runs, (wall - trained(plan, names) / LANES) / runs


def main(runs: int = 200, trials: int = 4) -> None:
    with tempfile.TemporaryDirectory() as folder, connected(SweepOptions(lanes=LANES)) as share:
        plan = planned(Path(folder), runs)
        wall, above = by_lanes(plan, share, runs)
        print(f"lanes:    {wall:.3f} s a run, {above:.3f} s above training (at most {MOST})")
        if not trials:
            return
    with tempfile.TemporaryDirectory() as folder, connected(SweepOptions(lanes=LANES)) as share:
        plan = planned(Path(folder), trials)
        slow, slow_above = by_textbook(plan, share, trials)
        print(
            f"textbook: {slow:.3f} s a run, {slow_above:.3f} s above training; "
            f"{slow_above / max(above, 1e-9):.0f} times the lanes'"
        )


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))

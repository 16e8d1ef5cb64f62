"""Carries a study out as the command line does, and notes every epoch that any process trains.

``python -m tests.faults.drive STUDY DATA STORE NOTES [seconds an epoch takes longer] [options]``

Options are those of the command line, as a JSON object.

With RAYMTL_TEST_FAILS set, the runs whose name contains it fail after their first epoch.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import raymtl.engine.sweep as sweeping
from raymtl.commands.setting import settle
from raymtl.engine.cluster import connected
from raymtl.engine.lanes import Cargo
from raymtl.engine.options import SweepOptions
from raymtl.errors import RaymtlError
from raymtl.extraction.chunks import chunks
from raymtl.plan import make_plan
from raymtl.results.ledger import Entry
from raymtl.training.run import run_job


def noted(
    notes: str,
    slower: float,
    fails: str,
    job: Any,
    *given: Any,
    report: Callable[[Any], None],
    **more: Any,
) -> Entry:
    """`run_job`, a checkpoint an epoch; appends (run, epoch, process, checkpoints) to `notes`."""
    sweep = given[1]

    def note(epoch: Any) -> None:
        kept = sorted(p.name for p in (sweep / "unfinished" / job.run / "checkpoint").glob("0*"))
        with Path(notes).open("a") as handle:
            handle.write(json.dumps([job.run, epoch.epoch, os.getpid(), kept]) + "\n")
        time.sleep(slower)
        if fails and fails in job.run:
            raise ValueError("spilt milk")
        report(epoch)

    return run_job(job, *given, report=note, checkpoint_seconds=0.0, **more)


def main(
    study: str, data: str, store: str, notes: str, slower: str = "0", options: str = "{}"
) -> int:
    # Small chunks, so that there are several to lose; no dashboard, for no worker group is made.
    import raymtl.plan.work as work

    work.chunks = partial(chunks, work=0.005)  # type: ignore[assignment]
    sweeping.connected = partial(connected, dashboard=False)  # type: ignore[attr-defined]
    fails, chosen = os.environ.get("RAYMTL_TEST_FAILS", ""), json.loads(options)
    try:
        setting = settle(Path(study), Path(data), store)
        plan = make_plan(setting.study, setting.experiment, setting.data, setting.store)
        cargo = partial(Cargo, train=partial(noted, notes, float(slower), fails))
        result = sweeping.carry_out(
            plan, setting.store, SweepOptions(plain=True, **chosen), cargo=cargo
        )
    except RaymtlError as error:
        print(f"error: {error}", flush=True)
        return 2
    print(json.dumps([result.done, len(result.failed), result.interrupted]), flush=True)
    return 130 if result.interrupted else int(result.done < len(plan.runs))


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))

"""`raymtl rerun`: one run again, in this process and thread, held against its record."""

from __future__ import annotations

import pdb
import shutil
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

from rich.console import Console

from raymtl.commands.keeping import check_keep
from raymtl.commands.setting import miniature_data
from raymtl.engine.fresh import settle
from raymtl.errors import Diverged, PreflightError, RaymtlError
from raymtl.experiment import Experiment
from raymtl.kept import Keep, kept_epochs, spelt
from raymtl.plan import Plan, make_plan
from raymtl.plan.inprocess import extract_here, fit_here
from raymtl.results.finding import Found, find_run
from raymtl.results.records import read_record
from raymtl.results.runs.epochs import add_epochs, at_rest
from raymtl.results.runs.same import compared, differences
from raymtl.results.state import ENVIRONMENT, PLAN, read_json
from raymtl.study import Study, load_study
from raymtl.training.job import RunJob
from raymtl.training.outcome import EpochReport
from raymtl.training.run import Workbench, train_and_record

EQUAL, DIFFERENT = 0, 1
_ASIDE = "rerun"  # a sweep of this name is planned, so that no record of the true one is read


def rerun(
    text: str,
    store: Path,
    data: Path | None,
    study: Path | None,
    into: Path | None,
    device: str | None,
    debug: bool,
    keep: str,
    console: Console,
) -> int:
    """Trains the run again and says whether every number is the recorded one.

    Args:
        data, study: where they are now, if not as the sweep found them.
        into: keep the new record there; otherwise it goes once it has been compared.
        debug: enter the debugger where something is raised.
        keep: epochs whose weights are added to the record, if every number is equal.

    Raises:
        PreflightError: when the study no longer plans this run, with what has changed.
        Exception: whatever the run itself raises.
    """
    kept, found = Keep.parse(keep), find_run(text, store)
    _check_record(found, kept)
    plan, job = planned(found, study, data)
    check_keep(replace(plan, runs=[job]), kept)
    folder = Path(mkdtemp(prefix="raymtl-rerun-")) if into is None else into.resolve()
    try:
        again = _train(found, plan, job, folder, device, kept, console)
        return _judged(found, again, kept, console)
    except Exception as error:
        if not debug or isinstance(error, RaymtlError):
            raise
        return _debug(error, console)
    finally:
        if into is None:
            shutil.rmtree(folder, ignore_errors=True)


def _check_record(found: Found, keep: Keep) -> None:
    if not (keep.best_alone or found.done):
        raise PreflightError(
            f"{found.run}: --keep adds epochs to a record, and it has none. `raymtl sweep --keep "
            f"{keep.text}` keeps them as it trains it."
        )


def _debug(error: Exception, console: Console) -> int:
    """The debugger, where it was raised."""
    console.print(f"{type(error).__name__}: {error}", markup=False)
    pdb.post_mortem(error.__traceback__)
    return DIFFERENT


def _study(found: Found, given: Path | None, environment: Mapping[str, Any]) -> Study:
    """The study as the sweep ran it: its copy, under the name and beside the files it had."""
    origin = Path(str(environment.get("study", found.sweep / "study.py")))
    if given is not None:
        return load_study(given)
    copy = found.sweep / "study.py"
    if not copy.is_file():
        raise PreflightError(f"{copy}: missing. Give the study with --study.")
    return load_study(copy, origin)


def planned(found: Found, given: Path | None, data: Path | None) -> tuple[Plan, RunJob]:
    """The run's job, planned from the data as it is now; its address must be the recorded one."""
    environment = read_json(found.sweep / ENVIRONMENT, [])
    study = _study(found, given, environment)
    store = found.sweep.parents[1]
    root = data.resolve() if data is not None else _recorded_data(environment, store)
    first = study.miniature if environment.get("miniature") else study.experiment
    plans: list[Plan] = []
    for experiment in dict.fromkeys((first, study.experiment, study.miniature)):
        plan = _plan(study, experiment, root, store)
        for job in plan.runs:
            if job.run == found.run:
                return plan, job
        plans.append(plan)
    raise PreflightError(_changed(found, plans[0], root))


def _plan(study: Study, experiment: Experiment, root: Path, store: Path) -> Plan:
    return make_plan(study, replace(experiment, name=_ASIDE), root, store, bad_files="skip")


def _recorded_data(environment: Mapping[str, Any], store: Path) -> Path:
    if "data" not in environment:
        raise PreflightError(
            "The sweep does not say where its data was (it is older than that note). Give it with "
            "--data."
        )
    root = Path(str(environment["data"]))
    if environment.get("miniature") and not root.is_dir():
        return miniature_data(store)
    if not root.is_dir():
        raise PreflightError(f"{root}: the data is no longer there. Say where it is with --data.")
    return root


def _changed(found: Found, plan: Plan, root: Path) -> str:
    """What keeps the run from being planned again."""
    lines = [f"{found.run}: the study plans no such run from {root} any more."]
    try:
        content = read_record(found.folder).content
    except RaymtlError:
        content = {}
    cell = content.get("cell", {}).get("name")
    for job in plan.runs:
        same = (job.cell.name, job.fold, job.repeat)
        if same == (cell, content.get("fold"), content.get("seed")):
            lines += [f"  {line}" for line in _moved(content, job, found)]
    lines.append("Give the data, the study (--study) and the versions that it was made with.")
    return "\n".join(lines)


def _moved(content: Mapping[str, Any], job: RunJob, found: Found) -> list[str]:
    """The parts of a run's address that are others now."""
    recorded = read_json(found.sweep / PLAN, []).get("sources", {})
    lines = []
    for source in job.sources:
        facts = content["sources"].get(source.name, {})
        before = facts.get("content") or recorded.get(source.name, {}).get("content")
        if before and before != source.content:
            lines.append(f"{source.name}: other clips or recordings than then")
        elif facts.get("features") != source.features:
            lines.append(f"{source.name}: other features (recordings, signal or extraction)")
        elif facts.get("fit") != source.fit:
            lines.append(f"{source.name}: other stages or training clips")
        sizes = [facts.get(part) for part in ("train", "validation", "test")]
        now = [len(source.train), len(source.validation), len(source.test)]
        if sizes != now:
            lines.append(f"{source.name}: {sizes} clips to train, validate and test on, now {now}")
    if content.get("training") != repr(job.training):
        lines.append(f"training: {content.get('training')}, now {job.training!r}")
    return lines or ["labels, the model or the text of a part of it are others"]


def _train(
    found: Found,
    plan: Plan,
    job: RunJob,
    folder: Path,
    device: str | None,
    keep: Keep,
    console: Console,
) -> Path:
    features = {source.features for source in job.sources}
    fits = {source.fit for source in job.sources}
    extract_here(plan.store, [f for f in plan.needed_features() if f.address in features])
    fit_here(plan.store, [r for r in plan.needed_fits() if r.address in fits])
    content = read_record(found.folder).content if found.done else {}
    renew = settle(int(content.get("threads", 1)))
    renew()

    def told(epoch: EpochReport) -> None:
        console.print(f"epoch {epoch.epoch} of {epoch.epochs}", style="dim")

    where = device or str(content.get("device", "cpu"))
    try:
        bench = Workbench(plan.store, plan.tables)
        return train_and_record(job, bench, folder, told, where, keep)
    except Diverged as error:
        console.print(f"diverged: {error}", markup=False)
        raise


def _judged(found: Found, again: Path, keep: Keep, console: Console) -> int:
    """The verdict on the new record; where it is equal, the old one is given its kept epochs."""
    code = _verdict(found, again, console)
    if not keep.best_alone:
        _add(found, again, code, console)
    return code


def _verdict(found: Found, again: Path, console: Console) -> int:
    if not found.done:
        console.print(f"{found.run}: trained; there is no record to hold it against.")
        return EQUAL
    unlike, count = differences(found.folder, again), compared(found.folder)
    if not unlike:
        console.print(f"equal: all {count} numbers and the weights are as recorded.")
        return EQUAL
    first = unlike[0]
    console.print(
        f"different: {len(unlike)} of {count}. The first is {first.where}: recorded "
        f"{first.recorded}, now {first.again}.",
        markup=False,
        soft_wrap=True,
    )
    _why(found, again, console)
    return DIFFERENT


def _add(found: Found, again: Path, code: int, console: Console) -> None:
    """Puts kept epochs into the record, which the best epoch's weights must agree with."""
    if code != EQUAL:
        console.print("Its epochs are those of another network: none is added to the record.")
        return
    with at_rest(found.sweep):
        new = add_epochs(found.folder, again)
    said = f"Added epochs {spelt(new)}" if new else "No epoch was added: all were kept before"
    console.print(f"{said}; kept are {spelt(kept_epochs(read_record(found.folder).content))}.")


def _why(found: Found, again: Path, console: Console) -> None:
    """What was otherwise when the record was made."""
    one, other = read_record(found.folder).content, read_record(again).content
    for name in ("device", "workers", "threads"):
        if name in one and one[name] != other[name]:
            console.print(f"  {name}: {one[name]}, now {other[name]}")
    for name, version in one.get("versions", {}).items():
        now = other["versions"].get(name)
        if now != version:
            console.print(f"  {name}: {version}, now {now}", markup=False)
    cpus = [content.get("machine", {}).get("cpu") for content in (one, other)]
    if cpus[0] and cpus[0] != cpus[1]:
        console.print(f"  processor: {cpus[0]}, now {cpus[1]}", markup=False)
    sys.stdout.flush()

"""Finished runs handed to MLflow or Weights & Biases, each once, by their own libraries."""

from __future__ import annotations

import importlib
import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from raymtl.durable import write_durably
from raymtl.errors import PreflightError
from raymtl.results.tracking.tracked import Tracked

_WHOLE, _DIGEST = "raymtl.whole", "raymtl.digest"
_BATCH = 500  # metrics in a request; MLflow takes 1,000
_LONGEST = 500  # characters of a parameter that every MLflow server takes


def to_mlflow(runs: Iterable[Tracked], uri: str | None, project: str) -> int:
    """Writes runs that the experiment `project` lacks; how many those were.

    A run that an earlier call left half written is removed and written again.

    Raises:
        PreflightError: without the library or a server, or for what MLflow refuses.
    """
    mlflow = _library("mlflow", "mlflow")
    uri = uri or os.environ.get("MLFLOW_TRACKING_URI")
    if not uri:
        raise PreflightError("mlflow: no server. Give --uri, or set MLFLOW_TRACKING_URI.")
    try:
        client = mlflow.MlflowClient(tracking_uri=uri)
        found = client.get_experiment_by_name(project)
        experiment = found.experiment_id if found else client.create_experiment(project)
        there = _clean(client, experiment)
        count = 0
        for run in runs:
            if run.digest not in there:
                _write_mlflow(mlflow, client, experiment, run)
                count += 1
    except mlflow.exceptions.MlflowException as error:
        raise PreflightError(f"mlflow, {uri}: {error}") from error
    return count


def to_wandb(
    runs: Iterable[Tracked], folder: Path, project: str, offline: bool, noted: Path
) -> int:
    """Writes runs that are not noted in the file `noted`; how many those were.

    A run's id is made of its address: one that was written but not noted is written over.

    Args:
        folder: where wandb keeps its files.

    Raises:
        PreflightError: without the library, or for what wandb refuses.
    """
    wandb = _library("wandb", "wandb")
    done = set(json.loads(noted.read_text())) if noted.is_file() else set()
    folder.mkdir(parents=True, exist_ok=True)
    count = 0
    for run in runs:
        if run.digest not in done:
            try:
                _write_wandb(wandb, run, folder, project, offline)
            except wandb.errors.Error as error:
                raise PreflightError(f"wandb: {error}") from error
            done.add(run.digest)
            write_durably(noted, json.dumps(sorted(done)).encode())
            count += 1
    return count


def _library(name: str, extra: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise PreflightError(
            f'{name} is not installed ({error}). Install it: pip install "raymtl[{extra}]".'
        ) from error


def _clean(client: Any, experiment: str) -> set[str]:
    """Digests of whole runs of the experiment; half-written ones are deleted."""
    whole, token = set(), None
    while True:
        page = client.search_runs([experiment], max_results=1000, page_token=token)
        for run in page:
            tags = run.data.tags
            if tags.get(_WHOLE) == "yes":
                whole.add(tags.get(_DIGEST, ""))
            elif _DIGEST in tags:
                client.delete_run(run.info.run_id)
        token = page.token
        if not token:
            return whole


def _write_mlflow(mlflow: Any, client: Any, experiment: str, run: Tracked) -> None:
    tags = {_DIGEST: run.digest, "raymtl.run": run.run, "raymtl.sweep": run.sweep}
    made = client.create_run(experiment, tags=tags, run_name=run.name).info.run_id
    entities = mlflow.entities
    client.log_batch(
        made, params=[entities.Param(k, str(v)[:_LONGEST]) for k, v in run.parameters.items()]
    )
    metrics = [
        entities.Metric(name, value, 0, epoch) for (epoch, name), value in run.curves.items()
    ]
    metrics += [entities.Metric(name, value, 0, 0) for name, value in run.final.items()]
    for start in range(0, len(metrics), _BATCH):
        client.log_batch(made, metrics=metrics[start : start + _BATCH])
    client.set_tag(made, _WHOLE, "yes")
    client.set_terminated(made)


def _write_wandb(wandb: Any, run: Tracked, folder: Path, project: str, offline: bool) -> None:
    begun = wandb.init(
        project=project,
        id=run.digest[:32],
        name=run.name,
        group=run.sweep,
        dir=str(folder),
        config={**run.parameters, "run": run.run, "digest": run.digest},
        mode="offline" if offline else None,
        resume="allow" if not offline else None,
        settings=wandb.Settings(console="off", silent=True, disable_git=True),
    )
    by_epoch: dict[int, dict[str, float]] = {}
    for (epoch, name), value in run.curves.items():
        by_epoch.setdefault(epoch, {"epoch": epoch})[name] = value
    for epoch in sorted(by_epoch):
        begun.log(by_epoch[epoch], step=epoch)
    begun.summary.update(run.final)
    begun.finish()

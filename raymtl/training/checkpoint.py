"""The exact state of a run on disk: tensors as safetensors, the rest as sealed JSON.

A checkpoint is a folder ``<run>/checkpoint/<number>``, written aside, synced, and renamed. Two are
kept; one that does not verify is passed over for the one before.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load, save
from torch import Tensor, nn

from raymtl.durable import file_digest, open_sealed, seal, sync
from raymtl.errors import Interrupted, StoreError
from raymtl.faults import fault_point
from raymtl.loading.fits import ids_digest
from raymtl.models.model import Model
from raymtl.spec import digest
from raymtl.tasks import Task
from raymtl.training.outcome import RunData
from raymtl.training.training import Training

__all__ = [
    "Interrupted",
    "State",
    "clear",
    "copy_state",
    "identity",
    "load_newest",
    "optimiser_tensors",
    "restore_optimiser",
    "save_state",
    "under",
]

FOLDER = "checkpoint"
_KEPT = 2
_TENSORS, _PROGRESS = "tensors.safetensors", "progress.json"


@dataclass(frozen=True, eq=False)
class State:
    """tensors: flat names to CPU tensors. progress: JSON data; floats come back bit for bit."""

    tensors: Mapping[str, Tensor]
    progress: Mapping[str, Any]


def identity(
    model: Model, training: Training, tasks: Mapping[str, Task], seed: int, data: RunData
) -> str:
    """Digest of all that a run's numbers depend on; a checkpoint of another run is no use to it."""
    clips = [
        [kind, name, ids_digest(tuple(part.ids)), len(part.inputs)]
        for kind in ("train", "validation", "test")
        for name, part in sorted(getattr(data, kind).items())
    ]
    return digest(
        {
            "model": model,
            "training": training,
            "seed": seed,
            "tasks": list(tasks.values()),
            "data": clips,
        }
    )


def save_state(folder: Path, state: State) -> None:
    """Writes one more checkpoint below `folder` and drops all but the last two.

    Raises:
        StoreError: when it cannot be written; the ones before are left alone.
    """
    root = folder / FOLDER
    try:
        number = max((int(path.name) for path in _numbered(root)), default=0) + 1
        aside = root / f".{number}.{os.getpid()}"
        shutil.rmtree(aside, ignore_errors=True)
        aside.mkdir(parents=True)
        _write(aside / _TENSORS, save({k: v.contiguous() for k, v in state.tensors.items()}))
        content = {"tensors": file_digest(aside / _TENSORS), "progress": dict(state.progress)}
        _write(aside / _PROGRESS, seal(content))
        sync(aside)
        fault_point("checkpoint:before-rename")
        aside.rename(root / f"{number:06d}")
        sync(root)
    except OSError as error:
        raise StoreError(
            f"{root}: checkpoint cannot be written ({error.strerror or error}). "
            "Free space there, then run again."
        ) from error
    for path in _numbered(root)[:-_KEPT]:
        shutil.rmtree(path, ignore_errors=True)


def load_newest(
    folder: Path,
    identity: str,
    accepts: Callable[[Mapping[str, Any]], bool] = lambda progress: True,
) -> State | None:
    """The newest checkpoint that verifies and belongs to the run `identity`, or None.

    accepts: asked of its progress; what is refused is passed over.
    """
    for path in reversed(_numbered(folder / FOLDER)):
        try:
            content = open_sealed(path / _PROGRESS)
            found = (path / _TENSORS).read_bytes()
            if file_digest(path / _TENSORS) != content["tensors"]:
                continue
        except (OSError, StoreError):
            continue
        if content["progress"]["identity"] == identity and accepts(content["progress"]):
            return State(load(found), content["progress"])
    return None


def clear(folder: Path) -> None:
    """Removes every checkpoint of a finished run."""
    shutil.rmtree(folder / FOLDER, ignore_errors=True)


def optimiser_tensors(optimiser: torch.optim.Optimizer) -> dict[str, Tensor]:
    """Its state under ``optimiser/<parameter number>/<name>``, on the CPU."""
    state = optimiser.state_dict()["state"]
    return {
        f"optimiser/{number}/{name}": value.detach().cpu().clone()
        for number, values in state.items()
        for name, value in values.items()
        if isinstance(value, Tensor)
    }


def restore_optimiser(
    optimiser: torch.optim.Optimizer, parameters: list[nn.Parameter], tensors: Mapping[str, Tensor]
) -> None:
    """Puts `optimiser_tensors` back, each laid out in memory as its parameter.

    A fused step walks parameter and state in memory order, so the layouts must be the same.
    """
    for key, value in tensors.items():
        kind, _, rest = key.partition("/")
        if kind != "optimiser":
            continue
        number, name = rest.split("/")
        parameter = parameters[int(number)]
        if value.shape == parameter.shape:
            laid = torch.empty_like(parameter, memory_format=torch.preserve_format).detach()
            value = laid.copy_(value)
        optimiser.state[parameter][name] = value.to(parameter.device)


def under(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Tensors whose name starts with `prefix`, named without it."""
    return {name[len(prefix) :]: v for name, v in tensors.items() if name.startswith(prefix)}


def copy_state(network: nn.Module, into: dict[str, Tensor]) -> None:
    """Copies weights and buffers into tensors that are kept from one call to the next."""
    for name, value in network.state_dict().items():
        if name in into:
            into[name].copy_(value)
        else:
            into[name] = value.clone()


def _write(path: Path, content: bytes) -> None:
    with path.open("wb") as handle:
        handle.write(content)
        handle.flush()
        os.fsync(handle.fileno())


def _numbered(root: Path) -> list[Path]:
    if not root.is_dir():
        return []
    return sorted(path for path in root.iterdir() if path.name.isdigit())

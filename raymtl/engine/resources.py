"""What is there, what is asked for, and whether the one fits the other."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from raymtl.engine.options import SweepOptions
from raymtl.errors import PreflightError

_CPU_LIMIT = Path("/sys/fs/cgroup/cpu.max")


@dataclass(frozen=True)
class Node:
    """CPUs and GPUs of one machine."""

    cpus: float
    gpus: float


@dataclass(frozen=True)
class Share:
    """How many lanes run side by side, and what each worker of a lane holds."""

    lanes: int
    workers: int
    gpus: float  # of one worker

    @property
    def trial(self) -> dict[str, float]:
        """Resources of one Tune trial.

        The trial of a worker group holds no CPU: it only waits for its workers, which may need
        every CPU there is; it stays on the head node.
        """
        if self.workers > 1:
            return {"node:__internal_head__": 0.001}
        return {"CPU": 1, "GPU": self.gpus} if self.gpus else {"CPU": 1}

    @property
    def worker(self) -> dict[str, float]:
        """Resources of one worker of a group."""
        return {"CPU": 1, "GPU": self.gpus} if self.gpus else {"CPU": 1}


def this_machine() -> Node:
    """CPUs this process may use, container limits respected, and visible GPUs."""
    import torch

    cpus = len(os.sched_getaffinity(0))
    try:
        quota, period = _CPU_LIMIT.read_text().split()
        if quota != "max":
            cpus = min(cpus, max(1, int(quota) // int(period)))
    except (OSError, ValueError):
        pass  # not a container, or not one of this kind
    return Node(cpus, torch.cuda.device_count())


def share(options: SweepOptions, nodes: Sequence[Node]) -> Share:
    """Lanes and their resources on the given machines.

    Raises:
        PreflightError: when what is asked for cannot run there, saying what is asked and there.
    """
    cpus, gpus = sum(n.cpus for n in nodes), sum(n.gpus for n in nodes)
    each = options.gpus_per_cell / options.workers
    _check_gpus(options, each, gpus)
    if options.workers > cpus:
        raise PreflightError(
            f"--workers {options.workers}: needs {options.workers} CPUs, there "
            f"are {cpus:g}. Ask for fewer workers or give a larger cluster with "
            "--address."
        )
    possible = _possible(options.workers, each, nodes)
    if not possible:
        raise PreflightError(
            f"--workers {options.workers} --gpus-per-cell "
            f"{options.gpus_per_cell:g}: no machine can hold one worker with a "
            "CPU and its GPU share. Ask for less."
        )
    if options.lanes is not None and options.lanes > possible:
        raise PreflightError(
            f"--lanes {options.lanes}: each needs {_needs(options)}; there are "
            f"{cpus:g} CPUs and {gpus:g} GPUs, enough for {possible}. Ask for "
            "fewer lanes or give a larger cluster with --address."
        )
    return Share(options.lanes or possible, options.workers, each)


def _check_gpus(options: SweepOptions, each: float, gpus: float) -> None:
    if options.gpus_per_cell > gpus:
        raise PreflightError(
            f"--gpus-per-cell {options.gpus_per_cell:g}: there are {gpus:g} GPUs. "
            "Leave the option out to train on CPUs, or give a cluster that has "
            "GPUs with --address."
        )
    whole = each == int(each)
    if (each > 1 or (options.workers > 1 and each > 0)) and not whole:
        raise PreflightError(
            f"--gpus-per-cell {options.gpus_per_cell:g} --workers "
            f"{options.workers}: {each:g} GPUs a worker. Expected whole GPUs, or, "
            "with one worker, a part of one."
        )


def _possible(workers: int, gpus: float, nodes: Sequence[Node]) -> int:
    """Cells that fit at once; a worker lies on one machine, with its CPU and its GPU share."""
    places = 0
    for node in nodes:
        by_gpu = math.inf
        if gpus >= 1:
            by_gpu = node.gpus // gpus
        elif gpus > 0:
            by_gpu = node.gpus * int(1 / gpus + 1e-9)
        places += int(min(node.cpus, by_gpu))
    return places // workers


def _needs(options: SweepOptions) -> str:
    cpus = f"{options.workers} CPU{'s' if options.workers > 1 else ''}"
    return f"{cpus} and {options.gpus_per_cell:g} GPUs" if options.gpus_per_cell else cpus

"""What a sweep may use: values of the command line that change no number."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from raymtl.kept import Keep


@dataclass(frozen=True)
class SweepOptions:
    """How a plan is carried out.

    lanes: cells trained side by side; None for as many as fit.
    gpus_per_cell: GPU share of a cell; below 1, several cells share a GPU.
    workers: Ray Train workers of a cell; above 1 a cell is trained by a worker group.
    address: of a running Ray cluster; None starts one on this machine.
    fail_fast: stop at the first run that fails.
    bad_files: ``fail`` or ``skip`` recordings that cannot be used.
    plain: progress as lines, as when the output is not a terminal.
    keep: epochs whose weights are kept besides the best one's.
    """

    lanes: int | None = None
    gpus_per_cell: float = 0.0
    workers: int = 1
    address: str | None = None
    fail_fast: bool = False
    bad_files: Literal["fail", "skip"] = "fail"
    plain: bool = False
    keep: Keep = field(default=Keep())

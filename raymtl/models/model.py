"""The contract of a network: from an input shape and tasks to a torch module."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import nn

from raymtl.spec import Spec
from raymtl.tasks import Task


@dataclass(frozen=True)
class InputShape:
    """One clip: (channels, frames, features). frames None: they vary from clip to clip."""

    channels: int
    frames: int | None
    features: int


@dataclass(frozen=True)
class Model(Spec, ABC):
    """Builds a network with one head a task."""

    @abstractmethod
    def build(self, shape: InputShape, tasks: Sequence[Task], seed: int) -> nn.Module:
        """A module `(inputs, tasks=None) -> {head name: (B, outputs)}`, on the CPU.

        In: inputs ``features`` (B, channels, frames, features) float32 and ``lengths`` (B,)
        int64; `tasks` names the heads to compute, None all. Weights are a function of the
        arguments alone; no global state is touched.

        Raises:
            StudyError: when the shape cannot pass through the network.
        """


@contextmanager
def isolated(seed: int, device: str = "cpu") -> Iterator[None]:
    """Torch's generators seeded and its default dtype float32 inside; as before outside."""
    devices = [torch.device(device)] if device.startswith("cuda") else []
    dtype = torch.get_default_dtype()
    with torch.random.fork_rng(devices=devices):
        torch.set_default_dtype(torch.float32)
        try:
            torch.manual_seed(seed)
            yield
        finally:
            torch.set_default_dtype(dtype)


def parameters(module: nn.Module) -> int:
    """Number of trainable values."""
    return sum(p.numel() for p in module.parameters() if p.requires_grad)

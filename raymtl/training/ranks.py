"""Several processes training one network: each takes a share of every step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor, nn

from raymtl.loading.batches import Rows

T = TypeVar("T")


class Ranks:
    """The processes of a run; with group None there is one and nothing is sent."""

    def __init__(self, group: Any = None) -> None:
        self._group = group
        self.size: int = 1 if group is None else dist.get_world_size(group)
        self.rank: int = 0 if group is None else dist.get_rank(group)

    @property
    def alone(self) -> bool:
        return self._group is None

    def share(self, step: Mapping[str, Rows]) -> dict[str, Rows]:
        """This process's rows of a step."""
        return {name: rows[self.rank :: self.size] for name, rows in step.items()}

    def total(self, values: Tensor) -> Tensor:
        """`values` summed over all processes, in place."""
        if not self.alone:
            dist.all_reduce(values, group=self._group)
        return values

    def totals(self, values: Sequence[Tensor]) -> Sequence[Tensor]:
        """Scalars summed over all processes."""
        if self.alone:
            return values
        return list(self.total(torch.stack([value.float() for value in values])))

    def any(self, flag: bool) -> bool:
        """Whether any process says so."""
        if self.alone:
            return flag
        device = "cuda" if dist.get_backend(self._group) == "nccl" else "cpu"
        return bool(self.total(torch.tensor(float(flag), device=device)) > 0)

    def first(self, value: T) -> T:
        """The value of process 0, sent to all."""
        if self.alone:
            return value
        held = [value]
        dist.broadcast_object_list(held, group=self._group, group_src=0)
        return held[0]

    def total_gradients(self, parameters: Sequence[nn.Parameter]) -> None:
        """Sums gradients over all processes; a parameter that none has used keeps none."""
        if self.alone:
            return
        used = torch.tensor([float(p.grad is not None) for p in parameters])
        parts = [
            _flat(p.grad) if p.grad is not None else p.new_zeros(p.numel()) for p in parameters
        ]
        whole = self.total(torch.cat([used.to(parts[0].device), *parts]))
        kept, start = whole[: len(parameters)].tolist(), len(parameters)
        for parameter, any_used in zip(parameters, kept, strict=True):
            values = whole[start : start + parameter.numel()]
            start += parameter.numel()
            if any_used:
                parameter.grad = torch.empty_like(parameter).copy_(values.view(parameter.shape))

    def mean_buffers(self, network: nn.Module) -> None:
        """Gives all processes the mean of their running statistics."""
        for buffer in network.buffers() if not self.alone else ():
            if buffer.is_floating_point():
                self.total(buffer.div_(self.size))


def _flat(gradient: Tensor) -> Tensor:
    return gradient.contiguous().view(-1)

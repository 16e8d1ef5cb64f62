"""The training losses of an epoch, added up without waiting for the device at every step."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

import torch
from torch import Tensor

from raymtl.errors import Diverged
from raymtl.training.ranks import Ranks


class LossSums:
    """Summed loss and number of valid entries of every task, in double precision."""

    def __init__(self, tasks: Iterable[str], device: str) -> None:
        self._sums = dict.fromkeys(tasks, (0.0, 0.0))
        self._pending: list[tuple[str, Tensor]] = []  # on the device: loss and count in turn
        self._device = device

    def add(self, sums: Mapping[str, tuple[Tensor, Tensor]]) -> None:
        """Notes one step."""
        self._pending += [(name, part.detach()) for name, pair in sums.items() for part in pair]

    def means(self, ranks: Ranks, epoch: int) -> dict[str, float]:
        """Mean losses over all processes, and a fresh start.

        Raises:
            Diverged: when one is not finite, on every process.
        """
        losses = {}
        for name, (loss, count) in self.settled().items():
            held = torch.tensor([loss, count], dtype=torch.float64, device=self._device)
            loss, count = ranks.total(held).tolist()
            if not math.isfinite(loss):
                raise Diverged(f"the training loss of task {name!r} is {loss} in epoch {epoch}.")
            if count:
                losses[name] = loss / count
            self._sums[name] = (0.0, 0.0)
        return losses

    def settled(self) -> dict[str, tuple[float, float]]:
        """All sums so far. Added one by one, so it does not matter how often this is asked."""
        pending, self._pending = self._pending, []
        if pending:
            found = iter(torch.stack([part.double() for _, part in pending]).tolist())
            for name, _ in pending[::2]:
                loss, count = self._sums[name]
                self._sums[name] = (loss + next(found), count + next(found))
        return dict(self._sums)

    def restore(self, sums: Mapping[str, Iterable[float]]) -> None:
        """Goes on from what `settled` gave."""
        for name, (loss, count) in sums.items():
            self._sums[name] = (loss, count)

"""Many small networks trained side by side: every layer of all of them is one batched product."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor


def layers(nets: int, widths: Sequence[int], starts: Sequence[int]) -> list[Tensor]:
    """Weights (nets, in, out) and biases (nets, 1, out) in turn, drawn as `torch.nn.Linear` does.

    starts: (nets,) the seed of each; equal seeds give equal networks.
    """
    kinds = sorted(set(starts))
    of = {kind: at for at, kind in enumerate(kinds)}
    found = []
    for at, (inside, outside) in enumerate(pairwise(widths)):
        for rows in (inside, 1):
            each = []
            for kind in kinds:
                generator = torch.Generator().manual_seed(10_000 * kind + 2 * at + (rows == 1))
                each.append(torch.rand(rows, outside, generator=generator))
            drawn = (2 * torch.stack(each) - 1) / inside**0.5
            found.append(drawn[[of[s] for s in starts]].requires_grad_())
    return found


def said(parts: Sequence[Tensor], inputs: Tensor) -> Tensor:
    """(nets, examples, in) to (nets, examples, out), with ReLU between layers."""
    for at in range(0, len(parts), 2):
        inputs = torch.baddbmm(parts[at + 1], inputs, parts[at])
        if at + 2 < len(parts):
            inputs = inputs.relu()
    return inputs


def optimiser(parts: Sequence[Tensor], rate: float, decay: float) -> torch.optim.Optimizer:
    """Adam's steps are of each weight alone: one optimiser serves all networks."""
    return torch.optim.AdamW(parts, lr=rate, weight_decay=decay, fused=True)

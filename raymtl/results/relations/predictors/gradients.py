"""What a step on one task does for another, in the network that learns both.

Between tasks that share no recordings such numbers compare gradients on different inputs, and say
as much of the recordings as of the tasks: so the overlap is always told with them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

Loss = Callable[[], Tensor]


def gradient_cosine(one: Loss, other: Loss, shared: Sequence[Tensor]) -> float | None:
    """Cosine between the gradients of two losses in the shared weights: Yu et al., Gradient Surgery
    for Multi-Task Learning, NeurIPS 2020; None where one is zero."""
    flat = [torch.cat([g.reshape(-1) for g in _gradients(loss, shared)]) for loss in (one, other)]
    sizes = float(flat[0].norm() * flat[1].norm())
    return float(flat[0] @ flat[1]) / sizes if sizes > 0 else None


def lookahead(main: Loss, partner: Loss, shared: Sequence[Tensor], rate: float) -> float | None:
    """1 - L_main(after a gradient step on partner) / L_main: Fifty et al. (TAG), equation 1.

    The weights are as before afterwards. None where the loss of `main` is 0.

    Args:
        rate: length of the step, in gradients.
    """
    steps = _gradients(partner, shared)
    before = [weight.detach().clone() for weight in shared]
    with torch.no_grad():
        base = float(main())
        try:
            for weight, step in zip(shared, steps, strict=True):
                weight -= rate * step
            after = float(main())
        finally:
            for weight, old in zip(shared, before, strict=True):
                weight.copy_(old)
    return 1 - after / base if base else None


def _gradients(loss: Loss, shared: Sequence[Tensor]) -> list[Tensor]:
    found = torch.autograd.grad(loss(), list(shared), allow_unused=True)
    return [torch.zeros_like(w) if g is None else g for w, g in zip(shared, found, strict=True)]

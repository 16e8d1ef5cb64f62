"""Multiply-adds of a network, counted as it runs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode


def multiply_adds(forward: Callable[[], object]) -> float:
    """Those of matrix products and convolutions in a call, as torch counts them: half its
    operations. Recurrent and attention layers count by what is in them; the rest does not."""
    with torch.no_grad(), _plain_operations(), FlopCounterMode(display=False) as counter:
        forward()
    return float(counter.get_total_flops() / 2)


@contextmanager
def _plain_operations() -> Iterator[None]:
    """Without layers that are one kernel (LSTM, attention), whose products torch cannot see."""
    whole = torch.backends.mha.get_fastpath_enabled()
    onednn, *_ = torch.backends.mkldnn.set_flags(False)  # type: ignore[no-untyped-call]
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        with torch.backends.cudnn.flags(enabled=False), sdpa_kernel(SDPBackend.MATH):
            yield
    finally:
        torch.backends.mha.set_fastpath_enabled(whole)
        torch.backends.mkldnn.set_flags(onednn)  # type: ignore[no-untyped-call]

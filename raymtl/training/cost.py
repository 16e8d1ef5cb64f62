"""What a network costs to run: multiply-adds, seconds a clip, memory of the device."""

from __future__ import annotations

import statistics
import time
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from raymtl.models.counting import multiply_adds

_TIMES = 7  # forward passes that are timed, after one that is not


def cost(network: nn.Module, inputs: Mapping[str, Tensor], device: str) -> dict[str, float]:
    """Cost of one clip through the trunk and all heads, in the precision of the weights.

    In: `inputs` of one clip; see `models.model.Model.build`.

    Returns:
        macs: see `models.counting.multiply_adds`. frames: of the clip, with which they grow.
        latency_ms: median time of a forward pass, batch of one, with torch's threads as they are
        and whatever else the machine does.
        gpu_bytes: the most memory this run's tensors took, on CUDA devices only.
    """
    network.eval()
    used = torch.cuda.max_memory_allocated(device) if device.startswith("cuda") else None
    macs = multiply_adds(lambda: network(inputs))
    with torch.no_grad():
        seconds = [_seconds(network, inputs, device) for _ in range(_TIMES)]
    found = {
        "macs": macs,
        "frames": float(inputs["lengths"][0]),
        "latency_ms": 1e3 * statistics.median(seconds),
    }
    return found if used is None else found | {"gpu_bytes": float(used)}


def forget_memory(device: str) -> None:
    """Starts to count a device's memory anew, for a process trains many runs."""
    if device.startswith("cuda"):
        torch.cuda.reset_peak_memory_stats(device)


def _seconds(network: nn.Module, inputs: Mapping[str, Tensor], device: str) -> float:
    began = time.perf_counter()
    network(inputs)
    if device.startswith("cuda"):
        torch.cuda.synchronize(device)
    return time.perf_counter() - began

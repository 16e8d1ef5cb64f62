"""A lane that trains its hundredth run must be as it was before its first."""

from __future__ import annotations

import gc
import os
import random
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

_HOOKS = (
    "_global_forward_hooks",
    "_global_forward_pre_hooks",
    "_global_backward_hooks",
    "_global_backward_pre_hooks",
    "_global_buffer_registration_hooks",
    "_global_module_registration_hooks",
    "_global_parameter_registration_hooks",
)


def settle(threads: int = 1) -> Callable[[], None]:
    """Prepares this process to train; returns what puts it back into that state.

    What a run may have changed and another must not notice: random states, default dtype and
    device, threads, gradient mode, numeric switches of torch, global module hooks, warning
    filters, environment and working folder.
    """
    from raymtl.training.memory import settle_allocator

    settle_allocator()
    gc.collect()
    gc.freeze()  # what is imported by now stays; later collections need not look at it
    folder, environment, shown = Path.cwd(), dict(os.environ), warnings.filters[:]

    def renew() -> None:
        _reset_torch(threads)
        _reset_chance()
        for name in _HOOKS:
            getattr(nn.modules.module, name, {}).clear()
        warnings.filters[:] = shown  # type: ignore[index]  # typeshed calls the list a Sequence
        if dict(os.environ) != environment:
            os.environ.clear()
            os.environ.update(environment)
        os.chdir(folder)

    renew()
    return renew


def release() -> None:
    """Gives back what finished runs no longer need."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def _reset_chance(seed: int = 0) -> None:
    """A run draws from its own generators; one that does not still must not depend on the last."""
    random.seed(seed)
    np.random.seed(seed)  # noqa: NPY002  the state that others' code may draw from
    torch.manual_seed(seed)


def _reset_torch(threads: int) -> None:
    torch.set_num_threads(threads)
    torch.set_default_dtype(torch.float32)
    torch.set_default_device(None)
    torch.set_grad_enabled(True)
    torch.use_deterministic_algorithms(False)
    torch.set_float32_matmul_precision("highest")
    torch.autograd.set_detect_anomaly(False)
    backends: Any = torch.backends
    backends.cudnn.benchmark, backends.cudnn.deterministic = False, False

"""What Ray's processes are like that a sweep starts on its own machine."""

from __future__ import annotations

import os

import pytest
import ray

from raymtl.engine.resources import Share

pytestmark = [
    pytest.mark.ray,
    pytest.mark.filterwarnings("ignore::FutureWarning"),  # Ray's own
    pytest.mark.filterwarnings("ignore::ResourceWarning"),  # files Ray leaves to the collector
]


def test_workers_have_the_priority_of_the_driver_unless_the_user_set_another(
    cluster: Share,
) -> None:
    task = ray.remote(num_cpus=1)(lambda: os.getpriority(os.PRIO_PROCESS, 0))
    lower = int(os.environ["RAY_worker_niceness"])  # noqa: SIM112
    assert ray.get(task.remote(), timeout=240) == os.getpriority(os.PRIO_PROCESS, 0) + lower

"""One Ray cluster a module: two CPUs, no dashboard."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
import ray

from raymtl.engine.cluster import connected
from raymtl.engine.options import SweepOptions
from raymtl.engine.resources import Share


@pytest.fixture(scope="module")
def cluster() -> Iterator[Share]:
    """A private cluster; what its lanes may hold."""
    assert not ray.is_initialized()
    with connected(SweepOptions(), dashboard=False) as share:
        yield share
    assert not ray.is_initialized()
    os.environ.pop("RAY_ADDRESS", None)

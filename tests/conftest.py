"""Fixtures shared by all tests."""

from __future__ import annotations

import os
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before torch is imported: runs must be repeatable

import pytest
from hypothesis import HealthCheck, settings

from tests.corpora import write_corpora

# A busy machine is no reason to fail: what an example asserts does not depend on its seconds.
settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("patient")

RECORDINGS = Path(__file__).parents[2] / "shared" / "data"


@pytest.fixture(scope="session")
def recordings() -> Path:
    """Real recordings beside the checkout; tests that need them skip where they are absent."""
    if not RECORDINGS.is_dir():
        pytest.skip("the shared recordings are not on this machine")
    return RECORDINGS


@pytest.fixture(scope="session")
def corpora(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data root with small FSDD, ESC-50 and RAVDESS; to be copied before it is changed."""
    root = tmp_path_factory.mktemp("corpora")
    write_corpora(root)
    return root

"""Counts as people write them."""

from __future__ import annotations

import pytest

from raymtl.wording import counted


@pytest.mark.parametrize(
    ("count", "said"), [(0, "0 clips"), (1, "1 clip"), (2, "2 clips"), (1_000, "1,000 clips")]
)
def test_one_is_singular(count: int, said: str) -> None:
    assert counted(count, "clip") == said

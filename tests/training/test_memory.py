"""The allocator setting: taken by glibc, and no number changes."""

from __future__ import annotations

import subprocess
import sys

import pytest

TRAIN = """
import sys, torch
from pathlib import Path
from raymtl.training.memory import settle_allocator
if sys.argv[1] == "settled" and not settle_allocator():
    print("refused"); raise SystemExit
from raymtl.models import SharedCnn
from raymtl.training.training import Training
from tests.training.toys import run
print(run(SharedCnn(4, 1, 3), Training(epochs=2), Path(sys.argv[2])).history)
"""


def test_numbers_are_the_same_with_and_without(tmp_path) -> None:
    said = [
        subprocess.run(
            [sys.executable, "-c", TRAIN, mode, str(tmp_path)],
            check=True,
            text=True,
            capture_output=True,
        ).stdout
        for mode in ("settled", "default")
    ]
    if said[0] == "refused\n":
        pytest.skip("the C library is not glibc")
    assert said[0] == said[1]

"""Runs to be deployed: trained once, on miniatures, in this process."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from raymtl.experiment import combinations
from raymtl.kept import Keep
from raymtl.models.cnn import SharedCnn
from raymtl.plan import Plan
from tests.corpora import DIGITS, plan_of
from tests.inprocess import sweep


@pytest.fixture(scope="session")
def digits(corpora: Path, tmp_path_factory: pytest.TempPathFactory) -> Plan:
    """`DIGITS` with a convolutional network beside, every epoch kept; not to be changed."""
    study = replace(
        DIGITS,
        combinations=combinations("all"),
        models=[*DIGITS.models, SharedCnn(width=4, depth=2, kernel=3)],
    )
    plan = plan_of(study, corpora, tmp_path_factory.mktemp("deployed"))
    assert {entry.status for entry in sweep(plan, keep=Keep.parse("all"))} == {"done"}
    return plan


@pytest.fixture(scope="session")
def runs(digits: Plan) -> list[Path]:
    return [digits.sweep / "runs" / job.run for job in digits.runs]

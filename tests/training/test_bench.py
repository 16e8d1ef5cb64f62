"""What a process keeps between runs is what it would make anew."""

from __future__ import annotations

from pathlib import Path

import torch

from raymtl.extraction.features import LogMel
from raymtl.loading.stages import FixedLength
from tests.corpora import DIGITS, plan_of
from tests.inprocess import prepare


def test_parts_of_two_extractions_are_told_apart_when_no_stage_is_measured(
    corpora: Path, tmp_path: Path
) -> None:
    """Their fits share an address: nothing in them depends on the features."""
    plan = plan_of(
        DIGITS,
        corpora,
        tmp_path,
        extractions=[LogMel(bands=12), LogMel(bands=16)],
        stages=[FixedLength(16)],
    )
    assert len({source.fit for job in plan.runs for source in job.sources}) == 1
    bench = prepare(plan)
    for job in plan.runs:
        shape = bench.data(job, "cpu").train[job.sources[0].name].inputs.shape
        assert shape.features == job.cell.extraction.features(8_000)


def test_the_number_of_parts_kept_is_bounded(corpora: Path, tmp_path: Path, monkeypatch) -> None:
    from raymtl.training import bench as module

    plan = plan_of(DIGITS, corpora, tmp_path)
    bench = prepare(plan)
    monkeypatch.setattr(module, "_KEPT_PARTS", 2)
    for job in plan.runs:
        bench.data(job, "cpu")
    assert len(bench._parts) == 2
    assert torch.is_grad_enabled()

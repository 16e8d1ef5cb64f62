"""A run on a GPU against the same run on the CPU."""

from __future__ import annotations

from pathlib import Path

import pyarrow.parquet as pq
import pytest
import torch

from tests.corpora import DIGITS, plan_of, write_corpora
from tests.inprocess import prepare, run

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device on this machine"),
]


def test_a_gpu_gives_the_predictions_of_a_cpu(tmp_path: Path) -> None:
    """To rounding that three epochs of Adam have carried on: float32, other summation orders."""
    (tmp_path / "data").mkdir()
    write_corpora(tmp_path / "data")
    scores = {}
    for device in ("cpu", "cuda"):
        plan = plan_of(DIGITS, tmp_path / "data", tmp_path / device)
        bench = prepare(plan)
        job = plan.runs[-1]
        assert run(plan, job, bench, device=device).status == "done"
        table = pq.read_table(plan.sweep / "runs" / job.run / "predictions.parquet").sort_by("id")
        scores[device] = torch.tensor(table.column("scores").combine_chunks().flatten().to_numpy())
    torch.testing.assert_close(scores["cuda"], scores["cpu"], rtol=0, atol=2e-2)
    assert torch.cuda.memory_allocated() < 64 << 20

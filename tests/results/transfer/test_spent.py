"""Seconds and epochs of both arms against the runs' own files, read line by line."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from raymtl.results.transfer.answers import transfer_table
from raymtl.results.transfer.gains import gains
from raymtl.results.transfer.spent import reached
from tests.results.transfer.test_answers import helps_digit, sweep


def test_the_first_epoch_that_is_nearly_as_good() -> None:
    curve = {1: 0.20, 2: 0.77, 3: 0.75, 4: 0.80, 5: 0.99}
    assert reached(curve, 4) == 2  # 0.76 is 95 % of the score that was kept, not of the last
    assert reached(curve, 5) == 5
    assert reached({1: -0.5, 2: -0.1}, 2) is None
    assert reached({}, None) is None


def test_both_arms_are_those_of_the_runs(tmp_path: Path) -> None:
    state = sweep(tmp_path, helps_digit, 2, 2)
    row = transfer_table(state).to_pylist()[0]
    gain = gains(state.results, {"digit": "uar", "emotion": "uar"})[0]
    for runs, arm in (
        ([p.run for p in gain.pairs], ""),
        ([p.base_run for p in gain.pairs], "base_"),
    ):
        assert row[f"{arm}epochs"] == pytest.approx(np.mean([_slowly(tmp_path, r) for r in runs]))
        seconds = [state.records[run].content["seconds"] for run in runs]
        assert row[f"{arm}seconds"] == pytest.approx(np.mean(seconds))


def _slowly(folder: Path, run: str) -> int:
    """Of a curve of three epochs whose first is kept."""
    rows = pq.read_table(folder / "runs" / run / "metrics.parquet").to_pylist()
    of = {
        r["epoch"]: r["value"] for r in rows if (r["source"], r["metric"]) == ("fsdd.digit", "uar")
    }
    return next(epoch for epoch in sorted(of) if of[epoch] >= 0.95 * of[1])


def test_a_curve_that_is_gone_is_not_made_up(tmp_path: Path) -> None:
    state = sweep(tmp_path, helps_digit, 1, 2)
    next(tmp_path.glob("runs/*__*/metrics.parquet")).unlink()
    row = transfer_table(state).to_pylist()[0]
    assert (row["epochs"], row["seconds"]) == (None, 1.5)
    assert row["base_epochs"] is not None

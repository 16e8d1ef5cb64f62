"""A loaded run says of its test clips what it said when it was scored."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import soundfile
import soxr
import torch

import raymtl
from raymtl.plan import Plan
from raymtl.results.records import PREDICTIONS


def recordings_of(plan: Plan) -> dict[str, Path]:
    return {
        row.id: Path(row.path)
        for prepared in plan.corpora.sources.values()
        for row in prepared.rows
    }


def test_the_test_clips_again(digits: Plan, runs: list[Path]) -> None:
    paths = recordings_of(digits)
    for run in runs:
        predictor = raymtl.load(run)
        for row in pq.read_table(run / PREDICTIONS).to_pylist():
            answer = predictor.predict_file(paths[row["id"]])[row["task"]]
            np.testing.assert_allclose(list(answer.scores.values()), row["scores"], atol=1e-6)
            assert list(answer.labels) == row["decision"]


def test_a_waveform_as_its_file(digits: Plan, runs: list[Path]) -> None:
    predictor = raymtl.load(runs[0])
    for path in list(recordings_of(digits).values())[:5]:
        wave, rate = soundfile.read(path, dtype="float32")
        assert predictor.predict(wave, rate) == predictor.predict_file(path)
        given = torch.from_numpy(wave).requires_grad_()
        assert predictor.predict(given, rate) == predictor.predict_file(path)


def test_channels_and_rates_of_any_kind(digits: Plan, runs: list[Path]) -> None:
    """Two channels are averaged and the rate lowered, as in training; silence is a sound."""
    predictor = raymtl.load(runs[0])
    wave, rate = soundfile.read(next(iter(recordings_of(digits).values())), dtype="float32")
    alone = predictor.predict(wave, rate)
    assert predictor.predict(np.stack([2 * wave, 0 * wave]), rate) == alone
    raised = predictor.predict(soxr.resample(wave, rate, 44_100), 44_100)
    for task, answer in alone.items():
        assert list(raised[task].scores.values()) == pytest.approx(
            list(answer.scores.values()), abs=0.03
        )
    for answer in predictor.predict(np.zeros(rate), rate).values():
        assert np.isfinite(list(answer.scores.values())).all()

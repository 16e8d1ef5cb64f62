"""The recordings that a run was tested on, found again."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import soundfile

from raymtl.commands.tested import recordings_of
from raymtl.errors import RaymtlError
from tests.test_study import _no_traces  # noqa: F401  a study leaves modules behind


def test_they_are_those_of_its_predictions(root: Path, sweep: Path) -> None:
    run = min((sweep / "runs").iterdir())
    found = recordings_of(run, root / "data", 10)
    said = set(pq.read_table(run / "predictions.parquet")["id"].to_pylist())
    assert 5 <= len(found) <= 10
    assert set(found) <= said
    for clip, (wave, rate) in found.items():
        expected, native = soundfile.read(
            root / "data" / "fsdd" / "recordings" / f"{clip.rpartition('/')[2]}.wav",
            dtype="float32",
        )
        assert rate == native
        np.testing.assert_array_equal(wave, expected[None])
    assert len(recordings_of(run, root / "data", 1000)) == len(said)


def test_other_data_is_refused(sweep: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    with pytest.raises(RaymtlError, match="elsewhere"):
        recordings_of(min((sweep / "runs").iterdir()), tmp_path / "elsewhere", 10)

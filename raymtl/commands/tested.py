"""The recordings that a run was tested on, found again by its study."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import soundfile

from raymtl.commands.rerun import planned
from raymtl.deploy.checks import PREDICTIONS
from raymtl.errors import StudyError
from raymtl.extraction.signals import ClipRow
from raymtl.extraction.sound import unreadable
from raymtl.results.finding import find_run
from raymtl.tasks import Floats

Waves = dict[str, tuple[Floats, int]]


def recordings_of(run: Path, data: Path, most: int) -> Waves:
    """`most` test clips, spread evenly: id -> waveform, (channels, samples) float32, and rate.

    The run's study is executed, and its readers look for the clips below `data`.

    Raises:
        PreflightError: when the data, or the study, is not what the run was made with.
        StudyError: when none of its test clips is sound that can be read.
    """
    found = find_run(str(run), run)
    plan, _ = planned(found, None, data)
    said = pq.read_table(run / PREDICTIONS, columns=["id", "source"]).to_pylist()
    tested = {(row["source"], row["id"]) for row in said}
    rows = {
        row.id: row
        for source, prepared in plan.corpora.sources.items()
        for row in prepared.rows
        if prepared.signal.media == "audio" and (source, row.id) in tested
    }
    if not rows:
        raise StudyError(f"{run}: it has no test clips that are sound. Leave --data out.")
    names = sorted(rows)[:: max(1, -(-len(rows) // most))]
    return {name: _read(rows[name]) for name in names}


def _read(row: ClipRow) -> tuple[Floats, int]:
    try:
        with soundfile.SoundFile(row.path) as file:
            start = round((row.start or 0.0) * file.samplerate)
            end = file.frames if row.end is None else round(row.end * file.samplerate)
            file.seek(start)
            wave = file.read(end - start, dtype="float32", always_2d=True)
            return np.ascontiguousarray(wave.T), file.samplerate
    except soundfile.LibsndfileError as error:
        raise StudyError(f"{row.path}: {unreadable(error)} Use --recordings.") from error

"""`raymtl export`: one artefact of a run, its graphs checked."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import soundfile
from rich.console import Console

from raymtl.deploy.export import export
from raymtl.deploy.files import SUFFIXES
from raymtl.errors import StudyError
from raymtl.kept import Epoch
from raymtl.reading.tables import audio_files
from raymtl.tasks import Floats

_MOST = 50  # recordings that the graph from waveforms is held against


def export_run(
    run: Path,
    output: Path,
    source: str | None,
    code: Sequence[str],
    recordings: Path | None,
    epoch: Epoch | None,
    console: Console,
) -> None:
    """Writes the artefact and prints its model card.

    Raises:
        RaymtlError: for a run that cannot be exported.
    """
    waves = _waves(recordings) if recordings is not None else None
    made = export(run, output, source=source, code=code, recordings=waves, epoch=epoch)
    console.print(made.card, markup=False, soft_wrap=True)
    console.print(f"Written: {made.path}", markup=False, soft_wrap=True)


def _waves(folder: Path) -> dict[str, tuple[Floats, int]]:
    """Recordings below a folder, at most `_MOST`, spread evenly."""
    names = audio_files(folder, SUFFIXES)
    if not names:
        raise StudyError(f"{folder}: holds no recordings ({', '.join(SUFFIXES)}).")
    found: dict[str, tuple[Floats, int]] = {}
    for name in names[:: max(1, -(-len(names) // _MOST))]:
        try:
            wave, rate = soundfile.read(folder / name, dtype="float32", always_2d=True)
        except soundfile.LibsndfileError as error:
            raise StudyError(f"{folder / name}: {error.error_string} Leave it out.") from error
        found[name] = (np.ascontiguousarray(wave.T), rate)
    return found

"""`raymtl export`: one artefact of a run, its graphs checked."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import soundfile
from rich.console import Console

from raymtl.commands.tested import recordings_of
from raymtl.deploy.export import CARD, Exported, export
from raymtl.deploy.files import SUFFIXES
from raymtl.errors import StudyError
from raymtl.extraction.sound import unreadable
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
    data: Path | None,
    epoch: Epoch | None,
    console: Console,
) -> None:
    """Writes the artefact and says what is in it.

    Raises:
        RaymtlError: for a run that cannot be exported.
    """
    if recordings is not None and data is not None:
        raise StudyError("--recordings and --data: either names the recordings. Give one.")
    waves = _waves(recordings) if recordings is not None else None
    if data is not None:
        waves = recordings_of(run, data, _MOST)
    made = export(run, output, source=source, code=code, recordings=waves, epoch=epoch)
    for line in _said(made):
        console.print(line, markup=False, soft_wrap=True)


def _said(made: Exported) -> Iterator[str]:
    """Where it is, and in a few lines what the card states in full."""
    for name, graph in made.facts["graphs"].items():
        yield f"{', '.join(graph['heads'])}, behind the stages of {name}:"
        for kind, found in graph["checks"].items():
            clips = found.get("test clips", found.get("waveforms"))
            what = "test clips" if "test clips" in found else "waveforms"
            yield f"  {kind}: off by {found['largest difference']:.2g} at most, on {clips} {what}"
        if "from made sounds" in graph["checks"]:
            yield "    (--data checks it on the run's test recordings, --recordings on others)"
        if graph["missing"]:
            yield f"  no graph from waveforms: {graph['missing']}"
        cost = graph["profile"]
        times = ", ".join(f"{what} {ms:.2g} ms" for what, ms in cost["milliseconds"].items())
        yield f"  {cost['parameters']:,} parameters, {cost['macs']:,} multiply-adds"
        yield f"  {times}"
        kilobytes = {kind: size / 1000 for kind, size in cost["bytes"].items()}
        yield f"  {kilobytes['float32']:.0f} kB, {kilobytes['int8']:.0f} kB in 8 bits"
        for head, found in cost["int8"].items():
            scores = [found[key] for key in ("float32", "int8")]
            before, after = ("undefined" if x is None else f"{x:.3f}" for x in scores)
            yield f"  {head} in 8 bits: {found['metric']} {before} -> {after}"
    card = f"unzip -p {made.path} {CARD}" if made.path.is_file() else f"cat {made.path / CARD}"
    yield f"Written: {made.path}. Its model card: {card}"


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
            raise StudyError(f"{folder / name}: {unreadable(error)} Leave it out.") from error
        found[name] = (np.ascontiguousarray(wave.T), rate)
    return found

"""One artefact of a run: recipe, weights, graphs, profile and model card, without pickle."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from raymtl.deploy.card import card
from raymtl.deploy.checks import PREDICTIONS, agreement, made_sounds, on_waveforms, test_clips
from raymtl.deploy.graphs import fixed_frames
from raymtl.deploy.loading import FACTS, RECORD, Contents, load
from raymtl.deploy.onnx import OPSET, Graph, check_libraries, graph
from raymtl.deploy.predictor import Predictor
from raymtl.deploy.profile import profile
from raymtl.deploy.recipe import RECIPE
from raymtl.deploy.small import calibration, in_8_bits
from raymtl.durable import write_durably
from raymtl.errors import PreflightError, StudyError
from raymtl.extraction.audio import Signal
from raymtl.kept import Epoch, file_of
from raymtl.tasks import Floats
from raymtl.versions import versions

CARD = "card.md"
FORMAT = 1
_TIME = (1980, 1, 1, 0, 0, 0)  # of every member, so that equal runs give equal files


@dataclass(frozen=True, eq=False)
class Exported:
    """The artefact's path, its facts as artefact.json holds them, and its model card."""

    path: Path
    facts: dict[str, Any]
    card: str


def export(
    run: Path,
    output: Path,
    *,
    source: str | None = None,
    code: Sequence[str | Path] = (),
    recordings: Mapping[str, tuple[Floats, int]] | None = None,
    epoch: Epoch | None = None,
) -> Exported:
    """Writes the artefact: a zip file, or, where `output` has no ending, a folder.

    Args:
        source: whose signal and stages the graphs hold; without it, each task's own.
        recordings: name -> (waveform, rate): the graph from waveforms is held against
            `Predictor.predict` on them; without any, on made sounds.
        epoch: whose weights: its number, ``best`` or ``last``; without it the best one's.

    Raises:
        PreflightError: for a library that is missing, or an output that is there already.
        StoreError: for a damaged run, and for graphs that do not say what the run said.
        StudyError: when tasks' sources differ in their stages and none is named.
    """
    _preflight(run, output)
    predictor = load(run, code, epoch)
    contents = Contents(run)
    weights = file_of(predictor.epoch, predictor.record)
    files = {name: contents.read(name) for name in (RECORD, RECIPE, weights)}
    facts = _facts(predictor)
    chosen = predictor.fronts(source)
    for name, heads in chosen.items():
        folder = "graphs" if len(chosen) == 1 else f"graphs/{name}"
        made, about = _graphs(run, predictor, name, heads, recordings)
        files |= {f"{folder}/{file}": content for file, content in made.items()}
        facts["graphs"][name] = {"folder": folder, "heads": list(heads), **about}
    said = card(predictor, facts)
    files[CARD] = said.encode()
    files[FACTS] = json.dumps(facts, indent=1, ensure_ascii=False, allow_nan=False).encode()
    _write(output, files)
    return Exported(output, facts, said)


def _facts(predictor: Predictor) -> dict[str, Any]:
    """Of artefact.json, but for the graphs."""
    return {
        "format": FORMAT,
        "run": predictor.recipe.run,
        "epoch": predictor.epoch,
        "opset": OPSET,
        "graphs": {},
        "versions": versions(),
    }


def _preflight(run: Path, output: Path) -> None:
    check_libraries()
    if output.exists():
        raise PreflightError(f"{output}: is there already. Remove it, or choose another output.")
    if not (run / PREDICTIONS).is_file():
        raise PreflightError(
            f"{run}: no {PREDICTIONS} in it, against which graphs are checked. Export from the "
            "folder of a run."
        )


def _graphs(
    run: Path,
    predictor: Predictor,
    source: str,
    heads: Sequence[str],
    recordings: Mapping[str, tuple[Floats, int]] | None,
) -> tuple[dict[str, bytes], dict[str, Any]]:
    """Files of one source's graphs, and what was measured of them."""
    features = _made(predictor, "features", source, heads)
    clips = test_clips(run, predictor, features)
    checks = {"from features": agreement(predictor, features, clips)}
    waveform, why = _from_waveform(predictor, source, heads)
    if waveform is not None:
        waves = recordings or _sounds(predictor, source)
        what = "from recordings" if recordings else "from made sounds"
        checks[what] = on_waveforms(predictor, waveform, waves)
    small = in_8_bits(features, calibration(run, predictor, features))
    cost = profile(predictor, features, waveform, small, clips)
    files = {
        "features.onnx": features.model,
        "features.pt2": features.archive,
        "features.int8.onnx": small.model,
    }
    if waveform is not None:
        files |= {"waveform.onnx": waveform.model, "waveform.pt2": waveform.archive}
    least = {graph.kind: graph.least for graph in (features, waveform) if graph is not None}
    return files, {"checks": checks, "profile": cost, "missing": why, "least": least}


def _sounds(predictor: Predictor, source: str) -> dict[str, tuple[Floats, int]]:
    """Sounds as long as the longest clip, or what the graph needs; longer ones where it may be."""
    recipe = predictor.recipe
    front = recipe.fronts[source]
    rate = recipe.extraction.frame_rate(front.rate)
    needed = (front.stages.frames_out or 0) / rate if rate else 0.0
    vary = fixed_frames(front, recipe.shape) is None or not rate
    seconds = max(front.longest, needed)
    return made_sounds(seconds, recipe.shape.channels, front.rate, vary)


def _from_waveform(
    predictor: Predictor, source: str, heads: Sequence[str]
) -> tuple[Graph | None, str]:
    """The graph, or why there is none: an extraction without a twin is no obstacle to the rest."""
    if not isinstance(predictor.recipe.fronts[source].signal, Signal):
        return None, "its clips are no sound"
    try:
        return _made(predictor, "waveform", source, heads), ""
    except StudyError as error:
        return None, str(error)


def _made(predictor: Predictor, kind: str, source: str, heads: Sequence[str]) -> Graph:
    try:
        return graph(predictor, kind, source, heads)
    except StudyError:
        raise
    except Exception as error:  # torch raises many kinds for networks of the user's
        what = f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"
        raise StudyError(
            f"{type(predictor.recipe.model).__name__}: torch.export makes no graph from {kind} of "
            f"it ({what}). Its forward() must not depend on values; see torch.export's guide."
        ) from error


def _write(output: Path, files: Mapping[str, bytes]) -> None:
    """A folder file by file, or a zip file at once; the record comes last."""
    if not output.suffix:
        for name, content in sorted(files.items(), key=lambda item: item[0] == RECORD):
            write_durably(output / name, content)
        return
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name, content in sorted(files.items()):
            member = zipfile.ZipInfo(name, _TIME)
            member.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(member, content)
    write_durably(output, packed.getvalue())

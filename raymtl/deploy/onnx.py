"""Graphs for other programs: torch.export archives and ONNX files."""

from __future__ import annotations

import io
import json
import logging
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import torch

from raymtl.deploy.graphs import FromFeatures, FromWaveform, fixed_frames
from raymtl.deploy.predictor import Predictor
from raymtl.errors import PreflightError
from raymtl.tasks import Floats

OPSET = 20  # the first with DFT as torch needs it
_NEEDED = ("onnx", "onnxscript", "onnxruntime")


@dataclass(frozen=True, eq=False)
class Graph:
    """kind: ``features`` or ``waveform``, which is the name of its input. source: whose stages it
    holds. archive: of torch.export; model: ONNX. heads: its outputs, in order. least: frames, or
    samples, that a clip must have."""

    kind: str
    source: str
    heads: tuple[str, ...]
    archive: bytes
    model: bytes
    least: int = 1


def check_libraries() -> None:
    """Raises:
    PreflightError: naming what to install.
    """
    for name in _NEEDED:
        try:
            import_module(name)
        except ImportError as error:
            raise PreflightError(
                f"exporting needs {name} ({error}). Install it: pip install 'raymtl[export]'"
            ) from error


def graph(predictor: Predictor, kind: str, source: str, heads: Sequence[str]) -> Graph:
    """The network behind one source's signal and stages.

    Raises:
        StudyError: for an extraction without a twin.
        torch.onnx.errors.OnnxExporterError, torch.export errors: for a network that has no graph.
    """
    maker = FromFeatures if kind == "features" else FromWaveform
    module = maker(predictor, source, heads).eval()
    example, moving = _example(predictor, kind, source)
    with quiet(), torch.no_grad():
        exported = torch.export.export(module, (example,), dynamic_shapes=(moving,))
        archive = _archived(exported)
        program = torch.onnx.export(
            exported,
            dynamo=True,
            verbose=False,
            opset_version=OPSET,
            input_names=[kind],
            output_names=list(heads),
        )
    assert program is not None
    model: Any = program.model_proto
    _describe(model, predictor, kind, source, heads)
    least = _least(exported)
    return Graph(kind, source, tuple(heads), archive, model.SerializeToString(), least)


class Session:
    """A graph in ONNX Runtime, on one thread."""

    def __init__(self, model: bytes) -> None:
        runtime = import_module("onnxruntime")
        options = runtime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 3
        self._session = runtime.InferenceSession(model, options, ["CPUExecutionProvider"])
        self._input = self._session.get_inputs()[0].name

    def __call__(self, values: Floats) -> list[Floats]:
        """In: a batch. Out: scores (B, outputs) of every head."""
        return list(self._session.run(None, {self._input: values}))


def _example(predictor: Predictor, kind: str, source: str) -> tuple[torch.Tensor, dict[int, Any]]:
    """An input, and which of its axes may be of any size."""
    recipe = predictor.recipe
    front, shape = recipe.fronts[source], recipe.shape
    rate = recipe.extraction.frame_rate(front.rate)
    fixed = fixed_frames(front, shape)
    windows = front.stages.windows
    least = (front.stages.frames_out or 1) + (windows.hop if windows else 0)
    any_size, clips = torch.export.Dim.DYNAMIC, 1 if windows else 2
    moving: dict[int, Any] = {} if windows else {0: any_size}
    if kind == "features":
        frames = fixed or max(least + 1, round(front.longest * rate), 64)
        moving |= {} if fixed else {2: any_size}
        return torch.zeros(clips, shape.channels, frames, shape.features), moving
    seconds = front.longest if fixed or not rate else max(front.longest, (least + 4) / rate)
    moving |= {} if fixed and rate else {2: any_size}
    size = (clips, shape.channels, round(seconds * front.rate))
    return torch.randn(size, generator=torch.Generator().manual_seed(0)) / 10, moving


def _least(exported: Any) -> int:
    """The smallest size of the input's third axis that the graph takes."""
    names = exported.graph_signature.user_inputs
    (node,) = [node for node in exported.graph.nodes if node.name in names]
    size = node.meta["val"].shape[2]
    if isinstance(size, int):
        return size
    return max(int(exported.range_constraints[size.node.expr].lower), 1)


def _archived(exported: Any) -> bytes:
    """The torch.export archive, without example inputs: those would be pickled."""
    exported._example_inputs = None
    buffer = io.BytesIO()
    torch.export.save(exported, buffer)
    return buffer.getvalue()


def _describe(
    model: Any, predictor: Predictor, kind: str, source: str, heads: Sequence[str]
) -> None:
    """Notes within the ONNX file: what goes in, what the outputs stand for."""
    front = predictor.recipe.fronts[source]
    labels = {head: list(predictor.tasks[head].labels_) for head in heads}
    import_module("onnx").helper.set_model_props(
        model,
        {
            "run": predictor.recipe.run,
            "input": kind,
            "rate": str(front.rate),
            "signal": repr(front.signal),
            "labels": json.dumps(labels, ensure_ascii=False),
        },
    )


@contextmanager
def quiet() -> Iterator[None]:
    """Without warnings of torch's exporter and quantisers: of what we do not use, deprecations."""
    names = ("torch.onnx", "torch.export", "root", "onnxscript", "onnx_ir")
    levels = {name: logging.getLogger(name).level for name in names}
    try:
        for name in names:
            logging.getLogger(name).setLevel(logging.ERROR)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for name, level in levels.items():
            logging.getLogger(name).setLevel(level)

"""A graph for small devices: in 8 bits, and the memory that its values take."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from raymtl.deploy.checks import features_of, said_of
from raymtl.deploy.onnx import Graph, quiet
from raymtl.deploy.predictor import Predictor
from raymtl.tasks import Floats

_CLIPS = 100  # from which the ranges of values are taken
_KINDS = ("Conv", "Gemm", "MatMul", "Relu", "MaxPool")  # what small devices compute in 8 bits


@dataclass(frozen=True, eq=False)
class Small:
    """model: the ONNX file. ranges: how those of values between layers were found, in words."""

    model: bytes
    ranges: str


def in_8_bits(graph: Graph, clips: Sequence[Floats]) -> Small:
    """Weights and products in 8 bits (Jacob et al. 2018).

    Of networks with convolutions, what lies between layers too: its ranges are those on the given
    clips, and part of the file. Dense layers keep their scores better, and are as fast, where
    ranges are found anew for each input; so are those of all layers where no clips are given.

    Args:
        clips: features that the network learnt from, (channels, frames, features) each.
    """
    onnx = import_module("onnx")
    usable = [clip[None] for clip in clips if clip.shape[1] >= graph.least]
    nodes = onnx.load_from_string(graph.model).graph.node
    said = "found anew for each input"
    if any(node.op_type == "Conv" for node in nodes):
        try:
            if usable:
                small = _converted(graph.model, partial(_from_clips, graph.kind, usable))
                return Small(small, f"those on {len(usable)} clips that are no test clips")
            said += ": the features of clips to take them from are no longer in the store"
        except Exception as error:  # the quantiser raises many kinds for networks of the user's
            why = str(error).splitlines()[0] if str(error) else ""
            said += f": those on clips could not be taken ({type(error).__name__}: {why})"
    return Small(_converted(graph.model, _on_the_fly), said)


def calibration(run: Path, predictor: Predictor, graph: Graph) -> list[Floats]:
    """Features of clips behind the graph's stages that no task of the run is tested on; spread
    evenly over each source. Empty where they are no longer in the store."""
    found: list[Floats] = []
    fronts = list(features_of(run, predictor, graph))
    tested = {clip for source in predictor.recipe.fronts for clip in said_of(run, source, None)}
    for _, features in fronts:
        ids = [clip for clip in features.ids if clip not in tested]
        for clip in ids[:: max(1, -(-len(ids) * len(fronts) // _CLIPS))]:
            found.append(np.array(features.matrix(features.known[clip])))
    return found


def peak(model: bytes, example: Floats) -> int:
    """Bytes of all values that are needed at the same time, at most, for an example.

    Nodes run in their order in the file, each into new memory; weights are not counted.
    """
    onnx = import_module("onnx")
    proto = onnx.load_from_string(model)
    nodes, weights = list(proto.graph.node), {each.name for each in proto.graph.initializer}
    outputs = [each.name for each in proto.graph.output]
    names = [name for node in nodes for name in node.output if name]
    sizes = _sizes(proto, [name for name in names if name not in outputs], example)
    last = {name: at for at, node in enumerate(nodes) for name in node.input}
    last |= dict.fromkeys(outputs, len(nodes))
    alive = {each.name for each in proto.graph.input} - weights
    most = 0
    for at, node in enumerate(nodes):
        alive |= set(node.output) & set(sizes)
        most = max(most, sum(sizes[name] for name in alive))
        alive = {name for name in alive if last.get(name, -1) > at}
    return most


def _sizes(proto: Any, inner: Sequence[str], example: Floats) -> dict[str, int]:
    """Bytes of the input and of every value that the graph makes of an example."""
    for name in inner:
        proto.graph.output.add().name = name
    runtime = import_module("onnxruntime")
    options = runtime.SessionOptions()
    options.graph_optimization_level = runtime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 3
    session = runtime.InferenceSession(proto.SerializeToString(), options, ["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    names = [each.name for each in session.get_outputs()]
    found = session.run(names, {name: example})
    return {name: example.nbytes} | {n: v.nbytes for n, v in zip(names, found, strict=True)}


def _converted(model: bytes, convert: Callable[[Path, Path], None]) -> bytes:
    """A model with its weights turned by the quantiser, which works on files."""
    onnx = import_module("onnx")
    with quiet(), TemporaryDirectory(prefix="raymtl-int8-") as folder:
        source, target = Path(folder) / "float.onnx", Path(folder) / "int8.onnx"
        plain = onnx.load_from_string(model)
        del plain.graph.value_info[:]  # shapes of weights that quantising turns around
        for node in plain.graph.node:  # of torch's sources: half of a small network's file
            del node.metadata_props[:]
            node.ClearField("doc_string")
        onnx.save(plain, source)
        convert(source, target)
        return _tidied(onnx.load(target))


def _tidied(model: Any) -> bytes:
    """Without the quantiser's own notes, and the operator sets that it names but does not use."""
    del model.graph.value_info[:]
    notes = [note for note in model.metadata_props if not note.key.startswith("onnx.")]
    used = {node.domain for node in model.graph.node}
    sets = [each for each in model.opset_import if each.domain in used]
    for held, kept in ((model.metadata_props, notes), (model.opset_import, sets)):
        copies = [type(each).FromString(each.SerializeToString()) for each in kept]
        del held[:]
        held.extend(copies)
    content: bytes = model.SerializeToString()
    return content


def _on_the_fly(source: Path, target: Path) -> None:
    tool = import_module("onnxruntime.quantization")
    # unsigned weights: ONNX Runtime has no kernel for convolutions with signed ones
    tool.quantize_dynamic(source, target, weight_type=tool.QuantType.QUInt8)


def _from_clips(name: str, clips: Iterable[Floats], source: Path, target: Path) -> None:
    tool = import_module("onnxruntime.quantization")
    shapes = import_module("onnxruntime.quantization.shape_inference")
    prepared = source.with_name("prepared.onnx")
    shapes.quant_pre_process(source, prepared, skip_symbolic_shape=True)

    class Clips(tool.CalibrationDataReader):  # type: ignore[name-defined,misc]
        def __init__(self) -> None:
            self.waiting: Iterator[Floats] = iter(clips)

        def get_next(self) -> dict[str, Floats] | None:
            values = next(self.waiting, None)
            return None if values is None else {name: values}

    tool.quantize_static(
        prepared,
        target,
        Clips(),
        quant_format=tool.QuantFormat.QDQ,
        op_types_to_quantize=list(_KINDS),
        per_channel=True,
        activation_type=tool.QuantType.QInt8,
        weight_type=tool.QuantType.QInt8,
    )

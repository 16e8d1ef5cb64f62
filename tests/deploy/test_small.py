"""Graphs for small devices: 8 bits by training clips, and what they cost."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pyarrow.parquet as pq
import pytest
from onnx import numpy_helper
from sklearn.metrics import balanced_accuracy_score

from raymtl.deploy import Predictor, load
from raymtl.deploy.checks import Clip, test_clips
from raymtl.deploy.onnx import Graph, graph
from raymtl.deploy.profile import costs
from raymtl.deploy.small import Small, calibration, in_8_bits, peak
from raymtl.experiment import combinations
from raymtl.loading.stages import Standardise
from raymtl.models.cnn import SharedCnn
from raymtl.plan import Plan
from raymtl.results.records import PREDICTIONS
from raymtl.tasks import Floats
from tests.corpora import DIGITS, plan_of
from tests.inprocess import sweep

test_clips.__test__ = False  # type: ignore[attr-defined]


@dataclass(frozen=True, eq=False)
class Made:
    """Of the convolutional network of digit and speaker."""

    run: Path
    predictor: Predictor
    graph: Graph
    learnt: list[Floats]
    small: Small
    tests: list[Clip]


@pytest.fixture(scope="module")
def made(runs: list[Path]) -> Made:
    predictor = load(runs[1])
    ((source, heads),) = predictor.fronts().items()
    found = graph(predictor, "features", source, heads)
    learnt = calibration(runs[1], predictor, found)
    tests = test_clips(runs[1], predictor, found)
    return Made(runs[1], predictor, found, learnt, in_8_bits(found, learnt), tests)


def test_no_test_clip_sets_a_range(made: Made, digits: Plan) -> None:
    said = pq.read_table(made.run / PREDICTIONS, columns=["id"])["id"].to_pylist()
    tested = {clip.features.tobytes() for clip in made.tests}
    assert {clip.id for clip in made.tests} == set(said)
    assert len(made.learnt) > 20
    assert not tested & {matrix.tobytes() for matrix in made.learnt}
    assert made.small.ranges == f"those on {len(made.learnt)} clips that are no test clips"


def test_the_scale_of_what_enters_the_first_layer(made: Made) -> None:
    """255 steps from the least to the largest value behind the stages, of clips learnt from."""
    model = onnx.load_from_string(made.small.model)
    first = next(node for node in model.graph.node if node.op_type == "QuantizeLinear")
    values = {each.name: numpy_helper.to_array(each) for each in model.graph.initializer}
    front = made.predictor.recipe.fronts["fsdd.digit"]
    rows = np.zeros((len(made.learnt), 1, 16, 12), np.float32)
    lengths = np.array([min(each.shape[1], 16) for each in made.learnt], np.int64)
    for row, matrix, length in zip(rows, made.learnt, lengths, strict=True):
        row[:, :length] = matrix[:, :length]
    scaled = front.stages.apply(rows, lengths, None)
    span = max(float(scaled.max()), 0) - min(float(scaled.min()), 0)
    assert values[first.input[1]] == pytest.approx(span / 255, rel=1e-4)


def test_products_are_in_8_bits_and_labels_stay(made: Made) -> None:
    model = onnx.load_from_string(made.small.model)
    stored = {each.name: each for each in model.graph.initializer}
    nodes = model.graph.node
    decoded = {node.output[0]: node for node in nodes if node.op_type == "DequantizeLinear"}
    products = [node for node in model.graph.node if node.op_type in ("Conv", "Gemm")]
    assert len(products) == 4
    for node in products:
        weights = stored[decoded[node.input[1]].input[0]]
        assert weights.data_type == onnx.TensorProto.INT8
        scales = numpy_helper.to_array(stored[decoded[node.input[1]].input[1]])
        assert scales.size == (weights.dims[0] if node.op_type == "Conv" else scales.size)
    assert {node.domain for node in model.graph.node} == {""}  # of plain ONNX, for any runtime
    notes = onnxruntime.InferenceSession(made.small.model).get_modelmeta().custom_metadata_map
    assert list(json.loads(notes["labels"])) == ["digit", "speaker"]
    assert len(made.small.model) < 0.7 * len(made.graph.model)


def test_the_cost_in_score_is_that_of_another_library(made: Made) -> None:
    """Decisions in ONNX Runtime alone, their balanced accuracy by scikit-learn."""
    found = costs(made.predictor, made.graph, made.small.model, made.tests)
    session = onnxruntime.InferenceSession(made.small.model)
    heads = [output.name for output in session.get_outputs()]
    for head, task in made.predictor.tasks.items():
        own = [clip for clip in made.tests if head in clip.said]
        scores = [session.run(None, {"features": clip.features[None]}) for clip in own]
        now = [task.labels_[int(each[heads.index(head)].argmax())] for each in scores]
        before = [task.labels_[int(np.argmax(clip.said[head]))] for clip in own]
        truth = [clip.truth[head][0] for clip in own]  # type: ignore[index]
        assert found[head]["int8"] == pytest.approx(balanced_accuracy_score(truth, now))
        assert found[head]["float32"] == pytest.approx(balanced_accuracy_score(truth, before))
        changed = sum(a != b for a, b in zip(now, before, strict=True))
        assert found[head]["decisions changed"] == changed
        assert changed <= len(own) / 10


def test_without_features_and_without_convolutions(made: Made, runs: list[Path]) -> None:
    none = in_8_bits(made.graph, [])
    assert none.ranges.startswith("found anew for each input: the features of clips")
    predictor = load(runs[0])
    ((source, heads),) = predictor.fronts().items()
    dense = graph(predictor, "features", source, heads)
    small = in_8_bits(dense, made.learnt)
    assert small.ranges == "found anew for each input"
    for found in (none, small):
        kinds = {node.op_type for node in onnx.load_from_string(found.model).graph.node}
        assert "DynamicQuantizeLinear" in kinds


def test_a_run_away_from_its_store(made: Made, tmp_path: Path) -> None:
    away = tmp_path / "sweeps" / "digits" / "runs" / made.run.name
    shutil.copytree(made.run, away)
    assert calibration(away, made.predictor, made.graph) == []


def test_memory_of_values_by_hand(made: Made) -> None:
    """The first convolution gives 4 x 16 x 12 values, and its rectifier as many beside them."""
    assert peak(made.graph.model, made.tests[0].features[None]) == 2 * 4 * 16 * 12 * 4


def test_clips_of_every_length(corpora: Path, tmp_path: Path) -> None:
    """Where no stage brings clips to one length, ranges are found and scores kept all the same."""
    changes = {
        "stages": [Standardise("feature")],
        "models": [SharedCnn(width=4, depth=2, kernel=3)],
        "combinations": combinations("all"),
    }
    plan = plan_of(DIGITS, corpora, tmp_path, **changes)
    assert {entry.status for entry in sweep(plan)} == {"done"}
    run = plan.sweep / "runs" / plan.runs[0].run
    predictor = load(run)
    ((source, heads),) = predictor.fronts().items()
    found = graph(predictor, "features", source, heads)
    learnt = calibration(run, predictor, found)
    assert len({matrix.shape[1] for matrix in learnt}) > 3
    small = in_8_bits(found, learnt)
    assert small.ranges.startswith("those on")
    for facts in costs(predictor, found, small.model, test_clips(run, predictor, found)).values():
        assert facts["decisions changed"] <= facts["clips"] / 10

"""What TensorBoard's own readers make of a sweep."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from click.testing import Result
from google.protobuf import text_format
from safetensors.numpy import load_file
from scipy.special import softmax
from sklearn.metrics import precision_score, recall_score
from tensorboard.backend.event_processing.event_multiplexer import EventMultiplexer
from tensorboard.plugins.hparams.metadata import (
    SESSION_END_INFO_TAG,
    SESSION_START_INFO_TAG,
    parse_session_start_info_plugin_data,
)
from tensorboard.plugins.projector.projector_config_pb2 import ProjectorConfig
from tensorboard.util.tensor_util import make_ndarray

from raymtl.results.records import read_record
from raymtl.results.tracking.labels import label_values, precision_recall
from raymtl.tasks import Number, YesNo
from tests.records.test_show import TOGETHER, run_of
from tests.results.synthetic import outcome


@pytest.fixture
def shown(call: Callable[..., Result], sweep: Path) -> EventMultiplexer:
    result = call("tensorboard", sweep, "--embeddings")
    assert result.exit_code == 0, result.output
    assert f"tensorboard --logdir {sweep.parents[1] / 'tensorboard' / 'digits'}" in result.output
    events = EventMultiplexer(size_guidance={"tensors": 0, "images": 0})
    return events.AddRunsFromDirectory(str(sweep.parents[1] / "tensorboard" / "digits")).Reload()


def test_runs_have_short_names(shown: EventMultiplexer) -> None:
    assert sorted(shown.Runs()) == ["digit+speaker/f1", "digit/f1", "speaker/f1"]


def test_tags_are_grouped(shown: EventMultiplexer, sweep: Path) -> None:
    tags = shown.Runs()["digit+speaker/f1"]
    groups = {tag.split("/")[0] for tag in tags["scalars"]}
    assert groups == {"train", "validation", "test", "labels"}
    assert sorted(tags["images"]) == [
        "confusion/fsdd.digit/digit",
        "confusion/fsdd.speaker/speaker",
    ]
    content = read_record(sweep / "runs" / run_of(sweep)).content
    score = next(s for s in content["scores"] if s["part"] == "test" and s["task"] == "digit")
    for label, values in score["per_label"].items():
        tag = f"labels/fsdd.digit/digit/f1/{label}"
        assert shown.Scalars("digit+speaker/f1", tag)[0].value == np.float32(values["f1"])


def test_hyper_parameters_are_a_row_of_the_table(shown: EventMultiplexer) -> None:
    of_run = shown.GetAccumulator("digit+speaker/f1").PluginTagToContent("hparams")
    assert set(of_run) == {SESSION_START_INFO_TAG, SESSION_END_INFO_TAG}
    start = parse_session_start_info_plugin_data(of_run[SESSION_START_INFO_TAG])
    assert start.hparams["sources"].string_value == "fsdd.digit + fsdd.speaker"
    assert start.hparams["model"].string_value == "SharedDnn(width=8, depth=1)"
    assert start.hparams["fold"].number_value == 1


def test_curves_of_labels_are_those_of_the_predictions(
    shown: EventMultiplexer, sweep: Path
) -> None:
    said = pd.read_parquet(sweep / "runs" / run_of(sweep) / "predictions.parquet")
    digits = said[said.task == "digit"]
    scores = np.stack(digits.scores.to_numpy())
    for at in (0, 8):
        event = shown.Tensors("digit+speaker/f1", f"curves/fsdd.digit/digit/{at}")[0]
        truth = digits.truth.map(lambda labels, at=at: labels[0] == str(at)).to_numpy()
        np.testing.assert_array_equal(
            make_ndarray(event.tensor_proto), precision_recall(truth, scores[:, at])
        )


def test_precision_and_recall_are_scikit_learns() -> None:
    random = np.random.default_rng(0)
    truth, score = random.random(200) > 0.7, random.random(200)
    rows = precision_recall(truth, score)
    for at, limit in enumerate(np.linspace(0, 1, rows.shape[1])):
        decided = score >= limit
        expected = [
            (truth & decided).sum(), (~truth & decided).sum(), (~truth & ~decided).sum(),
            (truth & ~decided).sum(), precision_score(truth, decided, zero_division=0),
            recall_score(truth, decided),
        ]  # fmt: skip
        np.testing.assert_allclose(rows[:, at], expected, rtol=1e-6)


def embeddings(folder: Path) -> dict[str, tuple[np.ndarray, pd.DataFrame]]:
    config = text_format.Parse((folder / "projector_config.pbtxt").read_text(), ProjectorConfig())
    return {
        entry.tensor_name: (
            np.loadtxt(folder / entry.tensor_path, delimiter="\t", dtype=np.float32),
            pd.read_csv(folder / entry.metadata_path, sep="\t", dtype=str, keep_default_na=False),
        )
        for entry in config.embeddings
    }


def test_test_clips_where_the_heads_are_given_them(shown: EventMultiplexer, sweep: Path) -> None:
    """The heads' own weights on those points give the recorded scores of the same clips."""
    folder = sweep.parents[1] / "tensorboard" / "digits" / "digit+speaker" / "f1"
    ((name, (vectors, clips)),) = embeddings(folder).items()
    assert name == "shared"
    run = sweep / "runs" / run_of(sweep, TOGETHER)
    weights = load_file(run / "checkpoint" / "weights.safetensors")
    said = pd.read_parquet(run / "predictions.parquet")
    assert len(clips) == len(vectors) == len(said)
    for number, task in enumerate(("digit", "speaker")):
        rows = said[said.task == task].set_index("id")
        own = (clips.source == f"fsdd.{task}").to_numpy()
        weight, bias = (weights[f"heads.{number}.{part}"] for part in ("weight", "bias"))
        scores = softmax(vectors[own] @ weight.T + bias, axis=1)
        expected = rows.loc[clips.id[own]]
        np.testing.assert_allclose(scores, np.stack(expected.scores.to_numpy()), atol=1e-5)
        assert list(clips[task][own]) == [labels[0] for labels in expected.truth]
        assert list(clips[f"{task}, said"][own]) == [labels[0] for labels in expected.decision]
        assert set(clips[task][~own]) == {""}


def test_test_clips_by_their_scores_without_features(
    call: Callable[..., Result], root: Path, sweep: Path
) -> None:
    shutil.rmtree(root / "store" / "features")
    result = call("tensorboard", "digits", "--embeddings")
    assert result.exit_code == 0, result.output
    assert "by their scores, for the features of" in result.output
    said = pd.read_parquet(sweep / "runs" / run_of(sweep, TOGETHER) / "predictions.parquet")
    folder = sweep.parents[1] / "tensorboard" / "digits" / "digit+speaker" / "f1"
    found = embeddings(folder)
    assert list(found) == ["fsdd.digit-digit", "fsdd.speaker-speaker"]
    for (vectors, clips), task in zip(found.values(), ("digit", "speaker"), strict=True):
        rows = said[said.task == task]
        assert list(clips.id) == list(rows.id)
        np.testing.assert_array_equal(vectors, np.stack(rows.scores.to_numpy()))
        assert list(clips.truth) == [labels[0] for labels in rows.truth]


def test_a_number_has_no_labels() -> None:
    found = outcome({"songs": Number("year"), "ravdess": YesNo("stress")})
    tags = [value.tag for value in label_values(found)]
    assert any(tag.startswith("curves/ravdess/stress") for tag in tags)
    assert not any("year" in tag for tag in tags)

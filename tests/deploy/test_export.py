"""One artefact: the same answers elsewhere, graphs that agree, costs that are true."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnxruntime
import pyarrow.parquet as pq
import pytest
import soundfile
import torch

import raymtl
from raymtl.deploy.card import card
from raymtl.deploy.checks import on_waveforms, targets_of
from raymtl.deploy.export import Exported, export
from raymtl.deploy.onnx import Graph
from raymtl.errors import AudioError, PreflightError, StoreError
from raymtl.experiment import combinations
from raymtl.plan import Plan
from raymtl.results.records import PREDICTIONS
from raymtl.tasks import AnyOf, Number, OneOf, YesNo
from tests.corpora import DIGITS, plan_of
from tests.inprocess import sweep

GRAPH = "graphs"


@pytest.fixture(scope="module")
def exported(runs: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Exported:
    """The convolutional network; not to be changed."""
    return export(runs[1], tmp_path_factory.mktemp("artefact") / "digits.raymtl")


@pytest.fixture(scope="module")
def recording(digits: Plan) -> Path:
    return Path(digits.corpora.sources["fsdd.digit"].rows[0].path)


BLOCKED = """
import json, sys

class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("ray", "readers") or name.startswith(
            ("raymtl.training", "raymtl.engine", "raymtl.plan", "raymtl.experiment", "raymtl.cli")
        ):
            raise ImportError(f"{name} is blocked here")

sys.meta_path.insert(0, Blocked())
import raymtl

answers = raymtl.load(sys.argv[1]).predict_file(sys.argv[2])
print(json.dumps({task: answer.to_plain() for task, answer in answers.items()}))
"""


def test_the_same_answers_without_the_training_code(
    exported: Exported, runs: list[Path], recording: Path
) -> None:
    done = subprocess.run(
        [sys.executable, "-c", BLOCKED, str(exported.path), str(recording)],
        capture_output=True,
        text=True,
        check=False,
        cwd=Path(__file__).parents[2],
    )
    assert done.returncode == 0, done.stderr
    expected = raymtl.load(runs[1]).predict_file(recording)
    assert json.loads(done.stdout) == {task: a.to_plain() for task, a in expected.items()}


ALONE = """
import json, sys

class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("ray", "raymtl", "readers", "torch"):
            raise ImportError(f"{name} is blocked here")

sys.meta_path.insert(0, Blocked())
import onnxruntime, soundfile

session = onnxruntime.InferenceSession(sys.argv[1])
labels = json.loads(session.get_modelmeta().custom_metadata_map["labels"])
for recording in sys.argv[2:]:
    wave, _ = soundfile.read(recording, dtype="float32")
    scores = session.run(None, {"waveform": wave[None, None]})
    heads = [output.name for output in session.get_outputs()]
    print(json.dumps({head: dict(zip(labels[head], map(float, found[0])))
                      for head, found in zip(heads, scores)}))
"""


def test_the_same_answers_without_raymtl(
    exported: Exported, digits: Plan, runs: list[Path], tmp_path: Path
) -> None:
    """The file alone, in a process that has neither raymtl nor torch."""
    with zipfile.ZipFile(exported.path) as archive:
        graph = archive.extract(f"{GRAPH}/waveform.onnx", tmp_path)
    rows = digits.corpora.sources["fsdd.digit"].rows[:10]
    done = subprocess.run(
        [sys.executable, "-c", ALONE, graph, *(str(row.path) for row in rows)],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stderr
    predictor = raymtl.load(runs[1])
    for row, line in zip(rows, done.stdout.splitlines(), strict=True):
        for task, answer in predictor.predict_file(row.path).items():
            assert json.loads(line)[task] == pytest.approx(answer.scores, abs=1e-4)


def test_the_graph_from_waveforms_in_another_runtime(
    exported: Exported, digits: Plan, runs: list[Path]
) -> None:
    """Test recordings through ONNX Runtime alone: what the run said of them."""
    with zipfile.ZipFile(exported.path) as archive:
        session = onnxruntime.InferenceSession(archive.read(f"{GRAPH}/waveform.onnx"))
    notes = session.get_modelmeta().custom_metadata_map
    assert notes["rate"] == "8000"
    heads = [output.name for output in session.get_outputs()]
    said = {
        (row["id"], row["task"]): row for row in pq.read_table(runs[1] / PREDICTIONS).to_pylist()
    }
    paths = {r.id: r.path for p in digits.corpora.sources.values() for r in p.rows}
    for (clip, task), row in list(said.items())[:20]:
        wave, rate = soundfile.read(paths[clip], dtype="float32")
        assert rate == 8_000
        scores = session.run(None, {"waveform": wave[None, None]})[heads.index(task)][0]
        np.testing.assert_allclose(scores, row["scores"], atol=1e-4)
        labels = json.loads(notes["labels"])[task]
        assert [labels[int(np.argmax(scores))]] == row["decision"]


def test_recordings_that_nothing_can_be_checked_on(exported: Exported, runs: list[Path]) -> None:
    """One that the network cannot take is named; where all are too short, the card says so."""
    with zipfile.ZipFile(exported.path) as archive:
        found = [archive.read(f"{GRAPH}/waveform.{kind}") for kind in ("pt2", "onnx")]
    predictor = raymtl.load(runs[1])
    made = Graph("waveform", "fsdd.digit", tuple(predictor.tasks), *found, least=800)
    bad = {"short.wav": (np.ones((1, 400), np.float32), 8_000)}
    facts = on_waveforms(predictor, made, bad)
    assert facts["waveforms"] == 0
    ((name, of_it),) = exported.facts["graphs"].items()
    checks = {"from features": of_it["checks"]["from features"], "from recordings": facts}
    said = card(predictor, {"graphs": {name: {**of_it, "checks": checks}}})
    assert "from waveforms **not** held against recordings: all are too short" in said
    bad["nan.wav"] = (np.full((1, 4_000), np.nan, np.float32), 8_000)
    with pytest.raises(AudioError, match=r"nan\.wav: holds NaN.*full scale is 1. Leave it out"):
        on_waveforms(predictor, made, bad)


def test_the_torch_archive(exported: Exported, tmp_path: Path, recording: Path) -> None:
    with zipfile.ZipFile(exported.path) as archive:
        archive.extract(f"{GRAPH}/waveform.pt2", tmp_path)
    module = torch.export.load(tmp_path / GRAPH / "waveform.pt2").module()
    wave, _ = soundfile.read(recording, dtype="float32")
    two = module(torch.from_numpy(np.stack([wave, wave / 2])[:, None]))
    expected = raymtl.load(exported.path).predict(wave, 8_000)
    for scores, answer in zip(two, expected.values(), strict=True):
        assert scores[0].tolist() == pytest.approx(list(answer.scores.values()), abs=1e-4)


def test_what_is_said_of_it(exported: Exported, runs: list[Path]) -> None:
    """Parameters and operations counted by hand for the tiny network."""
    (graph,) = exported.facts["graphs"].values()
    cost = graph["profile"]
    # two blocks of 3 x 3: 1 -> 4 -> 4 channels, norms of 4, heads of 10 and 6 outputs
    assert cost["parameters"] == 4 * 9 + 4 * 4 * 9 + 2 * 2 * 4 + (4 + 1) * (10 + 6)
    assert cost["macs"] == 16 * 12 * 4 * 9 + 8 * 6 * 4 * 4 * 9 + 4 * (10 + 6)
    assert graph["checks"]["from features"]["test clips"] == 80
    assert graph["checks"]["from features"]["largest difference"] <= 1e-4
    assert set(cost["int8"]) == {"digit", "speaker"}
    record = json.loads((runs[1] / "record.json").read_text())
    for score in record["scores"]:
        if score["part"] == "test":
            assert cost["int8"][score["task"]]["float32"] == pytest.approx(score["scalars"]["uar"])
    assert "CC BY-SA 4.0" in exported.card
    with zipfile.ZipFile(exported.path) as archive:
        assert archive.read("card.md").decode() == exported.card
        names = archive.namelist()
    assert not [name for name in names if name.endswith((".pkl", ".pt", ".bin"))]
    assert (
        "share no group and 0 identical recordings. They share 4 of kind speaker" in exported.card
    )


@pytest.mark.parametrize("kind", ["features", "waveform"])
def test_torch_archives_hold_no_pickle(exported: Exported, kind: str) -> None:
    """Weights and constants are plain bytes; the sample, which torch would pickle, is empty."""
    with zipfile.ZipFile(exported.path) as artefact:
        inner = zipfile.ZipFile(io.BytesIO(artefact.read(f"{GRAPH}/{kind}.pt2")))
    for name in inner.namelist():
        content = inner.read(name)
        if name.endswith("_config.json"):
            held = json.loads(content)["config"].values()
            assert [each["use_pickle"] for each in held] == [False] * len(held)
        elif name.endswith(".pt"):
            assert content == b""
        else:
            assert not content.startswith((b"\x80", b"PK"))


def test_a_run_in_bfloat16(corpora: Path, tmp_path: Path) -> None:
    """Graphs compute in float32: near what the run said, equal to its network in float32."""
    training = replace(DIGITS.training, precision="bfloat16")
    plan = plan_of(DIGITS, corpora, tmp_path, training=training, combinations=combinations("all"))
    assert {entry.status for entry in sweep(plan)} == {"done"}
    run = plan.sweep / "runs" / plan.runs[0].run
    made = export(run, tmp_path / "half.raymtl")
    (graph,) = made.facts["graphs"].values()
    found = graph["checks"]["from features"]
    assert found["test clips"] == 80
    assert 1e-4 < found["largest difference"] <= found["at most"] == 0.05
    assert found["in float32"] <= 1e-4
    assert graph["checks"]["from made sounds"]["largest difference"] <= 1e-4
    assert "Trained and scored in bfloat16" in made.card


def test_damage_and_what_is_there_already(exported: Exported, tmp_path: Path) -> None:
    with pytest.raises(PreflightError, match="is there already"):
        export(exported.path.parent, exported.path)
    with pytest.raises(PreflightError, match="Export from the folder of a run"):
        export(exported.path, tmp_path / "again.raymtl")
    broken = bytearray(exported.path.read_bytes())
    broken[len(broken) // 2] ^= 0xFF
    del broken[-200:]
    (tmp_path / "broken.raymtl").write_bytes(broken)
    with pytest.raises(StoreError, match="export it again"):
        raymtl.load(tmp_path / "broken.raymtl")


def test_a_folder_instead_of_a_file(exported: Exported, tmp_path: Path, recording: Path) -> None:
    with zipfile.ZipFile(exported.path) as archive:
        archive.extractall(tmp_path / "unpacked")
    wave, rate = soundfile.read(recording, dtype="float32")
    unpacked, packed = raymtl.load(tmp_path / "unpacked"), raymtl.load(exported.path)
    assert unpacked.predict(wave, rate) == packed.predict(wave, rate)


def test_truth_by_name_is_encoded_again() -> None:
    """Of every kind of task, as predictions.parquet writes it."""
    one = targets_of(OneOf("t", ("a", "b")), [["b"], None, ["a"]])
    assert one.values.tolist() == [1, 0, 0]
    assert one.valid.tolist() == [True, False, True]
    assert targets_of(AnyOf("t", ("a", "b")), [["b"], [], ["a", "b"]]).values.tolist() == [
        [0, 1],
        [0, 0],
        [1, 1],
    ]
    assert targets_of(YesNo("t"), [["yes"], ["no"], None]).valid.tolist() == [[1], [1], [0]]
    assert targets_of(Number("t"), [["1.5"], None]).values.tolist() == [[1.5], [0.0]]


def test_another_epoch(runs: list[Path], tmp_path: Path) -> None:
    """The artefact holds that epoch alone, says so, and its graph was held against it."""
    run = raymtl.load(runs[1])
    other = 1 if run.epoch != 1 else 2
    made = export(runs[1], tmp_path / "other.raymtl", epoch=other)
    found = raymtl.load(made.path)
    assert found.epoch == raymtl.load(made.path, epoch=other).epoch == other
    own = raymtl.load(runs[1], epoch=other).network.state_dict()
    best = run.network.state_dict()
    assert all(torch.equal(value, own[name]) for name, value in found.network.state_dict().items())
    assert any(not torch.equal(value, best[name]) for name, value in own.items())
    assert f"the weights are those of epoch {other}." in made.card
    assert f"**that is epoch {run.epoch}; these weights" in made.card
    for graph in made.facts["graphs"].values():
        assert graph["checks"]["from features"]["test clips"]
    with pytest.raises(PreflightError, match=f"holds the weights of epoch {other} alone"):
        raymtl.load(made.path, epoch=run.epoch)

"""Studies on images and tables: the same plan, stages, networks, sweep, commands and report."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner, Result

from raymtl.cli import main
from raymtl.errors import StudyError
from raymtl.experiment import Experiment, combinations
from raymtl.extraction.audio import Signal
from raymtl.extraction.features import LogMel, Pixels, Values
from raymtl.extraction.hdf5 import Hdf5
from raymtl.extraction.images import Image
from raymtl.extraction.store import FeatureStore
from raymtl.loading.splits import KFold, Official
from raymtl.loading.stages import FixedLength, Standardise
from raymtl.models.cnn import SharedCnn
from raymtl.plan import Plan
from raymtl.plan.estimate import estimate
from raymtl.plan.written import write_plan
from raymtl.results.records import PREDICTIONS
from raymtl.results.report import write_report
from raymtl.results.table import collect
from raymtl.study import load_study
from readers.celeba import Celeba
from readers.million_song import MillionSong
from readers.taskonomy import Taskonomy
from tests import inprocess
from tests.corpora import plan_of
from tests.test_study import _no_traces  # noqa: F401  a study leaves modules behind

STUDIES = Path(__file__).parents[1] / "experiments"


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("data")
    for reader in (Celeba(), MillionSong(), Taskonomy()):
        reader.miniature(root / reader.folder, 0)
    return root


def _study(name: str) -> Experiment:
    return load_study(STUDIES / f"{name}.py").experiment


def _scores(plan: Plan, metric: str) -> dict[tuple[str, int], list[float]]:
    """(source, number of sources trained) -> test scores over folds."""
    found: dict[tuple[str, int], list[float]] = {}
    for row in collect(plan.sweep, [job.run for job in plan.runs]).to_pylist():
        if (row["part"], row["metric"], row["label"]) == ("test", metric, None):
            together = row["combination"].count(" + ") + 1
            found.setdefault((row["source"], together), []).append(row["value"])
    return found


@pytest.fixture(scope="module")
def faces(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Plan:
    store = tmp_path_factory.mktemp("faces")
    plan = plan_of(_study("faces"), data, store)
    assert {entry.status for entry in inprocess.sweep(plan)} == {"done"}
    return plan


@pytest.fixture(scope="module")
def songs(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Plan:
    plan = plan_of(_study("songs"), data, tmp_path_factory.mktemp("songs"))
    assert {entry.status for entry in inprocess.sweep(plan)} == {"done"}
    return plan


def test_attributes_of_faces_are_learnt_alone_and_together(faces: Plan) -> None:
    scores = _scores(faces, "uar")
    assert set(scores) == {(f"celeba.{a}", n) for a in ("Male", "Smiling") for n in (1, 2)}
    assert min(value for found in scores.values() for value in found) > 0.7  # chance is 0.5


def test_tags_and_terms_are_learnt_from_words(songs: Plan) -> None:
    for together in (1, 3):
        assert np.mean(_scores(songs, "map")["millionsong.tags", together]) > 0.8  # chance 0.4
        assert np.mean(_scores(songs, "uar")["millionsong.pop_rock", together]) > 0.75


def test_a_number_is_recorded_in_its_unit(songs: Plan) -> None:
    """The miniature's words do not tell the year: what is checked is that the scores are right."""
    job = next(j for j in songs.runs if [s.name for s in j.sources] == ["millionsong.year"])
    said = pq.read_table(songs.sweep / "runs" / job.run / "predictions.parquet").to_pylist()
    table = songs.tables["millionsong.year"]
    years = dict(zip(table.ids, table.target("year").to_pylist(), strict=True))
    assert {row["id"]: float(row["truth"][0]) for row in said} == {
        row["id"]: years[row["id"]] for row in said
    }
    gaps = [row["scores"][0] - years[row["id"]] for row in said]
    assert all(row["decision"] == [repr(row["scores"][0])] for row in said)
    recorded = {
        row["metric"]: row["value"]
        for row in collect(songs.sweep, [job.run]).to_pylist()
        if row["part"] == "test"
    }
    assert recorded["mae"] == pytest.approx(np.abs(gaps).mean(), rel=1e-5)
    assert recorded["rmse"] == pytest.approx(math.sqrt(np.square(gaps).mean()), rel=1e-5)
    assert {"r2", "loss"} & set(recorded) >= {"r2"}


def test_no_artist_and_no_person_is_on_both_sides(faces: Plan, songs: Plan) -> None:
    for plan in (faces, songs):
        for split in plan.splits:
            for name, part in split.parts.items():
                table = plan.tables[name]
                groups = dict(zip(table.ids, table.groups(), strict=True))
                sides = [{groups[i][0] for i in ids} for ids in (part.train, part.test)]
                assert sides[0]
                assert sides[1]
                assert not sides[0] & sides[1]


def test_the_same_study_again_has_nothing_to_do(faces: Plan, data: Path) -> None:
    again = plan_of(_study("faces"), data, faces.store)
    assert again.missing == []
    assert all(job.cached for job in again.features)


def test_the_page_shows_numbers_and_labels(songs: Plan) -> None:
    write_plan(songs)
    page = write_report(songs.sweep).read_text()
    for words in ("millionsong.year", "r2", "mae", "rmse", "uar", "map"):
        assert words in page


def test_rows_of_a_conv_net_are_rows_of_pixels(data: Path, tmp_path: Path) -> None:
    plan = plan_of(
        _study("faces"), data, tmp_path,
        sources=[Celeba().source("attributes")], combinations=combinations(1),
        signal=Image(size=(20, 16), channels="grey"),
        models=[SharedCnn(width=4, depth=2, kernel=3)],
        training=replace(_study("faces").training, epochs=1),
    )  # fmt: skip
    assert estimate(plan).feature_bytes == 96 * 20 * 16 * 4
    assert [entry.status for entry in inprocess.sweep(plan)] == ["done"]
    features = FeatureStore(tmp_path / "features").open(plan.features[0].address)
    assert (features.channels, features.features) == (1, 16)
    assert set(features.frames.tolist()) == {20}


def test_segments_of_songs_have_any_length(data: Path, tmp_path: Path) -> None:
    """Columns in time go through the same stages as frames of sound; key is told from pitches."""
    source = MillionSong().source("key", label="key")
    plan = plan_of(
        _study("songs"), data, tmp_path, sources=[source], combinations=combinations(1),
        signal=Hdf5(("analysis/segments_pitches",)), extractions=[Values()],
        stages=[Standardise("feature"), FixedLength("median")],
    )  # fmt: skip
    assert {entry.status for entry in inprocess.sweep(plan)} == {"done"}
    assert np.mean(_scores(plan, "uar")["key", 1]) > 0.8  # chance is 1 / 12


def test_scenes_of_buildings_are_learnt_where_they_are_labelled(data: Path, tmp_path: Path) -> None:
    source = Taskonomy().source("scene", label="scene")
    plan = plan_of(
        _study("faces"), data, tmp_path, sources=[source], combinations=combinations(1),
        folds=Official(), signal=Image(size=(8, 8)),
    )  # fmt: skip
    assert len(plan.tables["scene"]) == 60 - 9  # without a target, a view teaches nothing
    inprocess.sweep(plan)
    assert _scores(plan, "uar")["scene", 1][0] > 0.8  # chance is 1 / 4


@pytest.fixture
def call(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("RAYMTL_STORE", str(tmp_path / "store"))
    return lambda *words: CliRunner().invoke(main, [str(word) for word in words])


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("faces", ["3 channels × 32 rows × 32 columns", "3 channels × 32 frames × 32 features"]),
        ("songs", ["1 channels × 1 rows × 60 columns", "millionsong.year/year"]),
    ],
)
def test_commands_take_images_and_tables(
    call: Callable[..., Result], data: Path, name: str, words: list[str]
) -> None:
    study = STUDIES / f"{name}.py"
    checked = call("check", study, "--data", data)
    assert checked.exit_code == 0, checked.output
    assert all(word in checked.output for word in words), checked.output
    planned = call("plan", study, "--data", data)
    assert planned.exit_code == 0, planned.output
    counted = call("stats", study, "--data", data)
    assert counted.exit_code == 0, counted.output
    assert {"faces": "96", "songs": "84"}[name] in counted.output


def test_damaged_images_are_named_before_anything_runs(
    call: Callable[..., Result], data: Path, tmp_path: Path
) -> None:
    root = tmp_path / "data"
    Celeba.miniature(root / "celeba", 0)
    (root / "celeba" / "img_align_celeba" / "000003.jpg").write_bytes(b"text")
    result = call("plan", STUDIES / "faces.py", "--data", root)
    assert result.exit_code == 2
    assert "1 clip cannot be used" in result.stderr
    assert "000003.jpg" in result.stderr
    assert "no image that can be decoded" in result.stderr


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"signal": Signal()}, r"'image', but Signal decodes 'audio'. Set signal=Image\(size="),
        ({"extractions": [LogMel()]}, r"LogMel takes 'audio', but Image gives 'image'.*Pixels"),
        ({"extractions": [Pixels(), Values()]}, "Values takes 'table'"),
    ],
)
def test_kinds_that_do_not_go_together_are_said_at_once(
    changes: dict[str, object], message: str
) -> None:
    with pytest.raises(StudyError, match=message):
        replace(_study("faces"), **changes)


def test_folds_over_people_need_no_official_parts(data: Path, tmp_path: Path) -> None:
    plan = plan_of(_study("faces"), data, tmp_path, folds=KFold(4))
    assert len(plan.splits) == 4
    assert sum(len(split.parts["celeba.Male"].test) for split in plan.splits) == 96


def _predicted(run: Path, target: Path) -> tuple[int, dict[str, dict[str, dict[str, float]]]]:
    """Exit code of `raymtl predict`; and file -> task -> scores."""
    done = CliRunner().invoke(main, ["predict", str(run), str(target)])
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    told = [line for line in lines if "error" not in line]
    return done.exit_code, {
        line["file"]: {
            task: each.get("scores") or {"value": each["value"]}
            for task, each in line["tasks"].items()
        }
        for line in told
    }


def _expected(run: Path, name: Callable[[str], str]) -> Iterator[tuple[str, str, list[float]]]:
    for row in pq.read_table(run / PREDICTIONS).to_pylist():
        yield name(row["id"]), row["task"], row["scores"]


def test_a_folder_of_images_is_answered_as_in_training(faces: Plan, data: Path) -> None:
    job = max(faces.runs, key=lambda job: len(job.sources))
    run = faces.sweep / "runs" / job.run
    paths = {r.id: r.path for p in faces.corpora.sources.values() for r in p.rows}
    code, said = _predicted(run, data / "celeba")
    assert code == 0
    for file, task, scores in _expected(run, lambda clip: str(paths[clip])):
        np.testing.assert_allclose(list(said[file][task].values()), scores, atol=1e-6)


def test_every_row_of_a_table_is_answered_as_in_training(songs: Plan, tmp_path: Path) -> None:
    """A network that learnt from the rows of a database; what is none is said in its place."""
    job = max(songs.runs, key=lambda job: len(job.sources))
    run = songs.sweep / "runs" / job.run
    (table,) = {r.path for p in songs.corpora.sources.values() for r in p.rows}
    code, said = _predicted(run, Path(table))
    assert code == 0
    for file, task, scores in _expected(run, lambda clip: f"{table}/{clip.rpartition('/')[2]}"):
        np.testing.assert_allclose(list(said[file][task].values()), scores, atol=1e-6)
    (tmp_path / "none.db").write_bytes(b"nothing")
    done = CliRunner().invoke(main, ["predict", str(run), str(tmp_path)])
    assert (done.exit_code, "no SQLite file" in done.stderr) == (1, True)
    done = CliRunner().invoke(main, ["predict", str(run), table, "--window", "1"])
    assert (done.exit_code, "windows of tables" in done.output) == (2, True)


def _evaluated(run: Path, on: str, data: Path, store: Path) -> tuple[str, list[dict[str, Any]]]:
    """What `raymtl evaluate` prints, and its scores."""
    output = store / "scores.json"
    words = ["evaluate", str(run), "--on", on, "--data", str(data), "--store", str(store)]
    done = CliRunner().invoke(main, [*words, "-o", str(output)])
    assert done.exit_code == 0, done.output
    (epoch,) = json.loads(output.read_text())["epochs"]
    return done.output, epoch["scores"]


@pytest.mark.parametrize(
    ("study", "on", "source"),
    [
        ("songs", "MillionSong(inputs='words').source('year')", "millionsong.year"),
        ("songs", "MillionSong(inputs='words').source('tags')", "millionsong.tags"),
        ("faces", "Celeba().source('Male')", "celeba.Male"),
    ],
)
def test_numbers_rows_and_images_are_scored_again(
    study: str, on: str, source: str, faces: Plan, songs: Plan, data: Path, tmp_path: Path
) -> None:
    """On the run's own test clips, every metric is that of its record, the unit's among them."""
    plan = {"faces": faces, "songs": songs}[study]
    job = next(j for j in plan.runs if [s.name for s in j.sources] == [source])
    run = plan.sweep / "runs" / job.run
    text, (found,) = _evaluated(run, on, data, tmp_path)
    assert "are left out: they are not among the run's test clips" in text
    record = json.loads((run / "record.json").read_text())
    (expected,) = [score for score in record["scores"] if score["part"] == "test"]
    del expected["scalars"]["loss"]
    assert found["scalars"] == pytest.approx(expected["scalars"], rel=1e-5)
    assert found["confusion"] == expected["confusion"]

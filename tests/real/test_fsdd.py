"""experiments/first.py and new_speaker.py on real digits: floors, laws, and a plain reference."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from raymtl.durable import file_digest
from raymtl.errors import Interrupted
from raymtl.experiment import combinations
from raymtl.extraction.features import Mfcc
from raymtl.extraction.store import FeatureStore
from raymtl.loading.fitted import load_fit
from raymtl.plan import Plan
from raymtl.reading.clips import ClipTable
from raymtl.results.records import METRICS, PREDICTIONS, WEIGHTS
from raymtl.training.job import RunJob
from readers.fsdd import SPEAKERS, Fsdd
from tests.corpora import plan_of
from tests.inprocess import extract, prepare, run, sweep
from tests.learnability import described, summary
from tests.real.studies import records, scores_of, study

pytestmark = pytest.mark.real
FIRST = study("first")
TOGETHER = replace(FIRST, combinations=combinations("all"))
SHORT = replace(TOGETHER, training=replace(FIRST.training, epochs=2))


@pytest.fixture(scope="module")
def table(recordings: Path) -> ClipTable:
    return Fsdd().read(recordings / "fsdd")


@pytest.fixture(scope="module")
def together(recordings: Path, tmp_path_factory: pytest.TempPathFactory) -> Plan:
    """One network that learns both tasks, trained to its record."""
    plan = plan_of(TOGETHER, recordings, tmp_path_factory.mktemp("together"))
    assert [entry.status for entry in sweep(plan)] == ["done"]
    return plan


@pytest.fixture(scope="module")
def short(recordings: Path, tmp_path_factory: pytest.TempPathFactory) -> Plan:
    """The same for two epochs."""
    plan = plan_of(SHORT, recordings, tmp_path_factory.mktemp("short"))
    assert [entry.status for entry in sweep(plan)] == ["done"]
    return plan


def take(clip: str) -> int:
    return int(clip.rsplit("_", 1)[1])


def speaker(clip: str) -> str:
    return clip.rsplit("_", 2)[1]


def said(job: RunJob, plan: Plan) -> list[str]:
    """Digests of weights, predictions and learning curve."""
    folder = plan.sweep / "runs" / job.run
    return [file_digest(folder / name) for name in (WEIGHTS, PREDICTIONS, METRICS)]


def reference(
    features: dict[str, np.ndarray],
    truth: dict[str, str],
    train: tuple[str, ...],
    test: tuple[str, ...],
) -> np.ndarray:
    """What a logistic regression says of the test clips."""
    model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=500))
    model.fit([features[i] for i in train], [truth[i] for i in train])
    return np.asarray(model.predict([features[i] for i in test]))


def truths(table: ClipTable, task: str) -> dict[str, str]:
    return dict(zip(table.ids, table.target(task).to_pylist(), strict=True))


@pytest.fixture(scope="module")
def librosas(table: ClipTable) -> dict[str, np.ndarray]:
    return {i: summary(path) for i, path in zip(table.ids, table.paths(), strict=True)}


def test_one_network_learns_digits_and_speakers(together: Plan) -> None:
    (record,) = records(together)
    scores = scores_of(record, "accuracy")
    assert scores["digit"] >= 0.97
    assert scores["speaker"] >= 0.99


def test_the_official_test_part_is_takes_0_to_4(together: Plan) -> None:
    for source in together.runs[0].sources:
        assert len(source.test) == 300
        assert {take(i) for i in source.test} == set(range(5))
        assert {take(i) for i in source.train + source.validation} == set(range(5, 20))


def test_no_recording_and_no_take_is_in_two_parts(together: Plan) -> None:
    sources = together.runs[0].sources
    held = [
        {(speaker(i), take(i)) for source in sources for i in getattr(source, part)}
        for part in ("train", "validation", "test")
    ]
    assert all(held)
    assert sum(map(len, held)) == len(set().union(*held)) == 6 * 20


def test_standardisation_is_numpys_over_the_training_clips(together: Plan) -> None:
    for source in together.runs[0].sources:
        features = FeatureStore(together.store / "features").open(source.features)
        frames = np.concatenate([features.matrix(row)[0] for row in features.row(source.train)])
        affine = load_fit(together.store / "fits", source.fit).affine
        assert affine is not None
        # float32 values of up to 100 dB summed over some 20,000 frames in float64
        mean, deviation = frames.mean(0, np.float64), frames.std(0, np.float64)
        np.testing.assert_allclose(affine.shift[0, 0], mean, rtol=1e-6)
        np.testing.assert_allclose(1 / affine.gain[0, 0], deviation, rtol=1e-6)


def test_a_plain_reference_on_the_same_split_is_as_good_as_known(
    table: ClipTable, together: Plan, librosas: dict[str, np.ndarray]
) -> None:
    source = together.runs[0].sources[0]
    train = source.train + source.validation
    for task, known in (("digit", 0.98), ("speaker", 1.0)):
        truth = truths(table, task)
        found = reference(librosas, truth, train, source.test)
        right = np.mean(found == [truth[i] for i in source.test])
        assert right >= known - 0.015  # the reference's own figure, rounded, and four clips


def test_the_reference_says_the_same_on_the_stores_features(
    recordings: Path, table: ClipTable, librosas: dict[str, np.ndarray], tmp_path: Path
) -> None:
    mfcc = Mfcc(bands=40, coefficients=20, window=0.032, hop=0.016, top_db=80.0)
    plan = plan_of(TOGETHER, recordings, tmp_path, extractions=(mfcc,))
    extract(plan)
    features = FeatureStore(plan.store / "features").open(plan.features[0].address)
    rows = zip(table.ids, features.row(table.ids), strict=True)
    ours = {i: described(features.matrix(row)[0].T) for i, row in rows}
    source = plan.runs[0].sources[0]
    train = source.train + source.validation
    for task in ("digit", "speaker"):
        truth = truths(table, task)
        one, other = (reference(f, truth, train, source.test) for f in (ours, librosas))
        assert np.mean(one == other) >= 0.99  # three clips may lie on the fence


def test_each_speaker_is_new_once_and_the_reference_is_as_good_as_known(
    recordings: Path, table: ClipTable, librosas: dict[str, np.ndarray], tmp_path: Path
) -> None:
    plan = plan_of(study("new_speaker"), recordings, tmp_path)
    truth, right = truths(table, "digit"), []
    for job in plan.runs:
        (source,) = job.sources
        (new,) = {speaker(i) for i in source.test}
        assert new not in {speaker(i) for i in source.train + source.validation}
        right.append(
            (
                new,
                np.mean(
                    reference(librosas, truth, source.train + source.validation, source.test)
                    == [truth[i] for i in source.test]
                ),
            )
        )
    assert Counter(new for new, _ in right) == dict.fromkeys(SPEAKERS, 1)
    # 0.725 is known; other MFCCs give up to 0.77, a speaker who is heard in training 0.98
    assert 0.70 < np.mean([share for _, share in right]) < 0.82


@dataclass(frozen=True)
class Shuffled(Fsdd):
    """The same rows in another order."""

    def read(self, root: Path) -> ClipTable:
        found = super().read(root)
        order = np.random.default_rng(5).permutation(len(found))
        return replace(found, table=found.table.take(order))


def test_the_order_of_rows_changes_no_number(recordings: Path, short: Plan, tmp_path: Path) -> None:
    sources = (Shuffled().source("digit"), Shuffled().source("speaker"))
    plan = plan_of(SHORT, recordings, tmp_path, sources=sources)
    ids = Shuffled().read(recordings / "fsdd").ids
    assert ids != sorted(ids)
    assert [entry.status for entry in sweep(plan)] == ["done"]
    assert said(plan.runs[0], plan) == said(short.runs[0], short)


@pytest.mark.parametrize("steps", [10, 60])  # within the first and the second epoch
def test_a_run_that_was_stopped_ends_in_the_same_bits(
    recordings: Path, short: Plan, tmp_path: Path, steps: int
) -> None:
    plan = plan_of(SHORT, recordings, tmp_path)
    job, calls = plan.runs[0], count()
    bench = prepare(plan)
    with pytest.raises(Interrupted, match=f"stopped after {steps // 49} epochs"):
        run(plan, job, bench, stop=lambda: next(calls) == steps)
    assert run(plan, job, bench).status == "done"
    assert said(job, plan) == said(short.runs[0], short)

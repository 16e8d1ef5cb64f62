"""Metrics against scikit-learn and known answers."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics as sk

from raymtl.tasks import AnyOf, OneOf, Targets, YesNo, metrics

LABELS = ("a", "b", "c", "d", "e")


@st.composite
def one_of_many(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Scores (N, 5), truth (N,), valid (N,); some classes are often absent."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    clips, classes = draw(st.integers(0, 40)), draw(st.integers(1, 5))
    scores = rng.integers(0, 4, (clips, 5)).astype(np.float32)  # ties happen
    return scores, rng.integers(0, classes, clips), rng.random(clips) < 0.8


@st.composite
def any_of_many(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    clips, labels = draw(st.integers(0, 30)), draw(st.integers(1, 5))
    scores = (rng.integers(0, 7, (clips, labels)) / 6).astype(np.float32)
    return scores, rng.random((clips, labels)) < draw(st.floats(0, 1))


@given(one_of_many())
def test_one_of_many_agrees_with_scikit_learn(case: tuple[np.ndarray, ...]) -> None:
    scores, truth, valid = case
    task = OneOf("t", LABELS)
    targets = Targets(np.where(valid, truth, 0), valid)
    measured = task.measure(scores, targets)
    t, d = truth[valid], scores.argmax(axis=1)[valid]
    assert task.quick(scores, targets) == measured.scalars.get("uar")
    assert np.isfinite(list(measured.scalars.values())).all()
    assert measured.confusion is not None
    if not len(t):
        assert measured.scalars == {}
        assert measured.confusion.sum() == 0
        return
    np.testing.assert_array_equal(measured.confusion, sk.confusion_matrix(t, d, labels=range(5)))
    assert measured.scalars["accuracy"] == pytest.approx(sk.accuracy_score(t, d))
    recall = sk.recall_score(t, d, labels=np.unique(t), average="macro", zero_division=0)
    assert measured.scalars["uar"] == pytest.approx(recall)
    if set(d) <= set(t) and len(set(t)) > 1:  # elsewhere scikit-learn warns and does the same
        assert measured.scalars["uar"] == pytest.approx(sk.balanced_accuracy_score(t, d))
    for average in ("macro", "micro", "weighted"):
        want = sk.precision_recall_fscore_support(t, d, average=average, zero_division=0)[:3]
        got = [measured.scalars[f"{m}/{average}"] for m in ("precision", "recall", "f1")]
        np.testing.assert_allclose(got, want, atol=1e-12)
    _check_labels(measured.per_label, t, d, 5)


def _check_labels(per_label: dict[str, dict[str, float]], t: object, d: object, n: int) -> None:
    table = sk.precision_recall_fscore_support(t, d, labels=range(n), zero_division=0)
    for k, row in enumerate(np.stack(table, axis=1)):
        got = per_label[LABELS[k]]
        assert got["support"] == row[3]
        if row[3]:
            want = [got["precision"], got["recall"], got["f1"]]
            np.testing.assert_allclose(want, row[:3], atol=1e-12)
        else:
            assert set(got) == {"support"}


@given(any_of_many())
def test_any_of_many_agrees_with_scikit_learn(case: tuple[np.ndarray, np.ndarray]) -> None:
    scores, truth = case
    labels = truth.shape[1]
    task = AnyOf("t", LABELS[:labels])
    targets = Targets(truth.astype(np.float32), np.ones(truth.shape, np.bool_))
    measured = task.measure(scores, targets)
    assert task.quick(scores, targets) == measured.scalars.get("map")
    assert np.isfinite(list(measured.scalars.values())).all()
    positive = np.flatnonzero(truth.any(axis=0))
    if not len(positive):
        assert "map" not in measured.scalars
        assert "lwlrap" not in measured.scalars
        return
    each = [sk.average_precision_score(truth[:, k], scores[:, k]) for k in positive]
    assert measured.scalars["map"] == pytest.approx(np.mean(each))
    rows = truth.any(axis=1)
    lwlrap = sk.label_ranking_average_precision_score(
        truth[rows], scores[rows], sample_weight=truth[rows].sum(axis=1)
    )
    assert measured.scalars["lwlrap"] == pytest.approx(lwlrap)
    decided = scores >= 0.5
    assert measured.scalars["accuracy"] == pytest.approx((truth == decided).all(axis=1).mean())
    here = np.flatnonzero(truth.any(axis=0) | decided.any(axis=0))
    for average in ("macro", "micro", "weighted"):
        want = sk.precision_recall_fscore_support(
            truth[:, here], decided[:, here], labels=range(len(here)), average=average,
            zero_division=0,
        )[:3]  # fmt: skip
        got = [measured.scalars[f"{m}/{average}"] for m in ("precision", "recall", "f1")]
        if len(here) > 1:  # one column alone is a binary problem to scikit-learn
            np.testing.assert_allclose(got, want, atol=1e-12)
    if labels > 1:
        _check_labels(measured.per_label, truth, decided, labels)


@given(any_of_many(), st.integers(0, 2**32 - 1))
def test_masked_entries_count_nowhere(case: tuple[np.ndarray, np.ndarray], seed: int) -> None:
    scores, truth = case
    rng = np.random.default_rng(seed)
    valid = rng.random(truth.shape) < 0.7
    task = AnyOf("t", LABELS[: truth.shape[1]])
    other = np.where(valid, scores, rng.random(scores.shape)).astype(np.float32)
    wrong = np.where(valid, truth, ~truth).astype(np.float32)
    one = task.measure(scores, Targets(np.where(valid, truth, 0).astype(np.float32), valid))
    two = task.measure(other, Targets(wrong, valid))
    assert one.scalars == two.scalars
    assert one.per_label == two.per_label
    each = [
        sk.average_precision_score(truth[v, k], scores[v, k])
        for k, v in enumerate(valid.T)
        if truth[v, k].any()
    ]
    assert ("map" in one.scalars) == bool(each)
    if each:
        assert one.scalars["map"] == pytest.approx(np.mean(each))


def test_lwlrap_known_answer() -> None:
    truth = np.array([[1, 0, 1], [0, 1, 0], [0, 0, 0]], np.bool_)
    scores = np.array([[0.9, 0.8, 0.1], [0.2, 0.7, 0.1], [0.3, 0.3, 0.3]])
    found = metrics.lwlrap(scores, truth, np.ones((3, 3), np.bool_))
    assert found == pytest.approx(0.888889, abs=5e-7)  # published to six digits


def test_equal_error_rate_known_answer() -> None:
    scores, truth = np.array([1, 2, 3, 0, 1.5, -1]), np.array([1, 1, 1, 0, 0, 0], np.bool_)
    assert metrics.equal_error_rate(scores, truth) == pytest.approx(1 / 3)


@pytest.mark.parametrize(
    ("targets", "impostors", "rate"),
    [([2, 3], [0, 1], 0.0), ([0, 1], [2, 3], 1.0), ([1, 1], [1, 1, 1], 0.5), ([1], [], None)],
)
def test_equal_error_rate_at_the_ends(
    targets: list[float], impostors: list[float], rate: float | None
) -> None:
    scores = np.array(targets + impostors, np.float32)
    truth = np.arange(len(scores)) < len(targets)
    assert metrics.equal_error_rate(scores, truth) == rate


@given(st.integers(0, 2**32 - 1), st.integers(1, 20), st.integers(1, 20), st.integers(2, 9))
def test_equal_error_rate_is_on_the_roc(seed: int, n: int, m: int, levels: int) -> None:
    rng = np.random.default_rng(seed)
    scores, truth = rng.integers(0, levels, n + m).astype(float), np.arange(n + m) < n
    rate = metrics.equal_error_rate(scores, truth)
    assert rate is not None
    false, true, _ = sk.roc_curve(truth, scores, drop_intermediate=False)
    grid = np.linspace(0, 1, 20_001)  # the slow version: walk along every segment of the ROC
    gaps = [
        np.abs((1 - (y0 + (y1 - y0) * grid)) - (x0 + (x1 - x0) * grid)).min()
        for x0, x1, y0, y1 in zip(false[:-1], false[1:], true[:-1], true[1:], strict=True)
    ]
    k = int(np.argmin(gaps))
    at = (false[k + 1] - false[k]) * grid + false[k]
    miss = 1 - ((true[k + 1] - true[k]) * grid + true[k])
    assert rate == pytest.approx(at[np.argmin(np.abs(miss - at))], abs=1e-4)  # grid of 5e-5


def test_yes_or_no_is_a_one_of_two() -> None:
    rng = np.random.default_rng(0)
    scores = rng.random((50, 1)).astype(np.float32)
    values = rng.integers(0, 2, (50, 1)).astype(np.float32)
    valid = rng.random((50, 1)) < 0.8
    yes_no = YesNo("t").measure(scores, Targets(values, valid))
    both = OneOf("t", ("no", "yes")).measure(
        np.hstack([0.5 - 1e-6 - (scores - 0.5), scores]),
        Targets(values[:, 0].astype(np.int64), valid[:, 0]),
    )
    assert {k: v for k, v in yes_no.scalars.items() if k != "eer"} == both.scalars
    assert yes_no.per_label == both.per_label
    np.testing.assert_array_equal(yes_no.confusion, both.confusion)
    assert 0 <= yes_no.scalars["eer"] <= 1


@pytest.mark.parametrize("clips", [0, 3])
@pytest.mark.parametrize("task", [OneOf("t", LABELS), AnyOf("t", LABELS), YesNo("t")])
def test_nothing_to_measure(task: OneOf | AnyOf | YesNo, clips: int) -> None:
    shape = (clips,) if isinstance(task, OneOf) else (clips, task.outputs)
    kind = np.int64 if isinstance(task, OneOf) else np.float32
    targets = Targets(np.zeros(shape, kind), np.zeros(shape, np.bool_))
    scores = torch.rand(clips, task.outputs).numpy()
    assert task.quick(scores, targets) is None
    assert task.measure(scores, targets).scalars == {}
    assert {v["support"] for v in task.measure(scores, targets).per_label.values()} == {0.0}

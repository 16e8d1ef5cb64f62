"""Many regressions and ranks at once, against scikit-learn and scipy one at a time."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import KFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler

from raymtl.errors import StudyError
from raymtl.results.relations.evaluation import _shuffled
from raymtl.results.relations.ranks import areas, correlations, ranked
from raymtl.results.relations.regression import probabilities


@pytest.mark.parametrize("features", [1, 6, 40])
def test_each_regression_is_scikit_learns(features: int, monkeypatch: pytest.MonkeyPatch) -> None:
    random = np.random.default_rng(features)
    values = random.normal(size=(30, features)) * 10.0 ** random.integers(-3, 4, features)
    values[:20, 0] = 7.0  # constant where some learn
    gains, learn = random.random((9, 30)) > 0.4, random.random((9, 30)) > 0.3
    learn[0] = np.arange(30) < 20
    gains[1] = values[:, 0] > 0  # can be told apart
    monkeypatch.setattr("raymtl.results.relations.regression.ROOM", 4 * values.size)
    found = probabilities(values, gains, learn)
    for at, rows in enumerate(learn):
        model = LogisticRegression(solver="newton-cholesky", tol=1e-13, max_iter=1000)
        line = make_pipeline(MinMaxScaler(), model).fit(values[rows], gains[at, rows])
        np.testing.assert_allclose(found[at], line.predict_proba(values)[:, 1], rtol=0, atol=1e-9)


def test_without_anything_to_fit_it_is_the_share() -> None:
    learn = np.array([[1, 1, 1, 0], [1, 1, 0, 0]], bool)
    gains = np.array([[1, 0, 0, 1], [1, 1, 0, 0]], bool)
    shares = [[1 / 3] * 4, [1.0] * 4]
    np.testing.assert_allclose(probabilities(np.zeros((4, 0)), gains, learn), shares, atol=1e-9)
    np.testing.assert_array_equal(probabilities(np.eye(4), gains, learn)[1], [1.0] * 4)


def test_no_solution_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("raymtl.results.relations.regression.STEPS", 1)
    learn = np.ones((1, 4), bool)
    with pytest.raises(StudyError, match="regression on 4 pairs is not solved in 1 steps"):
        probabilities(np.arange(4.0)[:, None], np.array([[0, 1, 0, 1]], bool), learn)


def test_ranks_correlations_and_areas_are_the_libraries() -> None:
    random = np.random.default_rng(3)
    one, other = random.integers(0, 5, (2, 40, 12)).astype(float)  # many ties
    truth, known = random.random((2, 40, 12)) > 0.4
    one[~known] = np.nan
    rho, auc = correlations(one, other, known, least=4), areas(truth, one, known)
    for at, kept in enumerate(known):
        a, b = one[at, kept], other[at, kept]
        np.testing.assert_array_equal(ranked(one, known)[at, kept], stats.rankdata(a))
        if len(a) >= 4 and min(np.ptp(a), np.ptp(b)) > 0:
            assert rho[at] == pytest.approx(stats.spearmanr(a, b)[0], abs=1e-12)
        if len(set(truth[at, kept])) == 2:
            assert auc[at] == pytest.approx(roc_auc_score(truth[at, kept], a), abs=1e-12)
    assert np.isnan(correlations(one, np.zeros_like(one), known, least=4)).all()
    assert np.isnan(correlations(one, other, known, least=13)).all()
    assert min(np.isfinite(auc).sum(), np.isfinite(rho).sum()) > 30
    assert np.isnan(areas(np.ones_like(truth), one, known)).all()


@pytest.mark.parametrize(("rows", "k"), [(42, 5), (7, 3), (3, 5)])
def test_shuffled_folds_are_scikit_learns(rows: int, k: int) -> None:
    expected = KFold(min(k, rows), shuffle=True, random_state=8).split(np.zeros(rows))
    for (learn, test), (learns, tests) in zip(_shuffled(rows, k, 8), expected, strict=True):
        np.testing.assert_array_equal(learn, learns)
        np.testing.assert_array_equal(test, tests)

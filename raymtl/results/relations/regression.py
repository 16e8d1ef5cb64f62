"""Many small logistic regressions at once.

A permutation test fits hundreds of models to a few dozen rows each. One by one, scikit-learn spends
nearly all of that on its checks; here Newton's steps of all of them are taken together.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.special import expit

from raymtl.errors import StudyError

Doubles = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
STEPS, HALVINGS = 100, 40
EXACT = 1e-10  # largest step after which the solution is taken as found
DIGITS = 10  # of probabilities: beyond, equal rows differ by the order of sums
ROOM = 4_000_000  # numbers that the rows of the models fitted together may hold


def probabilities(values: Doubles, gains: Bools, learn: Bools) -> Doubles:
    """(B, N) probability of every row under each of B models.

    Each is a logistic regression on features scaled to [0, 1] over the rows that it learns from,
    penalised by half the squared coefficients, the constant left free: scikit-learn's
    ``LogisticRegression(C=1)`` behind ``MinMaxScaler``, solved exactly. Where there is nothing to
    fit, it is the share of rows that gain.

    Args:
        values: (N, F), finite. gains: (B, N) what is learnt. learn: (B, N) from which rows, at
            least one each.

    Raises:
        StudyError: when a model is not solved in `STEPS` steps.
    """
    share = (gains & learn).sum(axis=1) / learn.sum(axis=1)
    found = np.repeat(share[:, None], values.shape[0], axis=1)
    both = np.flatnonzero((share > 0) & (share < 1)) if values.shape[1] else np.zeros(0, int)
    size = max(1, ROOM // max(1, values.size))
    for start in range(0, len(both), size):
        part = both[start : start + size]
        found[part] = _fitted(values, gains[part], learn[part])
    return np.round(found, DIGITS)


def _fitted(values: Doubles, gains: Bools, learn: Bools) -> Doubles:
    low = np.where(learn[:, :, None], values, np.inf).min(axis=1)
    high = np.where(learn[:, :, None], values, -np.inf).max(axis=1)
    width = np.where(high - low > 10 * np.finfo(float).eps, high - low, 1.0)
    scaled = (values - low[:, None]) / width[:, None]
    rows = np.concatenate([scaled, np.ones((*scaled.shape[:2], 1))], axis=2)
    used = learn.any(axis=0)
    line = _solved(rows[:, used], gains[:, used].astype(float), learn[:, used].astype(float))
    found: Doubles = expit(_times(rows, line))
    return found


def _solved(rows: Doubles, gains: Doubles, weights: Doubles) -> Doubles:
    """(B, F) coefficients, the constant last, of rows (B, N, F); gains and weights (B, N)."""
    penalty = np.ones(rows.shape[2])
    penalty[-1] = 0.0
    line = np.zeros((len(rows), rows.shape[2]))
    for _ in range(STEPS):
        said = expit(_times(rows, line))
        slope = _times(rows.transpose(0, 2, 1), weights * (said - gains)) + penalty * line
        rooted = rows * np.sqrt(weights * said * (1 - said))[:, :, None]
        bend = rooted.transpose(0, 2, 1) @ rooted + np.diag(penalty)
        step = np.linalg.solve(bend, slope[:, :, None])[:, :, 0]
        line = _lower(rows, gains, weights, penalty, line, step)
        if np.abs(step).max() < EXACT:
            return line
    raise StudyError(
        f"predictors: a logistic regression on {rows.shape[1]} pairs is not solved in {STEPS} "
        "steps. Look for features of the pairs that are not numbers of a usual size."
    )


def _lower(
    rows: Doubles, gains: Doubles, weights: Doubles, penalty: Doubles, line: Doubles, step: Doubles
) -> Doubles:
    """The lines after a step, halved for each model until it does not raise what is minimised."""

    def loss(of: Doubles) -> Doubles:
        z = _times(rows, of)
        errors = (weights * (np.logaddexp(0, z) - gains * z)).sum(axis=1)
        total: Doubles = errors + (penalty * of**2).sum(axis=1) / 2
        return total

    bar = loss(line) * (1 + 1e-12)
    size = np.ones((len(line), 1))
    for _ in range(HALVINGS):
        worse = loss(line - size * step) > bar
        if not worse.any():
            break
        size[worse] /= 2
    return line - size * step


def _times(matrices: Doubles, vectors: Doubles) -> Doubles:
    """(B, N, F) by (B, F): (B, N)."""
    product: Doubles = (matrices @ vectors[:, :, None])[:, :, 0]
    return product

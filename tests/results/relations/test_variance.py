"""Shares of spread against statsmodels, and by hand for a balanced design."""

from __future__ import annotations

from itertools import product

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import statsmodels.api as sm
from statsmodels.formula.api import ols

from raymtl.results.relations.variance import RESIDUAL, task_shares, variance_shares
from raymtl.results.table import SCHEMA


def design(seed: int, kept: float) -> pd.DataFrame:
    random = np.random.default_rng(seed)
    rows = [
        {"s": s, "e": e, "m": m, "f": f, "y": 0.3 * (s == "s1") + 0.1 * e + random.normal(0, 0.1)}
        for s, e, m, f in product(("s0", "s1", "s2"), range(2), ("x", "y"), range(3))
        if random.random() < kept
    ]
    return pd.DataFrame(rows)


@pytest.mark.parametrize(("seed", "kept"), [(0, 1.0), (1, 0.7), (2, 0.5)])
def test_sums_of_squares_are_statsmodels(seed: int, kept: float) -> None:
    data = design(seed, kept)
    theirs = sm.stats.anova_lm(ols("y ~ C(s) + C(e) + C(m) + C(f)", data).fit(), typ=2)
    shares = variance_shares(list(data["y"]), {n: list(data[n]) for n in "semf"})
    assert [s.axis for s in shares] == [*"semf", RESIDUAL]
    for share, name in zip(shares, ("C(s)", "C(e)", "C(m)", "C(f)", "Residual"), strict=True):
        assert share.sum == pytest.approx(theirs["sum_sq"][name], rel=1e-9, abs=1e-12)
        assert share.degrees == theirs["df"][name]
        if name != "Residual":
            assert share.p == pytest.approx(theirs["PR(>F)"][name], abs=1e-9)
    total = ((data["y"] - data["y"].mean()) ** 2).sum()
    error = theirs["sum_sq"]["Residual"] / theirs["df"]["Residual"]
    omega = (theirs["sum_sq"]["C(s)"] - 2 * error) / (total + error)
    assert shares[0].omega == pytest.approx(omega, abs=1e-9)
    if kept == 1.0:
        assert sum(share.share for share in shares) == pytest.approx(1.0)


def test_a_balanced_design_by_hand() -> None:
    y = {(a, b): 2.0 * a + b for a in range(2) for b in range(3)}
    y[0, 0] += 0.6
    shares = variance_shares(list(y.values()), {n: [k[i] for k in y] for i, n in enumerate("ab")})
    grid = np.array(list(y.values())).reshape(2, 3)
    expected = 3 * ((grid.mean(1) - grid.mean()) ** 2).sum()
    assert shares[0].sum == pytest.approx(expected, rel=1e-9)
    assert shares[1].sum == pytest.approx(2 * ((grid.mean(0) - grid.mean()) ** 2).sum(), rel=1e-9)


def test_axes_of_one_level_and_constants_explain_nothing() -> None:
    assert variance_shares([1.0, 1.0, 1.0, 1.0], {"a": [0, 1, 0, 1]}) == []
    assert variance_shares([1.0, 2.0], {"a": [0, 1]}) == []
    assert variance_shares([], {"a": []}) == []
    found = variance_shares([1.0, 2.0, 1.5, 2.5], {"a": [0, 1, 0, 1], "b": [7, 7, 7, 7]})
    assert [share.axis for share in found] == ["a", RESIDUAL]


def test_of_a_sweep() -> None:
    random = np.random.default_rng(0)
    rows = [
        {
            "combination": c, "extraction": e, "model": "m", "fold": f, "seed": s,
            "control": control, "source": "a", "task": "t", "part": "test", "metric": metric,
            "value": 0.5 + 0.2 * (e == "x") + random.normal(0, 0.01),
        }
        for c, e, f, s, control, metric in product(
            ("a", "a + b"), ("x", "y"), range(2), range(2), (None, "shuffled"), ("uar", "f1")
        )
    ]  # fmt: skip
    table = pa.Table.from_pylist(rows, schema=SCHEMA)
    ((what, shares),) = task_shares(table, {"t": "uar"}).items()
    assert what == ("a", "t")
    assert [share.axis for share in shares] == [
        "source set",
        "extraction",
        "fold",
        "seed",
        RESIDUAL,
    ]
    assert shares[1].share > 0.9
    assert shares[-1].degrees == 16 - 5

"""Lines through trained groups against planted ones and scikit-learn."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn.linear_model import Ridge

from raymtl.errors import StudyError
from raymtl.grid import random_combinations
from raymtl.results.relations.grouping import all_groups, select_networks
from raymtl.results.relations.surrogate import completed, fit_surrogate

ADDS = np.random.default_rng(0).normal(0, 1, (6, 6))
NAMES = "abcdef"


def planted(groups: Any, noise: float = 0.0) -> dict[tuple[str, ...], dict[str, float]]:
    """0.5 alone, and what each other member adds."""
    random = np.random.default_rng(1)
    at = {name: i for i, name in enumerate(NAMES)}
    return {
        group: {
            t: 0.5 + sum(ADDS[at[t], at[m]] for m in group if m != t) + noise * random.normal()
            for t in group
        }
        for group in groups
    }


def test_a_planted_line_is_found_on_groups_not_seen() -> None:
    seen = planted([*all_groups(NAMES, [1, 2]), *random_combinations(20).of(NAMES)])
    line = fit_surrogate(seen)
    for group, found in planted(all_groups(NAMES, [4, 5, 6])).items():
        assert {t: line.predict(group, t) for t in group} == pytest.approx(found)
    assert max(e for e in line.error.values() if e is not None) < 1e-9
    assert min(e for e in line.plain.values() if e is not None) > 0.1
    filled = completed(seen, all_groups(NAMES), line)
    assert filled.keys() == set(all_groups(NAMES))
    assert select_networks(filled, 2).score == pytest.approx(
        select_networks(planted(all_groups(NAMES)), 2).score
    )


def test_a_ridge_is_scikit_learns() -> None:
    groups = random_combinations(18, seed=2).of(NAMES)
    seen = planted(groups, noise=0.1)
    line = fit_surrogate(seen, ridge=0.7)
    mine = [g for g in groups if "a" in g]
    rows = [[float(m in g) for m in "bcdef"] for g in mine]
    model = Ridge(alpha=0.7).fit(rows, [seen[g]["a"] for g in mine])
    assert [line.adds["a"][m] for m in "bcdef"] == pytest.approx(list(model.coef_), abs=1e-9)
    assert line.alone["a"] == pytest.approx(model.intercept_, abs=1e-9)
    left = []
    for at in range(len(mine)):
        rest = [i for i in range(len(mine)) if i != at]
        one = Ridge(alpha=0.7).fit([rows[i] for i in rest], [seen[mine[i]]["a"] for i in rest])
        left.append(one.predict([rows[at]])[0] - seen[mine[at]]["a"])
    assert line.error["a"] == pytest.approx(np.sqrt(np.mean(np.square(left))))


def test_tasks_belong_to_sources() -> None:
    scores = {("x",): {"x: one": 0.5, "x: two": 0.6}, ("x", "y"): {"x: one": 0.7, "x: two": 0.5,
              "y": 0.3}, ("y",): {"y": 0.2}}  # fmt: skip
    line = fit_surrogate(scores, {"x: one": "x", "x: two": "x", "y": "y"})
    assert line.predict(("x", "y"), "x: one") == pytest.approx(0.7)
    found = select_networks(scores, 2)
    assert found.groups == (("x",), ("x", "y"))
    assert found.best["x: two"] == (("x",), 0.6)


def test_what_was_never_together_is_not_guessed() -> None:
    seen = planted([("a", "b"), ("a",), ("b",), ("c",)])
    line = fit_surrogate(seen)
    with pytest.raises(StudyError, match="no trained group has a with c"):
        line.predict(("a", "c"), "a")
    assert ("a", "b", "c") not in completed(seen, all_groups("abc"), line)

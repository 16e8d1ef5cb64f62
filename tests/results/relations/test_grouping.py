"""The choice of networks against published matrices, and brute force."""

from __future__ import annotations

from itertools import combinations
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from raymtl.errors import StudyError
from raymtl.results.relations.grouping import (
    FORBIDDEN,
    affinity_scores,
    all_groups,
    higher_order,
    select_networks,
)

# Inter-task affinities on Taskonomy of Fifty et al. 2021: row = task affected. Source:
# google-research/google-research, tag/network_selection/TAG_network_selection.ipynb
_TAG = """
         ss                  norm                depth                key                  edge
ss       nan                 0.04891036220837213 0.11537429894122785  0.00454724706606927  0.008776140044461892
depth    0.41355850961858076 0.2914147606289435  nan                  0.01353652075974951  0.07395688217092156
norm     0.13982367687578146 nan                 0.22096194178241185  0.010493772045577332 0.07645966827511533
key      0.021098526716001414 0.010729013557423  0.013365983131803236 nan                  0.6897358940641894
edge     0.056692022190245474 0.03600666458561003 0.03668338077695892 0.30372134710544996  nan
"""  # noqa: E501
# Validation losses on Taskonomy of pairs (Standley et al. 2020), diagonal: alone. Source: the same
# folder, HOA_network_selection.ipynb
HOA = {
    "s": {"s": 0.0509, "d": 0.0528, "n": 0.0471, "t": 0.0606, "k": 0.0655},
    "d": {"s": 0.2636, "d": 0.2616, "n": 0.2551, "t": 0.2675, "k": 0.2674},
    "n": {"s": 0.1004, "d": 0.1002, "n": 0.0975, "t": 0.1082, "k": 0.1110},
    "t": {"s": 0.0287, "d": 0.0423, "n": 0.0310, "t": 0.0337, "k": 0.0232},
    "k": {"s": 0.0972, "d": 0.1068, "n": 0.0568, "t": 0.0933, "k": 0.0910},
}
_LINES = [line.split() for line in _TAG.strip().splitlines()]
TAG = {row[0]: dict(zip(_LINES[0], map(float, row[1:]), strict=True)) for row in _LINES[1:]}


def sets(groups: Any) -> set[frozenset[str]]:
    return {frozenset(group) for group in groups}


@pytest.mark.parametrize(
    ("budget", "score", "groups"),
    [
        (1, 0.12929, [("depth", "edge", "key", "norm", "ss")]),
        (2, 0.32170, [("key", "edge"), ("ss", "depth", "norm")]),
        (3, 0.34867, [("ss", "depth"), ("depth", "norm"), ("key", "edge")]),
    ],
)
def test_the_groups_of_tag(budget: int, score: float, groups: Any) -> None:
    found = select_networks(affinity_scores(TAG), budget)
    assert found.score == pytest.approx(score, abs=1e-5)
    assert sets(found.groups) == sets(groups)


@pytest.mark.parametrize(
    ("budget", "score", "groups"),
    [
        (1, 0.108935, ["sdntk"]),
        (2, 0.10186, ["nk", "sdnt"]),
        (3, 0.09792, ["nk", "tk", "sdn"]),
    ],
)
def test_the_groups_of_the_higher_order_approximation(
    budget: int, score: float, groups: list[str]
) -> None:
    found = select_networks(higher_order(HOA), budget, maximise=False)
    assert found.score == pytest.approx(score, abs=1e-5)
    assert sets(found.groups) == sets(groups)


def test_a_task_alone() -> None:
    assert affinity_scores(TAG)["key",] == {"key": FORBIDDEN}
    assert higher_order(HOA)["k",] == {"k": 0.0910}
    assert higher_order(HOA)["k", "n", "t"]["n"] == pytest.approx((0.1110 + 0.1082) / 2)


def brute(scores: Any, budget: float, sign: int, costs: Any) -> float | None:
    """The best mean over all sets of groups, one by one."""
    tasks = {task for group in scores for task in group}
    best = None
    for size in range(1, len(scores) + 1):
        for chosen in combinations(scores, size):
            of = {t: [sign * scores[g][t] for g in chosen if t in g] for t in tasks}
            if all(of.values()) and sum(costs[g] for g in chosen) <= budget + 1e-12:
                value = sum(max(v) for v in of.values()) / len(tasks)
                best = value if best is None else max(best, value)
    return None if best is None else sign * best


@settings(max_examples=60)
@given(st.data())
def test_as_brute_force_finds(data: st.DataObject) -> None:
    tasks = "abcd"[: data.draw(st.integers(2, 4))]
    groups = data.draw(st.lists(st.sampled_from(all_groups(tasks)), min_size=1, unique=True,
                                max_size=10))  # fmt: skip
    number = st.integers(-6, 6).map(float)
    scores = {g: {t: data.draw(number) for t in g} for g in groups}
    costs = {g: data.draw(st.sampled_from([0.5, 1.0, 1.5, 2.0])) for g in groups}
    budget, maximise = data.draw(st.sampled_from([1.0, 2.0, 2.5, 4.0])), data.draw(st.booleans())
    expected = brute(scores, budget, 1 if maximise else -1, costs)
    if expected is None:
        with pytest.raises(StudyError, match="covers the tasks"):
            select_networks(scores, budget, maximise, costs)
        return
    found = select_networks(scores, budget, maximise, costs)
    assert found.score == pytest.approx(expected, abs=1e-12)
    assert found.cost <= budget
    assert found.cost == sum(costs[g] for g in found.groups)
    assert {t: scores[g][t] for t, (g, _) in found.best.items()} == {
        t: value for t, (_, value) in found.best.items()
    }


@pytest.mark.parametrize(("seed", "budget"), [(0, 3), (1, 4)])
def test_as_trying_all_sets_of_eight_tasks_finds(seed: int, budget: int) -> None:
    """Near ties, as scores of real sweeps are: every set of pairs and all together, in numpy."""
    random = np.random.default_rng(seed)
    names = "abcdefgh"
    groups = [*all_groups(names, [2]), tuple(names)]
    scores = {g: {t: 0.5 + 0.01 * random.normal() for t in g} for g in groups}
    values = np.array([[scores[g].get(t, -np.inf) for t in names] for g in groups])
    sets = np.array(list(combinations(range(len(groups)), budget)))
    best = values[sets].max(axis=1).mean(axis=1).max()
    assert select_networks(scores, budget).score == pytest.approx(best, abs=1e-12)


def test_what_cannot_be() -> None:
    scores = {("a",): {"a": 1.0}, ("b",): {"b": 1.0}}
    with pytest.raises(StudyError, match="within a budget of 1 covers the tasks a, b"):
        select_networks(scores, 1)
    with pytest.raises(StudyError, match="must be finite"):
        select_networks({("a",): {"a": float("nan")}}, 1)

"""Agreement of matrices of gains, against scipy and by hand."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pytest
from scipy import stats

from raymtl.results.relations.consistency import Setting, agreements, mantel, matrices, spearman
from raymtl.results.transfer.gains import Gain, How, Pair, What

NAMES = tuple("abcde")


def gain(
    main: str, partners: tuple[str, ...], method: str, value: dict[tuple[int, int], float]
) -> Gain:
    pairs = tuple(Pair(f, s, "r", "b", 0.5 + v, 0.5) for (f, s), v in sorted(value.items()))
    return Gain(What(main, "t", "uar", None), How(partners, "", method, "cnn"), pairs)


PLACES = [(f, s) for f in range(2) for s in range(3)]


def study(same: float, noise: float) -> list[Gain]:
    """Gains of two extractions, whose true matrices correlate by `same`."""
    random = np.random.default_rng(4)
    one = random.normal(0, 0.1, (5, 5))
    other = same * one + np.sqrt(1 - same**2) * random.normal(0, 0.1, (5, 5))
    return [
        gain(
            NAMES[i], (NAMES[j],), method, {p: true[i, j] + random.normal(0, noise) for p in PLACES}
        )
        for method, true in (("logmel", one), ("mfcc", other))
        for i, j in permutations(range(5), 2)
    ]


def test_the_same_relations_reach_the_ceiling() -> None:
    (found,) = agreements(study(1.0, 0.02), draws=199)
    assert (found.axis, found.entries) == ("extraction", 20)
    assert found.rho is not None
    assert found.rho > 0.9
    assert found.p is not None
    assert found.p <= 0.01
    assert found.ceiling is not None
    assert found.across == pytest.approx(found.ceiling, abs=0.05)


def test_other_relations_stay_below_the_ceiling() -> None:
    (found,) = agreements(study(0.0, 0.02), draws=199)
    assert found.ceiling is not None
    assert found.ceiling > 0.85
    assert found.across is not None
    assert found.across < found.ceiling - 0.3
    assert found.p is not None
    assert found.p > 0.05


def test_noise_lowers_the_ceiling_too() -> None:
    quiet, loud = (agreements(study(1.0, noise), draws=19)[0] for noise in (0.02, 0.4))
    assert quiet.ceiling is not None
    assert loud.ceiling is not None
    assert loud.ceiling < 0.6 < quiet.ceiling


def test_correlation_is_scipys() -> None:
    random = np.random.default_rng(0)
    one, other = random.integers(0, 4, (2, 5, 5)).astype(float)
    one[1, 2] = np.nan
    known = np.isfinite(one) & ~np.eye(5, dtype=bool)
    assert spearman(one, other) == pytest.approx(
        stats.spearmanr(one[known], other[known])[0], abs=1e-9
    )
    assert spearman(one, np.zeros((5, 5))) is None
    assert spearman(np.full((5, 5), np.nan), other) is None


def test_the_p_value_by_hand() -> None:
    """All orders of five tasks, with scipy's correlation."""
    random = np.random.default_rng(2)
    one = random.normal(size=(5, 5))
    other = one + random.normal(0, 1, (5, 5))
    off = ~np.eye(5, dtype=bool)
    null = []
    for order in permutations(range(5)):
        changed = other[list(order)][:, list(order)]
        null.append(stats.spearmanr(one[off], changed[off])[0])
    expected = np.mean(np.array(null) >= null[0] - 1e-12)
    assert mantel(one, other, draws=119) == pytest.approx(expected, abs=1e-9)


def test_chance_gives_small_p_values_seldom() -> None:
    random = np.random.default_rng(1)
    ps = []
    for _ in range(40):  # rows that share a level, as a main task's gains do
        one, other = (random.normal(size=(6, 6)) + 2 * random.normal(size=(6, 1)) for _ in range(2))
        ps.append(mantel(one, other, draws=99) or 1.0)
    assert np.mean(np.array(ps) <= 0.1) <= 0.225  # 0.1 expected; binomial 99.5 %


def test_a_third_task() -> None:
    """e adds 0.3 to everyone; beside it the others add what they add alone."""
    true = np.random.default_rng(5).normal(0, 0.1, (5, 5))
    true[:, 4] = 0.3
    gains = [
        gain(NAMES[i], (NAMES[j],), "logmel", dict.fromkeys(PLACES, true[i, j]))
        for i, j in permutations(range(5), 2)
    ] + [
        gain(NAMES[i], (NAMES[j], "e"), "logmel", dict.fromkeys(PLACES, true[i, j] + 0.3))
        for i, j in permutations(range(4), 2)
    ]
    found = matrices(gains, NAMES)
    alone = found[Setting("logmel", "cnn")][0]
    with_e = found[Setting("logmel", "cnn", "e")][0]
    at = list(permutations(range(4), 2))
    assert [with_e[p] for p in at] == pytest.approx([alone[p] for p in at])
    assert [a.axis for a in agreements(gains, draws=19)] == ["third task"] * 5
    (with_e_found,) = [a for a in agreements(gains, draws=19) if a.other.third == "e"]
    assert with_e_found.rho == pytest.approx(1.0)
    assert with_e_found.entries == 12


def test_folds_repeat_where_there_is_one_seed() -> None:
    value = {(f, 0): 0.1 * f for f in range(3)}
    found = matrices([gain("a", ("b",), "logmel", value)], ("a", "b"))
    assert {r: m[0, 1] for r, m in found[Setting("logmel", "cnn")].items()} == pytest.approx(
        {0: 0.0, 1: 0.1, 2: 0.2}
    )
    assert np.isnan(found[Setting("logmel", "cnn")][0][1, 0])

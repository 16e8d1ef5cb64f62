"""What is known of tasks beforehand, against closed forms, scipy and scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import linalg, stats
from torch.nn.functional import cosine_similarity

from raymtl.results.relations.predictors.affinity import Affinity, overlap
from raymtl.results.relations.predictors.curves import logarithm, slopes
from raymtl.results.relations.predictors.gradients import gradient_cosine, lookahead
from raymtl.results.relations.predictors.labels import label_facts
from raymtl.results.relations.predictors.networks import linear_cka, linear_probe
from raymtl.results.relations.predictors.sounds import frechet_distance, spectral_facts


def test_slopes_are_central_differences() -> None:
    x = np.arange(10.0, 1_000.0, 10.0)
    assert slopes(list(x), list(3 * x + 1)) == pytest.approx([3.0] * 5)
    at = [int(len(x) * p) for p in (0.1, 0.2, 0.3, 0.5, 0.7)]
    assert slopes(list(x), list(x**2)) == pytest.approx(list(2 * x[at]))  # exact for a parabola
    assert slopes([1, 2, 3], [5, 4, 2]) == pytest.approx([-1.5] * 5)
    assert slopes([1, 2], [5, 4]) == []


def test_the_logarithm_is_the_one_planted() -> None:
    x = np.arange(1.0, 60.0)
    found = logarithm(list(x), list(2 - 0.3 * np.log(0.5 * x + 2)))
    assert found is not None
    a, b, c, d = found
    assert b == pytest.approx(-0.3, rel=1e-4)
    assert d / c == pytest.approx(4, rel=1e-3)
    assert a + b * np.log(c) == pytest.approx(2 - 0.3 * np.log(0.5), rel=1e-4)
    assert logarithm([1, 2, 3, 4], [1, 2, 3, 4]) is None
    assert logarithm(list(x), [float("nan")] * len(x)) is None


def test_label_facts() -> None:
    found = label_facts([5, 0, 5, 5])
    assert found == {
        "classes": 3, "label entropy": pytest.approx(np.log(3)), "label kurtosis": 0, "imbalance": 1
    }  # fmt: skip
    counts = np.array([90, 5, 3, 2, 1])
    found = label_facts(list(counts))
    shares = counts / counts.sum()
    assert found["label entropy"] == pytest.approx(-(shares * np.log(shares)).sum(), abs=1e-9)
    gaps = counts - counts.mean()
    kurtosis = (gaps**4).mean() / (gaps**2).mean() ** 2 - 3
    assert found["label kurtosis"] == pytest.approx(kurtosis, abs=1e-9)
    assert found["imbalance"] == 90
    assert label_facts([0, 0]) == {}


def test_the_spectrum_of_known_levels() -> None:
    levels = np.full((4, 5), -200.0)
    levels[:, 3] = [-10, -20, -10, -20]
    found = spectral_facts(levels)
    assert found["centroid"] == pytest.approx(3.0, abs=1e-9)
    assert found["level"] == pytest.approx(-15 - 10 * np.log10(5))
    assert found["level spread"] == pytest.approx(5.0)


def test_frechet_distance_by_another_root() -> None:
    random = np.random.default_rng(0)
    one = random.normal(size=(200, 6)) @ random.normal(size=(6, 6))
    other = random.normal(size=(150, 6)) @ random.normal(size=(6, 6)) + 1
    scale = np.concatenate([one, other]).std(axis=0)
    a, b = one / scale, other / scale
    root = linalg.sqrtm(np.cov(a.T) @ np.cov(b.T)).real
    expected = ((a.mean(0) - b.mean(0)) ** 2).sum() + np.trace(np.cov(a.T) + np.cov(b.T) - 2 * root)
    assert frechet_distance(one, other) == pytest.approx(expected)
    assert frechet_distance(other, one) == pytest.approx(expected)
    assert frechet_distance(one, one) == pytest.approx(0, abs=1e-6)
    assert frechet_distance(one * 1000, other * 1000) == pytest.approx(expected)


def test_cka_is_what_its_definition_says() -> None:
    random = np.random.default_rng(1)
    x, y = random.normal(size=(40, 5)), random.normal(size=(40, 8))
    centre = np.eye(40) - 1 / 40
    k, other = centre @ x @ x.T @ centre, centre @ y @ y.T @ centre
    hsic = (k * other).sum() / np.sqrt((k * k).sum() * (other * other).sum())
    assert linear_cka(x, y) == pytest.approx(hsic, abs=1e-9)
    rotation = stats.ortho_group.rvs(5, random_state=0)
    assert linear_cka(x, 3 * x @ rotation + 7) == pytest.approx(1.0)
    assert linear_cka(x, np.ones((40, 3))) is None


def test_a_probe_finds_what_is_there() -> None:
    random = np.random.default_rng(2)
    labels = random.integers(0, 3, 120)
    outputs = random.normal(size=(120, 10))
    nothing = linear_probe(outputs, labels)
    assert nothing is not None
    assert nothing == pytest.approx(1 / 3, abs=0.15)
    outputs[:, :3] += 3 * np.eye(3)[labels]
    found = linear_probe(outputs, labels)
    assert found is not None
    assert found > 0.9
    assert linear_probe(outputs[:4], np.array([0, 0, 0, 1])) is None


def test_lookahead_of_a_parabola() -> None:
    """L_i = |w - a|², L_j = |w - b|²: closed forms, and weights as before."""
    w = torch.tensor([1.0, 2.0], requires_grad=True)
    a, b = torch.tensor([0.0, 0.0]), torch.tensor([0.0, 4.0])
    before = w.detach().clone()
    found = lookahead(lambda: ((w - a) ** 2).sum(), lambda: ((w - b) ** 2).sum(), [w], rate=0.1)
    stepped = before - 0.1 * 2 * (before - b)
    assert found == pytest.approx(1 - float((stepped**2).sum() / (before**2).sum()), rel=1e-5)
    assert torch.equal(w, before)
    itself = lookahead(lambda: ((w - a) ** 2).sum(), lambda: ((w - a) ** 2).sum(), [w], rate=0.1)
    assert itself == pytest.approx(1 - 0.8**2, rel=1e-5)
    cosine = gradient_cosine(lambda: ((w - a) ** 2).sum(), lambda: ((w - b) ** 2).sum(), [w])
    assert cosine == pytest.approx(float(cosine_similarity(before - a, before - b, dim=0)))
    still = gradient_cosine(lambda: (w * 0).sum(), lambda: (w**2).sum(), [w])
    assert still is None


def test_weights_return_when_the_loss_fails() -> None:
    w = torch.ones(2, requires_grad=True)
    calls = []

    def fails() -> torch.Tensor:
        calls.append(0)
        if len(calls) > 1:
            raise RuntimeError("out of memory")
        return (w**2).sum()

    with pytest.raises(RuntimeError, match="out of memory"):
        lookahead(fails, lambda: (w**2).sum(), [w], 0.1)
    assert w.tolist() == [1.0, 1.0]


@pytest.mark.parametrize(
    ("one", "other", "share", "note"),
    [
        ("abcd", "efgh", 0.0, "not interpretable"),
        ("abcd", "defg", 1 / 7, "noisy"),
        ("abcd", "bcef", 2 / 6, "doubtful"),
        ("abcd", "abcd", 1.0, ""),
        ("", "", 0.0, "not interpretable"),
    ],
)
def test_overlap_says_how_far_to_trust(one: str, other: str, share: float, note: str) -> None:
    assert overlap(one, other) == pytest.approx(share)
    assert Affinity("a", "b", 0.5, 0.1, overlap(one, other)).note == note

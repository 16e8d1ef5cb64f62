"""Telling who gains: on published logs, on planted answers, and against scikit-learn by hand."""

from __future__ import annotations

import os
from itertools import permutations
from pathlib import Path

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import brier_score_loss, roc_auc_score
from sklearn.preprocessing import minmax_scale

from raymtl.errors import StudyError
from raymtl.results.relations.evaluation import (
    BASELINES,
    Pairs,
    evaluate,
    leave_main_out,
    leave_task_out,
    permutation_p,
    random_folds,
    tell,
)
from raymtl.results.relations.nodes import moved, rearrangements
from raymtl.results.relations.published import read_logs

LOGS = "RAYMTL_BINGEL_LOGS"


def made(tasks: int, seed: int, kind: str) -> Pairs:
    """Gains that follow the difference of a trait of two tasks, the main task alone, or nothing."""
    random = np.random.default_rng(seed)
    trait = random.permutation(np.linspace(-1, 1, tasks))
    i, j = np.array(list(permutations(range(tasks), 2))).T
    gains = {
        "pair": trait[j] > trait[i],
        "main": trait[i] > 0,
        "nothing": random.random(len(i)) > 0.5,
    }[kind]
    noise = random.normal(0, 0.05, (len(i), 1))
    values = np.hstack([trait[i, None], trait[j, None], noise])
    if kind == "main":  # features that know nothing of the trait
        values = random.normal(size=(tasks, 2))[np.stack([i, j], 1), 0]
    names = tuple("abcdefghijklmnop"[:tasks])
    return Pairs(names, i, j, gains, values, tuple("xyz"[: values.shape[1]]))


def test_a_trait_that_decides_is_found() -> None:
    answer = evaluate(made(7, 1, "pair"), draws=49, repeats=2)
    assert answer.verdict == "better than baseline"
    assert answer.told[0].accuracy > 0.9
    assert answer.p == pytest.approx(1 / 50)
    assert [one.method for one in answer.told] == ["features", *BASELINES]


def test_main_identity_flatters_under_random_folds_only() -> None:
    """What Bingel & Søgaard's protocol lets through: knowing the main task's name."""
    pairs = made(8, 3, "main")
    answer = evaluate(pairs, draws=19, repeats=3)
    assert answer.verdict == "no better than baseline"
    assert "No better than baseline" in answer.sentence
    random = {one.method: one.accuracy for one in answer.random}
    held_out = {one.method: one.accuracy for one in answer.told}
    assert random["main identity"] > 0.95
    assert held_out["main identity"] <= 0.5


def test_nothing_is_seldom_called_something() -> None:
    said = [evaluate(made(5, seed, "nothing"), draws=39, repeats=1).verdict for seed in range(3)]
    assert "better than baseline" not in said


def test_the_task_is_held_out_in_both_roles() -> None:
    pairs = made(5, 0, "pair")
    for learn, test in leave_task_out(pairs):
        (task,) = set(pairs.main[test])
        assert task not in set(pairs.main[learn]) | set(pairs.partner[learn])
        assert len(test) == 4
        assert len(learn) == 12
    for learn, test in leave_main_out(pairs):
        assert set(pairs.main[learn]) & set(pairs.main[test]) == set()
        assert set(pairs.partner[learn]) & set(pairs.main[test])


def test_the_scores_are_scikit_learns() -> None:
    pairs = made(6, 5, "nothing")
    truth, said = [], []
    for task in range(6):
        learn = (pairs.main != task) & (pairs.partner != task)
        test = pairs.main == task
        low, high = pairs.values[learn].min(0), pairs.values[learn].max(0)
        scaled = (pairs.values - low) / (high - low)
        assert scaled[learn] == pytest.approx(minmax_scale(pairs.values[learn]))
        model = LogisticRegression(tol=1e-12, max_iter=10_000).fit(
            scaled[learn], pairs.gains[learn]
        )
        said += list(model.predict_proba(scaled[test])[:, 1])
        truth += list(pairs.gains[test])
    found = tell(pairs, "features", list(leave_task_out(pairs)))
    assert found.auc == pytest.approx(roc_auc_score(truth, said), abs=1e-9)
    assert found.brier == pytest.approx(brier_score_loss(truth, said), abs=1e-7)
    assert found.accuracy == pytest.approx(np.mean((np.array(said) > 0.5) == truth), abs=1e-9)


def test_the_null_of_few_tasks_is_enumerated() -> None:
    """Every other order of four tasks, by hand."""
    pairs = made(4, 2, "pair")
    folds = list(leave_task_out(pairs))
    auc = tell(pairs, "features", folds).auc
    assert auc is not None
    matrix = np.full((4, 4), np.nan)
    matrix[pairs.main, pairs.partner] = pairs.gains
    as_good = 0
    for order in permutations(range(4)):
        gains = np.array([matrix[order[i], order[j]] for i, j in permutations(range(4), 2)])
        changed = Pairs(pairs.names, pairs.main, pairs.partner, gains > 0, pairs.values, ("x",) * 3)
        found = tell(changed, "features", folds).auc
        assert found is not None
        as_good += found >= auc - 1e-12
    assert permutation_p(pairs, folds, auc, draws=23) == pytest.approx(as_good / 24)


def test_rearrangements_move_rows_and_columns_alike() -> None:
    assert sum(1 for _ in rearrangements(4, 23)) == 23
    assert sum(1 for _ in rearrangements(4, 22)) == 22
    matrix = np.arange(9.0).reshape(3, 3)
    np.testing.assert_array_equal(np.diag(moved(matrix, np.array([2, 0, 1]))), [8, 0, 4])


def test_too_little_is_said() -> None:
    pairs = made(3, 0, "pair")
    one = Pairs(pairs.names, pairs.main, pairs.partner, pairs.main < 0, pairs.values, pairs.columns)
    answer = evaluate(one)
    assert answer.verdict == "too little to tell"
    assert answer.sentence.startswith("Too little to tell: 0 of 6 pairs gain, over 3 tasks")
    with pytest.raises(StudyError, match="not finite"):
        Pairs(("a",), pairs.main, pairs.partner, pairs.gains, pairs.values * np.nan, ("x",))


@pytest.mark.skipif(LOGS not in os.environ, reason=f"{LOGS} does not name Bingel & Søgaard's logs")
def test_the_published_table() -> None:
    """40 of 90 pairs gain; the features do little better than the majority; the main task's name
    does best under random folds. Numbers: published, and recomputed with scikit-learn."""
    found = read_logs(Path(os.environ[LOGS]))
    gain = found.gain[np.isfinite(found.gain)]
    assert (len(gain), (gain > 0).sum(), (gain < 0).sum()) == (90, 40, 50)
    assert (gain.min(), gain.max()) == pytest.approx((-10.70, 23.20), abs=0.005)
    assert (gain.mean(), np.median(gain)) == pytest.approx((0.834, -0.242), abs=5e-4)
    top = np.unravel_index(np.nanargmax(found.gain), found.gain.shape)
    assert [found.tasks[at] for at in top] == ["hyperlinks", "semcor"]
    both = list(leave_task_out(found.pairs))
    assert tell(found.pairs, "features", both).accuracy == pytest.approx(0.578, abs=0.02)
    assert tell(found.pairs, "features", both).f1 == pytest.approx(0.486, abs=0.03)
    assert tell(found.pairs, "main identity", both).accuracy == pytest.approx(0.556, abs=0.001)
    assert tell(found.pairs, "both identities", both).accuracy == pytest.approx(0.456, abs=0.012)
    main = list(leave_main_out(found.pairs))
    assert tell(found.pairs, "features", main).accuracy == pytest.approx(0.589, abs=0.02)
    shuffled = random_folds(found.pairs, "main identity", repeats=20)
    assert shuffled.f1 == pytest.approx(0.757, abs=0.03)
    assert shuffled.accuracy == pytest.approx(0.797, abs=0.03)
    assert random_folds(found.pairs, "features", repeats=20).f1 == pytest.approx(0.573, abs=0.05)
    assert evaluate(found.pairs).verdict == "no better than baseline"


def write_logs(folder: Path, tasks: str, best: float) -> None:
    """Logs of the published form."""
    for names in [*tasks, *("_".join(pair) for pair in permutations(tasks, 2))]:
        (folder / names).mkdir()
        step = 100_000 if "_" in names else 50_000
        score = best if "_" in names else 0.5
        lines = [f"Iter {step}, task {t}, loss 1.0, acc 0.5, f1 {score}, p 0.5, r 0.5"
                 for t in names.split("_")]  # fmt: skip
        (folder / names / "loss_dv.log").write_text("\n".join(lines))
        rows = [(x, 2 - 0.3 * np.log(x + 5)) for x in range(10, 3_000, 10)]
        curve = [f"Iter {x}, task {names}, loss {loss}" for x, loss in rows]
        (folder / names / "loss_tr.log").write_text("\n".join(curve))


def test_logs_are_read(tmp_path: Path) -> None:
    write_logs(tmp_path, "abc", 0.55)
    found = read_logs(tmp_path)
    np.testing.assert_allclose(found.gain[~np.eye(3, dtype=bool)], 10.0)
    assert found.pairs.values.shape == (6, 21)
    x = 10 * (1 + int(299 * 0.3))  # the derivative of the logarithm at 30 %
    assert found.pairs.values[0, 2] == pytest.approx(-0.3 / (x + 5), rel=1e-3)
    (tmp_path / "a_b" / "loss_dv.log").unlink()
    with pytest.raises(StudyError, match=r"a_b.*loss_dv.log: cannot be read"):
        read_logs(tmp_path)
    with pytest.raises(StudyError, match="0 folders of single tasks, at least 3"):
        read_logs(tmp_path / "a")

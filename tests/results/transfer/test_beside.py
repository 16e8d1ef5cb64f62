"""Gains over several methods together: what becomes a pair, and how it is judged."""

from __future__ import annotations

from pathlib import Path

import pytest

from raymtl.results.state import SweepState, read_sweep
from raymtl.results.transfer.answers import pooled_table, transfer_table
from raymtl.results.transfer.beside import over_methods
from raymtl.results.transfer.gains import Gain, How, Pair, What
from tests.results.synthetic import TASKS, add_run, cells, outcome, write_plan

NAMES = ("fsdd.digit", "ravdess.emotion")
WHAT = What("a", "a", "uar", None)


def gain(model: str, **places: float) -> Gain:
    """Of ``f0s1=0.2``: fold 0, seed 1, a gain of 0.2 over 0.5."""
    pairs = [
        Pair(int(at[1]), int(at[3]), f"{model}-{at}", f"alone-{model}-{at}", 0.5 + more, 0.5)
        for at, more in places.items()
    ]
    return Gain(WHAT, How(("b",), "", "e", model), tuple(pairs))


def test_methods_are_averaged_where_all_have_both_runs() -> None:
    found = [gain("m", f0s0=0.1, f0s1=0.2, f1s0=0.3), gain("n", f0s0=0.3, f1s0=0.1, f1s1=0.9)]
    (pooled,) = over_methods(found)
    assert pooled.how == How(("b",), "", "", "")
    assert [(p.fold, p.seed) for p in pooled.pairs] == [(0, 0), (1, 0)]
    assert pooled.differences == pytest.approx([0.2, 0.2])


@pytest.mark.parametrize("fixed", [True, False])
def test_on_one_test_set_every_pair_of_runs_stays(fixed: bool) -> None:
    """A mean over methods is no run's score, and has no predictions to resample."""
    found = [gain("m", f0s0=0.1, f1s0=0.2), gain("n", f0s0=0.3, f1s1=0.4)]
    (pooled,) = over_methods(found, ["a"] if fixed else [])
    runs = [pair.run for pair in pooled.pairs]
    assert runs == (["m-f0s0", "m-f1s0", "n-f0s0", "n-f1s1"] if fixed else ["m-f0s0", "n-f0s0"])


def sweep(folder: Path) -> SweepState:
    """Two networks, two folds; the digits' official test part is the same in both."""
    folds = {NAMES[0]: [{"tested": "a"}] * 2, NAMES[1]: [{"tested": "a"}, {"tested": "b"}]}
    planned = cells(["LogMel()"], ["Dnn()", "Cnn()"], NAMES)[:6]
    plan = {"sources": {name: {"folds": of} for name, of in folds.items()}}
    for run, cell, fold, seed in write_plan(folder, planned, 2, 1, **plan):
        names = cell["combination"]
        better = 1.0 if len(names) > 1 else 0.0
        found = [
            outcome({n: TASKS[n]}, seed=fold + 7 * (cell["model"] == "Cnn()"), epochs=3, clips=200,
                    truth=0 if n == NAMES[0] else fold, skill=1.5 + better)
            for n in names
        ]  # fmt: skip
        for other in found[1:]:
            found[0].scores.update(other.scores)
            found[0].predictions.update(other.predictions)
        add_run(folder, run, cell, fold, seed, found[0], [TASKS[n] for n in names])
    return read_sweep(folder)


def test_a_fixed_test_set_is_resampled_over_all_methods_too(tmp_path: Path) -> None:
    state = sweep(tmp_path)
    rows = {row["source"]: row for row in pooled_table(state).to_pylist()}
    digit, emotion = (rows[name] for name in NAMES)
    assert (digit["method"], digit["n"], digit["verdict"]) == ("cluster bootstrap", 4, "helps")
    assert (emotion["method"], emotion["n"]) == ("corrected t", 2)
    each = [row["gain"] for row in transfer_table(state).to_pylist() if row["source"] == NAMES[0]]
    assert digit["gain"] == pytest.approx(sum(each) / 2)

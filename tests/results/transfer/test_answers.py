"""The table of transfer on made-up sweeps with known answers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from io import StringIO
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from rich.console import Console
from scipy import stats
from sklearn.metrics import f1_score

from raymtl.results.report import write_report
from raymtl.results.state import SweepState, read_sweep
from raymtl.results.terminal import verdict_table
from raymtl.results.transfer.answers import Rules, delta_table, transfer_table
from raymtl.results.transfer.gains import gains
from raymtl.results.transfer.inference import clip_draws, corrected_t, holm, over_seeds
from tests.results.synthetic import TASKS, add_run, cells, outcome, write_plan

NAMES = ("fsdd.digit", "ravdess.emotion")
Skill = Callable[[str, tuple[str, ...]], float]


def sweep(folder: Path, skill: Skill, folds: int, seeds: int, control: str = "") -> SweepState:
    """Digit and emotion alone and together; `skill` says how well a source does in a set."""
    planned = cells(["LogMel()"], ["SharedDnn()"], NAMES)[:-1]
    if control:
        together = planned[-1]
        planned.append({**together, "name": together["name"] + "-c", "control": control})
    for run, cell, fold, seed in write_plan(folder, planned, folds, seeds):
        chosen = {name: TASKS[name] for name in cell["combination"]}
        found = {
            name: outcome({name: task}, seed=1000 * fold + seed, truth=fold, epochs=3, clips=200,
                          skill=skill(name, tuple(cell["combination"])))
            for name, task in chosen.items()
        }  # fmt: skip
        first = found[cell["combination"][0]]
        for other in found.values():
            first.scores.update(other.scores)
            first.predictions.update(other.predictions)
        add_run(folder, run, cell, fold, seed, first, list(chosen.values()))
    return read_sweep(folder)


def helps_digit(name: str, together: tuple[str, ...]) -> float:
    return 2.5 if name == "fsdd.digit" and len(together) > 1 else 1.5


def test_a_planted_gain_is_found_and_no_other(tmp_path: Path) -> None:
    rows = transfer_table(sweep(tmp_path, helps_digit, 5, 3)).to_pylist()
    said = {(row["source"], row["partners"]): row for row in rows}
    assert said["fsdd.digit", "ravdess.emotion"]["verdict"] == "helps"
    assert said["ravdess.emotion", "fsdd.digit"]["verdict"] == "equivalent"  # the same numbers
    assert {row["method"] for row in rows} == {"corrected t"}
    assert {(row["n"], row["folds"]) for row in rows} == {(15, 5)}


def test_the_numbers_are_those_of_the_runs(tmp_path: Path) -> None:
    """Against the records, one by one, and the formula as `corrected_t` is tested to be."""
    state = sweep(tmp_path, helps_digit, 4, 2)
    row = transfer_table(state).to_pylist()[0]
    scores = {
        (r["fold"], r["seed"], "+" in r["combination"]): r["value"]
        for r in state.results.to_pylist()
        if (r["source"], r["metric"], r["part"]) == ("fsdd.digit", "uar", "test")
        and r["label"] is None
    }
    d = [scores[f, s, True] - scores[f, s, False] for f, s in product(range(4), range(2))]
    assert row["gain"] == pytest.approx(np.mean(d))
    found = corrected_t(d, 60 / 200)
    assert (row["low"], row["high"], row["p"]) == pytest.approx((found.low, found.high, found.p))
    base = np.mean([scores[f, s, False] for f, s in product(range(4), range(2))])
    assert row["relative"] == pytest.approx(np.mean(d) / base)
    assert row["p_holm"] == pytest.approx(holm([found.p or 0, 1.0])[0])


def test_one_fixed_test_set_is_resampled_by_group(tmp_path: Path) -> None:
    state = sweep(tmp_path, helps_digit, 1, 3)
    row = transfer_table(state).to_pylist()[0]
    assert row["method"] == "cluster bootstrap"
    assert row["verdict"] == "helps"
    clips = [(name, f"{name}/{i:03}", f"g{i // 40}") for name in NAMES for i in range(200)]
    columns = dict(
        zip(("source", "id", "component"), map(list, zip(*clips, strict=True)), strict=True)
    )
    pq.write_table(pa.table(columns), tmp_path / "clips.parquet")
    grouped = transfer_table(read_sweep(tmp_path)).to_pylist()[0]
    assert grouped["gain"] == pytest.approx(row["gain"])
    assert (grouped["low"], grouped["high"]) != (row["low"], row["high"])


def test_one_seed_is_no_claim(tmp_path: Path) -> None:
    """What another seed would give is not told by resampling clips, however large the gain."""
    row = transfer_table(sweep(tmp_path, helps_digit, 1, 1)).to_pylist()[0]
    assert row["low"] > 0
    assert (row["p"], row["p_holm"], row["verdict"]) == (None, None, "inconclusive")
    assert row["method"] == "cluster bootstrap, one seed: no claim"
    page = write_report(tmp_path).read_text()
    assert row["method"] in page
    assert "<p>One seed makes no claim, however large the difference" in page
    assert "over all methods together" not in page  # there is one


def test_draws_that_all_agree_tell_nothing_of_spread(tmp_path: Path) -> None:
    """Labels are all told together and none alone, whichever clips are drawn."""
    state = sweep(tmp_path, lambda _, together: 99.0 * (-1) ** len(together), 1, 2)
    rows = {row["source"]: row for row in transfer_table(state).to_pylist()}
    digit = rows["fsdd.digit"]
    assert digit["gain"] == pytest.approx(1.0)
    assert (digit["low"], digit["high"], digit["p"]) == (None, None, None)
    assert (digit["method"], digit["verdict"]) == (
        "no interval: the differences do not tell their spread",
        "inconclusive",
    )


def test_without_predictions_there_is_no_verdict(tmp_path: Path) -> None:
    state = sweep(tmp_path, helps_digit, 1, 2)
    for path in tmp_path.glob("runs/*/predictions.parquet"):
        path.unlink()
    rows = transfer_table(state).to_pylist()
    assert {row["verdict"] for row in rows} == {"inconclusive"}
    assert {row["method"] for row in rows} == {"no interval: predictions are missing"}
    said = "<p>The inconclusive comparisons have no interval: predictions are missing.</p>"
    assert said in write_report(tmp_path).read_text()


def test_a_control_is_a_family_of_its_own(tmp_path: Path) -> None:
    rows = transfer_table(sweep(tmp_path, helps_digit, 3, 2, "shuffled")).to_pylist()
    found = {(row["source"], row["control"]): row for row in rows}
    assert found["fsdd.digit", "shuffled"]["gain"] == found["fsdd.digit", ""]["gain"]
    assert found["fsdd.digit", ""]["p_holm"] == pytest.approx(2 * found["fsdd.digit", ""]["p"])


def test_labels_are_screened(tmp_path: Path) -> None:
    rows = transfer_table(sweep(tmp_path, helps_digit, 5, 3), labels=True).to_pylist()
    digits = [row for row in rows if row["source"] == "fsdd.digit"]
    assert {row["label"] for row in digits} == set("0123456789")
    assert {row["metric"] for row in digits} == {"f1"}
    assert sum(row["verdict"] == "helps" for row in digits) >= 8
    plain = stats.false_discovery_control([row["p"] for row in rows])
    assert [row["q"] for row in rows] == pytest.approx(list(plain))


def test_labels_of_one_test_set_are_resampled(tmp_path: Path) -> None:
    """Intervals of the labels' own F1, against clips drawn and counted one draw after another."""
    state = sweep(tmp_path, helps_digit, 1, 3)
    rows = transfer_table(state, Rules(draws=100), labels=True).to_pylist()
    assert {(row["source"], row["method"], row["verdict"]) for row in rows} == {
        ("fsdd.digit", "cluster bootstrap", "helps"),
        (
            "ravdess.emotion",
            "no interval: the differences do not tell their spread",
            "inconclusive",
        ),
    }  # emotion is decided alike in all three seeds
    row = next(row for row in rows if row["label"] == "7")
    (gain,) = [g for g in gains(state.results, {}, labels=True) if g.what.label == "7"]
    found = np.array([_f1(tmp_path, p.run) - _f1(tmp_path, p.base_run) for p in gain.pairs])
    assert row["gain"] == pytest.approx(found[:, 0].mean(), abs=1e-6)
    expected = over_seeds(found, 200)
    assert (row["low"], row["high"], row["p"]) == pytest.approx(
        (expected.low, expected.high, expected.p), abs=1e-9
    )


def _f1(folder: Path, run: str) -> np.ndarray:
    """F1 of the digit 7 on the whole test set and each draw, with clips written out."""
    table = pq.read_table(folder / "runs" / run / "predictions.parquet")
    rows = [r for r in table.to_pylist() if r["task"] == "digit" and r["truth"] is not None]
    rows.sort(key=lambda r: r["id"])
    truth, said = (np.array([r[key] == ["7"] for r in rows]) for key in ("truth", "decision"))
    draws = clip_draws(tuple(r["id"] for r in rows), 100, 0)
    each = (np.repeat(np.arange(len(rows)), w.astype(int)) for w in draws.weights)
    return np.array([f1_score(truth[i], said[i]) for i in each])


def test_clips_left_out_for_a_partner_are_said(tmp_path: Path) -> None:
    """As ``leaks='drop'`` leaves them out beside a partner and not alone."""
    state = sweep(tmp_path, helps_digit, 3, 1)
    for run, found in state.records.items():
        if "__" in run:
            found.content["sources"]["fsdd.digit"]["train"] -= 23  # of 200, beside 30 to validate
    rows = transfer_table(state).to_pylist()
    clips = {row["source"]: row["clips"] for row in rows}
    assert clips == {"fsdd.digit": pytest.approx(0.9), "ravdess.emotion": 1}
    console = Console(width=80, record=True, file=StringIO())
    console.print(verdict_table(rows))
    said = console.export_text()
    assert "1 with fewer training clips of the source than alone" in said
    assert "Equivalent: within ± 0.5 points." in said


def test_delta_is_the_mean_over_tasks(tmp_path: Path) -> None:
    state = sweep(tmp_path, helps_digit, 3, 1)
    (row,) = delta_table(state)
    relative: dict[Any, list[float]] = {}
    for gain in gains(state.results, {"digit": "uar", "emotion": "uar"}):
        for pair in gain.pairs:
            relative.setdefault(pair.fold, []).append((pair.score - pair.base) / pair.base)
    expected = 100 * np.mean([np.mean(values) for values in relative.values()])
    assert (row["delta"], row["tasks"], row["n"]) == (pytest.approx(expected), 2, 3)


def test_delta_is_not_of_some_tasks_only(tmp_path: Path) -> None:
    """Digits have no run alone yet, so nothing is said of both tasks together."""
    state = sweep(tmp_path, helps_digit, 3, 1)
    for run in state.records:
        if "__" not in run and "digit" in run:
            (tmp_path / "runs" / run / "record.json").unlink()
    state = read_sweep(tmp_path)
    assert [row["source"] for row in transfer_table(state).to_pylist()] == ["ravdess.emotion"]
    assert delta_table(state) == []


def test_an_unfinished_sweep_pairs_what_is_there(tmp_path: Path) -> None:
    state = sweep(tmp_path, helps_digit, 3, 1)
    gone = next(run for run in state.records if "__" not in run and "digit" in run)
    for path in (tmp_path / "runs" / gone).rglob("*.json"):
        path.unlink()
    rows = transfer_table(read_sweep(tmp_path), Rules(rope=0.0)).to_pylist()
    assert {row["source"]: row["n"] for row in rows} == {"fsdd.digit": 2, "ravdess.emotion": 3}


def test_folds_that_repeat_one_test_set_are_no_cross_validation(tmp_path: Path) -> None:
    """An official split beside a cross-validated source: its folds differ as seeds do."""
    state = sweep(tmp_path, helps_digit, 5, 1)
    folds = [{"tested": "a"}] * 5, [{"tested": name} for name in "abcde"]
    plan = {"sources": dict(zip(NAMES, ({"folds": f} for f in folds), strict=True))}
    said = {
        row["source"]: row["method"]
        for row in transfer_table(replace(state, plan={**state.plan, **plan})).to_pylist()
    }
    assert said["ravdess.emotion"] == "corrected t"
    assert said["fsdd.digit"] == "no interval: the runs did not score the same clips"

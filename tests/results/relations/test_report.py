"""The whole on made-up sweeps: finished, unfinished and empty; as data and in 80 columns."""

from __future__ import annotations

import io
import json
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner
from rich.console import Console
from scipy import stats

from raymtl.cli import main
from raymtl.commands.relate import show_relations
from raymtl.results.relations.choices import Measured, choices, measured
from raymtl.results.relations.grouping import all_groups
from raymtl.results.relations.pairing import pair_gains, pairs_of
from raymtl.results.relations.probes import Probed
from raymtl.results.relations.report import relations_report
from raymtl.results.relations.tasks import SourceFacts, source_facts
from raymtl.results.state import SweepState, read_sweep
from raymtl.results.transfer.gains import Gain, How, Pair, What, gains
from raymtl.tasks import OneOf
from tests.results.synthetic import add_run, cells, outcome, write_plan

TASKS = {name: OneOf(name, tuple("012345"[: 3 + at])) for at, name in enumerate("abcd")}
Skill = Callable[[str, tuple[str, ...]], float]


def helped_by_a(name: str, together: tuple[str, ...]) -> float:
    return 1.2 + 0.8 * (name != "a" and "a" in together) - 0.3 * (len(together) == 4)


def sweep(folder: Path, skill: Skill = helped_by_a, seeds: int = 2, models: int = 2) -> SweepState:
    planned = cells(["LogMel()"], ["SharedDnn()", "SharedCnn()"][:models], tuple(TASKS))
    for run, cell, fold, seed in write_plan(folder, planned, 1, seeds):
        names = tuple(cell["combination"])
        found = None
        for name in names:
            one = outcome({name: TASKS[name]}, seed=10 * seed + fold, truth=fold, epochs=8,
                          clips=150, skill=skill(name, names))  # fmt: skip
            if found is None:
                found = one
            found.scores.update(one.scores)
            found.predictions.update(one.predictions)
            found.history.extend(one.history if one is not found else [])
        assert found is not None
        add_run(folder, run, cell, fold, seed, found, [TASKS[name] for name in names])
    return read_sweep(folder)


@pytest.fixture(scope="module")
def two_models(tmp_path_factory: pytest.TempPathFactory) -> SweepState:
    """Read, not changed."""
    return sweep(tmp_path_factory.mktemp("two-models"))


@pytest.fixture(scope="module")
def one_model(tmp_path_factory: pytest.TempPathFactory) -> SweepState:
    return sweep(tmp_path_factory.mktemp("one-model"), models=1)


def test_a_sweep_is_told_in_plain_data(two_models: SweepState) -> None:
    state = two_models
    found = relations_report(state, draws=23)
    json.dumps(found)  # plain, and without NaN
    assert "NaN" not in json.dumps(found)
    assert found["missing"] == [
        "56 measures of features and networks are not made yet: raymtl relate makes them."
    ]
    gain = {(row["main"], row["partner"]): row["gain"] for row in found["gains"]}
    assert len(gain) == 12
    assert min(gain[name, "a"] for name in "bcd") > 0.05
    best = found["grouping"]["measured"]
    assert [(row["budget"], row["most"]) for row in best] == [(1, 1), (2, 2), (3, None)]
    assert best[0]["groups"] == [["a", "b", "c", "d"]]
    assert all("a" in group for group in best[2]["groups"])
    assert best[2]["gain"] > best[0]["gain"]
    assert {row["axis"] for row in found["consistency"]} == {"model"}
    assert all(row["ceiling"] is not None for row in found["consistency"])
    assert {row["task"] for row in found["variance"]} == set("abcd")
    assert found["predictors"]["answer"]["pairs"] == 12
    assert found["predictors"]["families"]


def test_facts_are_those_of_the_runs_alone(one_model: SweepState) -> None:
    state = one_model
    facts = source_facts(state)
    assert {name: facts[name]["classes"] for name in "abcd"} == {"a": 3, "b": 4, "c": 5, "d": 6}
    scores = [r["value"] for r in state.results.to_pylist() if (r["combination"], r["metric"],
              r["part"], r["label"]) == ("b", "uar", "test", None)]  # fmt: skip
    assert facts["b"]["score alone"] == pytest.approx(np.mean(scores))
    assert facts["a"]["training clips"] == 200
    assert facts["a"]["slope at 50%"] == pytest.approx((2 / 6 - 2 / 4) / 2)  # the loss is 2 / epoch
    pairs, numbers = pairs_of(pair_gains(gains(state.results, dict.fromkeys("abcd", "uar"))), facts)
    at = pairs.columns.index("ratio classes")
    assert pairs.values[:, at] == pytest.approx(
        [(3 + i) / (3 + j) for i, j in zip(pairs.main, pairs.partner, strict=True)]
    )
    assert (numbers > 0).tolist() == pairs.gains.tolist()


def test_a_report_needs_neither_torch_nor_scikit_learn() -> None:
    """They take seconds to load."""
    code = "import sys, raymtl.results.report; print(sorted({'sklearn', 'torch'} & {*sys.modules}))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_each_run_alone_is_read_once(
    two_models: SweepState, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: Counter[str] = Counter()
    table = pq.read_table

    def counted(path: Path, **more: object) -> pa.Table:
        read[f"{path.parent.name} {path.name}"] += 1
        return table(path, **more)

    monkeypatch.setattr(pq, "read_table", counted)
    facts = SourceFacts(two_models)
    methods = [("LogMel()", "SharedDnn()"), ("LogMel()", "SharedCnn()")]
    found = [facts.of(method) for method in (None, *methods, *methods)]
    assert set(read.values()) == {1}
    assert found[1] == source_facts(two_models, methods[0]) == found[3]
    both = [one["a"]["score alone"] for one in found[:3]]
    assert both[0] == pytest.approx(np.mean(both[1:]))


def test_more_that_is_known_enters(one_model: SweepState) -> None:
    state = one_model
    known = pair_gains(gains(state.results, dict.fromkeys("abcd", "uar")))
    probed = Probed(
        {name: {"level": -float(at)} for at, name in enumerate("abcd")},
        {"distance": {pair: gain**3 for pair, gain in known.items()}},
        missing=["No weights."],
    )
    found = relations_report(state, [probed], draws=23)
    (row,) = [r for r in found["predictors"]["columns"] if r["column"] == "distance"]
    assert row["rho"] == pytest.approx(1.0)  # a monotone function of the gain
    assert "No weights." in found["missing"]
    assert {"sounds"} < {row["family"] for row in found["predictors"]["families"]}


def test_measures_of_all_methods_are_screened_together(two_models: SweepState) -> None:
    """q of each over all that one table shows, not over those of its own method."""
    known = pair_gains(gains(two_models.results, dict.fromkeys("abcd", "uar")))
    like_gains, unlike = dict(known), {pair: float(at) for at, pair in enumerate(sorted(known))}
    probed = [
        Probed(between={"distance": of}, method=("LogMel()", model))
        for model, of in (("SharedDnn()", like_gains), ("SharedCnn()", unlike))
    ]
    rows = relations_report(two_models, probed, draws=23)["predictors"]["measures"]
    assert {row["model"] for row in rows} == {"SharedDnn()", "SharedCnn()"}
    q = stats.false_discovery_control([row["p"] for row in rows])
    assert [row["q"] for row in rows] == pytest.approx(q.tolist())
    assert len({row["p"] for row in rows}) > 1  # else any family would give the same


def test_paired_gains_make_the_scores_of_groups() -> None:
    def gain(main: str, partners: tuple[str, ...], fold: int, base: float, more: float) -> Gain:
        pair = Pair(fold, 0, "r", "b", base + more, base)
        return Gain(What(main, main, "uar", None), How(partners, "", "e", "m"), (pair,))

    found = measured([gain("a", ("b",), 0, 0.4, 0.1), gain("a", ("c",), 1, 0.8, -0.1)])
    assert found.scores["a",]["a"] == pytest.approx(0.6)
    assert found.scores["a", "b"]["a"] == pytest.approx(0.7)
    assert found.scores["a", "c"]["a"] == pytest.approx(0.5)
    assert choices(found, [1])["measured"][0]["groups"] == [["a", "b"]]


def test_tasks_without_a_pair_are_named() -> None:
    """a, b, c in pairs; d with a alone; two tasks of c are scored both."""
    owner = {**{name: name for name in "abd"}, "c: one": "c", "c: two": "c"}
    groups = [*all_groups("abcd", [1]), ("a", "b"), ("a", "c"), ("b", "c"), ("a", "d")]
    scores = {
        group: {task: 0.5 + 0.1 * (len(group) > 1) for task, own in owner.items() if own in group}
        for group in groups
    }
    found = choices(Measured(scores, owner), sources="abcde")
    lost = "Left out: e, for want of runs with partners beside runs alone."
    pair = "Left out: d, which was not trained in a pair with b and c."
    few = "More than 1 of these groups are needed to hold all tasks."
    assert found["notes"] == {"measured": [lost, few], "from pairs": [lost, pair],
                              "surrogate": [lost, few]}  # fmt: skip
    (row,) = found["from pairs"]
    assert (row["budget"], row["most"], row["groups"]) == (1, None, [["a", "b", "c"]])
    assert row["best"].keys() == {"a", "b", "c: one", "c: two"}
    assert row["gain"] == pytest.approx(0.1)


def test_many_sources_are_not_too_many() -> None:
    names = [f"{at:02d}" for at in range(16)]
    groups = all_groups(names, [1, 2])
    known = Measured(
        {g: dict.fromkeys(g, 0.5) for g in groups}, dict(zip(names, names, strict=True))
    )
    found = choices(known, [1])
    assert found["from pairs"][0]["groups"] == [names]
    assert found["notes"]["from pairs"] == [
        "Of groups of more than 3, only that of all is estimated."
    ]


def test_an_unfinished_sweep_says_what_is_missing(tmp_path: Path) -> None:
    state = sweep(tmp_path, seeds=1, models=1)
    gone = [run for run in state.records if "__" in run and "d" in run.split("--")[0]]
    for run in gone:
        (tmp_path / "runs" / run / "record.json").unlink()
    found = relations_report(read_sweep(tmp_path), draws=9)
    said = " ".join(found["missing"])
    assert "of 11 runs have no record yet" in said
    assert "6 ordered pairs of sources have no gain" in said
    assert "One setting only" in found["reasons"]["consistency"]
    lost = ["Left out: d, for want of runs with partners beside runs alone."]
    assert found["grouping"]["notes"]["measured"][:1] == lost
    assert found["grouping"]["notes"]["from pairs"] == lost
    assert {name for row in found["grouping"]["from pairs"] for name in row["best"]} == set("abc")
    assert found["grouping"]["measured"][0]["groups"]
    assert found["predictors"]["answer"]["verdict"]


def test_nothing_yet(tmp_path: Path) -> None:
    write_plan(tmp_path, cells(["LogMel()"], ["SharedDnn()"], tuple(TASKS)))
    found = relations_report(read_sweep(tmp_path))
    assert found["grouping"] == {}
    assert found["predictors"]["answer"]["verdict"] == "too little to tell"
    assert "No pair of sources was trained" in found["reasons"]["gains"]


def test_the_command_fits_80_columns(two_models: SweepState, tmp_path: Path) -> None:
    shutil.copytree(two_models.sweep, tmp_path, dirs_exist_ok=True)
    sink = io.StringIO()
    show_relations(tmp_path, None, Console(file=sink, width=80))
    text = sink.getvalue()
    assert max(map(len, text.splitlines())) <= 80
    for part in ("Networks to train, by scores", "3 and more", "held out in both roles",
                 "main identity",
                 "Are relations the same?", "What explains the spread"):  # fmt: skip
        assert part in text
    done = CliRunner().invoke(main, ["relate", str(tmp_path), "--budget", "2"])
    assert done.exit_code == 0, done.output
    (tmp_path / "no").mkdir()
    assert CliRunner().invoke(main, ["relate", str(tmp_path / "no")]).exit_code == 2
    assert CliRunner().invoke(main, ["relate"]).exit_code == 2

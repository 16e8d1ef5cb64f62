"""Measures of real runs: trained once on a miniature, in this process."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from rich.console import Console

from raymtl.cli import main
from raymtl.commands.relate import INTERRUPTED, show_relations
from raymtl.errors import PreflightError
from raymtl.experiment import combinations
from raymtl.kept import Keep, spelt
from raymtl.models.dnn import SharedDnn
from raymtl.plan import Plan
from raymtl.probing import make, missing
from raymtl.results.relations.probes import FILE, GRADIENTS, kept, probed, probes
from raymtl.results.relations.report import relations_report
from raymtl.results.state import read_sweep
from tests.corpora import DIGITS, plan_of
from tests.inprocess import sweep

MODELS = [DIGITS.models[0], SharedDnn(width=4, depth=1)]


@pytest.fixture(scope="module")
def plan(corpora: Path, tmp_path_factory: pytest.TempPathFactory) -> Plan:
    study = replace(DIGITS, combinations=combinations(1, "all"), models=MODELS)
    plan = plan_of(study, corpora, tmp_path_factory.mktemp("probed"))
    assert {entry.status for entry in sweep(plan)} == {"done"}
    return plan


def test_two_tasks_of_one_corpus_under_each_network(plan: Plan) -> None:
    """The same recordings: no distance, whole overlap, and numbers between their bounds."""
    state = read_sweep(plan.sweep)
    made = make(probes(state), plan.sweep, plan.store)
    assert made.failed == {}
    both = probed(probes(state), made.measures)
    assert [one.method for one in both] == sorted((e, m) for e, m in {o.method for o in both})
    assert len(both) == 2
    pair = ("fsdd.digit", "fsdd.speaker")
    for one in both:
        assert one.facts.keys() == set(pair)
        assert one.facts[pair[0]]["duration"] == pytest.approx(0.3, abs=0.2)  # of the miniature
        assert one.between["distance"][pair] == pytest.approx(0, abs=1e-6)
        assert 0 <= one.between["representations alike"][pair] <= 1 + 1e-9
        assert [(row["overlap"], row["note"]) for row in one.affinities] == [(1.0, "")] * 2
        assert all(-1 <= row["cosine"] <= 1 and row["lookahead"] < 1 for row in one.affinities)
    alike = [one.between["representations alike"][pair] for one in both]
    assert alike[0] != pytest.approx(alike[1])  # other networks, other numbers
    report = relations_report(state, both, draws=1)
    assert len(report["affinities"]) == 4
    assert len({(row["extraction"], row["model"]) for row in report["affinities"]}) == 2
    assert len(report["predictors"]["settings"]) == 2


def test_what_is_kept_is_not_made_again(plan: Plan, tmp_path: Path) -> None:
    state, wanted = read_sweep(plan.sweep), probes(read_sweep(plan.sweep))
    first = make(wanted, plan.sweep, plan.store).measures
    assert missing(wanted, kept(plan.sweep)) == []
    (plan.sweep / FILE).touch()
    again = make(wanted, plan.sweep, tmp_path)  # a store without features: nothing is opened
    assert again.measures == first
    assert again.failed == {}
    text = (plan.sweep / FILE).read_text()
    (plan.sweep / FILE).write_text(text.replace("0.", "1.", 1))  # damaged: not trusted
    assert kept(plan.sweep) == {}
    assert make(wanted, plan.sweep, plan.store).measures == first
    assert relations_report(state, draws=1)["affinities"] != []  # the page takes what is kept


def test_the_measures_of_an_interrupted_command_are_kept(
    plan: Plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = probes(read_sweep(plan.sweep))
    (plan.sweep / FILE).unlink(missing_ok=True)
    count = 0

    def interrupt() -> None:
        nonlocal count
        count += 1
        if count == 3:
            raise KeyboardInterrupt("here")

    with pytest.raises(KeyboardInterrupt, match="here"):
        make(wanted, plan.sweep, plan.store, done=interrupt)
    assert len(kept(plan.sweep)) == 3
    sink = io.StringIO()
    monkeypatch.setattr("raymtl.commands.relate.make", _interrupted)
    console = Console(file=sink, width=80)
    assert show_relations(plan.sweep, None, console) == INTERRUPTED
    assert "Interrupted. Measures that were made are kept" in sink.getvalue()


def _interrupted(*_: object) -> None:
    raise KeyboardInterrupt("here")


def test_only_some_networks(plan: Plan, tmp_path: Path) -> None:
    (plan.sweep / FILE).unlink(missing_ok=True)
    output = tmp_path / "found.json"
    found = CliRunner().invoke(
        main, ["relate", str(plan.sweep), "--only", "shareddnn-width4", "-o", str(output)]
    )
    assert found.exit_code == 0, found.output
    assert max(map(len, found.output.splitlines())) <= 80
    assert "extractions with a network: 1" in " ".join(found.output.split())
    assert "Gradients in trained networks of two" in found.output
    rows = json.loads(output.read_text())["affinities"]
    assert {"width=4" in row["model"] for row in rows} == {True}
    with pytest.raises(PreflightError, match="matches no cell"):
        show_relations(plan.sweep, None, Console(file=io.StringIO()), only="nothing")


def test_without_features_it_is_said(plan: Plan, tmp_path: Path) -> None:
    state = read_sweep(plan.sweep)
    (plan.sweep / FILE).unlink(missing_ok=True)
    made = make(probes(state), plan.sweep, tmp_path)
    assert made.measures == {}
    assert any("no complete feature set" in said for said in made.failed.values())
    found = relations_report(state, probed(probes(state), {}, made.failed), draws=1)
    assert len([said for said in found["missing"] if "feature set" in said]) <= 5


def test_nothing_trained(tmp_path: Path) -> None:
    state = read_sweep(tmp_path)
    assert probes(state) == []
    assert relations_report(state)["reasons"]["affinities"] == "No source has a run alone."


def test_gradients_are_of_pairs_that_were_trained(plan: Plan) -> None:
    found = [p for p in probes(read_sweep(plan.sweep)) if p.kind == GRADIENTS]
    assert [p.sources for p in found] == [("fsdd.digit", "fsdd.speaker")] * 2


def test_gradients_are_averaged_over_the_epochs_kept(corpora: Path, tmp_path: Path) -> None:
    """The mean of what each epoch gives, looked at alone."""
    study = replace(DIGITS, combinations=combinations(1, "all"), models=MODELS[:1])
    plan = plan_of(study, corpora, tmp_path)
    sweep(plan, keep=Keep(every=1))
    (probe,) = [p for p in probes(read_sweep(plan.sweep)) if p.kind == GRADIENTS]
    assert len(probe.epochs) > 1
    each = [probe._replace(epochs=(epoch,)) for epoch in probe.epochs]
    made = make([probe, *each], plan.sweep, plan.store)
    assert made.failed == {}
    whole, *single = [made.measures[p.key]["rows"] for p in (probe, *each)]
    assert whole[0]["epochs"] == spelt(list(probe.epochs))
    for at, row in enumerate(whole):
        for name in ("cosine", "lookahead"):
            assert row[name] == pytest.approx(np.mean([rows[at][name] for rows in single]))
    best = make([probe._replace(epochs=())], plan.sweep, plan.store)
    assert "best" in {row["epochs"] for of in best.measures.values() for row in of.get("rows", ())}

"""`raymtl evaluate`: the run's own test clips give its own scores; others are matched by name."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pyarrow.csv as csv
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner
from sklearn.metrics import recall_score

import raymtl
from raymtl.cli import main
from raymtl.commands.check_reader import named
from raymtl.deploy.evaluation import Asked, as_known
from raymtl.deploy.evaluation import evaluate as deploy_evaluate
from raymtl.errors import PreflightError, StoreError, StudyError
from raymtl.experiment import combinations
from raymtl.extraction.audio import Segments, Signal
from raymtl.kept import kept_epochs
from raymtl.loading.splits import KFold
from raymtl.plan import Plan
from raymtl.reading.reader import Source
from raymtl.results.records import METRICS, PREDICTIONS, read_record
from raymtl.results.runs.epochs import drop_epochs
from raymtl.results.runs.evaluated import spread
from raymtl.tasks import Number
from tests import inprocess
from tests.corpora import DIGITS, plan_of

SOURCE = "Fsdd().source('digit')"


def evaluate(run: Path, on: str, data: Path, *words: str) -> tuple[int, str]:
    store = ["--store", str(data.parent / "evaluations")]
    words = ("evaluate", str(run), "--on", on, "--data", str(data), *store, *words)
    done = CliRunner().invoke(main, list(words))
    return done.exit_code, done.output


def test_its_own_test_clips(runs: list[Path], corpora: Path, tmp_path: Path) -> None:
    """Clips that it learnt from are left out, and every metric is that of the record."""
    code, said = evaluate(runs[1], SOURCE, corpora, "-o", str(tmp_path / "scores.json"))
    assert code == 0
    assert "120 of 160 clips are left out" in said
    (epoch,) = json.loads((tmp_path / "scores.json").read_text())["epochs"]
    (found,) = epoch["scores"]
    record = json.loads((runs[1] / "record.json").read_text())
    (expected,) = [
        score
        for score in record["scores"]
        if (score["source"], score["part"]) == ("fsdd.digit", "test")
    ]
    for metric, value in found["scalars"].items():
        assert expected["scalars"][metric] == pytest.approx(value, abs=1e-6)
    assert found["confusion"] == expected["confusion"]


def test_predictions_as_parquet(runs: list[Path], corpora: Path, tmp_path: Path) -> None:
    evaluate(runs[0], SOURCE, corpora, "--predictions", str(tmp_path / "said.parquet"))
    found = {row["id"]: row for row in pq.read_table(tmp_path / "said.parquet").to_pylist()}
    for row in pq.read_table(runs[0] / PREDICTIONS).to_pylist():
        if row["source"] == "fsdd.digit":
            assert found[row["id"]]["scores"] == pytest.approx(row["scores"], abs=1e-6)
            assert found[row["id"]]["truth"] == row["truth"]


def test_all_clips_when_asked(runs: list[Path], corpora: Path) -> None:
    code, said = evaluate(runs[0], SOURCE, corpora, "--seen", "keep")
    assert code == 0
    assert "160 clips" in said
    assert "120 of 160 clips are scored though they are not among the run's test clips" in said


def test_tasks_that_do_not_fit(runs: list[Path], corpora: Path) -> None:
    code, said = evaluate(runs[0], "Ravdess().source('emotion')", corpora)
    assert code == 2
    assert "answers digit, speaker; the clips have emotion" in said
    code, said = evaluate(
        runs[0], "Ravdess().source('emotion', heads={'emotion': 'digit'})", corpora
    )
    assert code == 2
    assert "The network knows 0, 1, 2" in said


MAPPED = """
from raymtl.reading.deriving import coarse
from readers.ravdess import Ravdess

(emotion,) = [task for task in Ravdess().tasks if task.name == 'emotion']
digits = {"2": ("calm",), "1": ("neutral",)}
source = Ravdess().source(coarse("digit", emotion, digits))
"""


def test_labels_mapped_onto_the_networks(runs: list[Path], corpora: Path, tmp_path: Path) -> None:
    """Another corpus with some of the network's labels in another order: found by name."""
    (tmp_path / "mapped.py").write_text(MAPPED)
    code, said = evaluate(runs[0], f"{tmp_path / 'mapped.py'}:source", corpora)
    assert code == 0, said
    assert "24 clips" in said
    assert [line.split()[:2] for line in said.splitlines()][-2:] == [["1", "12"], ["2", "12"]]


SPELT = """
from raymtl.tasks import OneOf
from readers.own import Column, Csv

words = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
digit = OneOf("digit", tuple("0123456789"), aliases=tuple(zip(words, "0123456789")))
source = Csv("spelt", table="clips.csv", audio="file", targets=(Column("said", digit),)).source()
"""


def test_names_of_the_clips_own_are_read_by_aliases(
    runs: list[Path], digits: Plan, tmp_path: Path
) -> None:
    """The run's test clips in another corpus, which spells its labels: as the run scored them."""
    words = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]
    paths = {row.id: Path(row.path) for row in digits.corpora.sources["fsdd.digit"].rows}
    said = pq.read_table(runs[0] / PREDICTIONS).to_pylist()
    lines = ["file,said"]
    (tmp_path / "data" / "spelt").mkdir(parents=True)
    for row in said:
        if row["source"] == "fsdd.digit":
            shutil.copy(paths[row["id"]], tmp_path / "data" / "spelt")
            lines.append(f"{paths[row['id']].name},{words[int(row['truth'][0])]}")
    (tmp_path / "data" / "spelt" / "clips.csv").write_text("\n".join(lines))
    (tmp_path / "spelt.py").write_text(SPELT)
    output = tmp_path / "scores.json"
    on = f"{tmp_path / 'spelt.py'}:source"
    code, text = evaluate(runs[0], on, tmp_path / "data", "-o", str(output))
    assert code == 0, text
    assert "left out" not in text
    ((found,),) = [epoch["scores"] for epoch in json.loads(output.read_text())["epochs"]]
    (expected,) = [
        score
        for score in read_record(runs[0]).content["scores"]
        if (score["source"], score["part"]) == ("fsdd.digit", "test")
    ]
    assert found["confusion"] == expected["confusion"]
    assert found["scalars"]["uar"] == pytest.approx(expected["scalars"]["uar"], abs=1e-9)


TIMED = """
from raymtl.tasks import OneOf
from readers.own import Csv

digit = OneOf("digit", tuple("0123456789"))
source = Csv(
    "timed", table="clips.csv", audio="file", targets=(digit,), start="start", end="end"
).source()
"""


@pytest.mark.parametrize("segments", [None, Segments(0.1, 0.1, "pad")])
def test_parts_of_recordings_that_it_learnt_from_are_left_out(
    segments: Segments | None, digits: Plan, tmp_path: Path
) -> None:
    """Ids of such clips end in their seconds, as those of segments do."""
    data = tmp_path / "data"
    (data / "timed").mkdir(parents=True)
    lines = ["file,digit,start,end"]
    for row in digits.corpora.sources["fsdd.digit"].rows[:60]:
        path = Path(row.path)
        shutil.copy(path, data / "timed")
        lines += [f"{path.name},{path.name[0]},{at},{at + 0.1:g}" for at in (0, 0.1)]
    (data / "timed" / "clips.csv").write_text("\n".join(lines))
    (tmp_path / "timed.py").write_text(TIMED)
    on = f"{tmp_path / 'timed.py'}:source"
    source = named(on, "source")
    assert isinstance(source, Source)
    plan = plan_of(
        DIGITS, data, tmp_path / "store", sources=[source], combinations=combinations(1),
        folds=KFold(3), signal=Signal(rate=8_000, segments=segments),
    )  # fmt: skip
    run, output = plan.sweep / "runs" / plan.runs[0].run, tmp_path / "scores.json"
    inprocess.run(plan, plan.runs[0], inprocess.prepare(plan))
    code, said = evaluate(run, on, data, "-o", str(output))
    assert code == 0, said
    (epoch,) = json.loads(output.read_text())["epochs"]
    (found,) = epoch["scores"]
    assert "80 of 120 clips are left out" in said
    assert "40 clips in 20 groups" in said  # the two of a recording are drawn together
    (expected,) = [s for s in read_record(run).content["scores"] if s["part"] == "test"]
    assert found["confusion"] == expected["confusion"]


def test_numbers_of_another_unit_are_refused() -> None:
    """Hours beside minutes would be scored as if they were minutes."""
    head = Number("length", unit="min")
    assert as_known(head, Number("length")) is head
    with pytest.raises(StudyError, match="'length': the network's is in min, the clips' in h"):
        as_known(head, Number("length", unit="h"))


def test_a_miniature_is_said_to_be_one(runs: list[Path], tmp_path: Path) -> None:
    words = ["evaluate", str(runs[0]), "--on", SOURCE, "--store", str(tmp_path), "--seen", "keep"]
    done = CliRunner().invoke(main, words)
    assert done.exit_code == 0, done.output
    assert "a miniature with synthetic sound, not the corpus" in done.output


# --- epochs ------------------------------------------------------------------------------------


def test_every_epoch_scores_what_training_said_of_it(digits: Plan) -> None:
    """On validation clips each kept epoch gives the number that the history has of it."""
    job = digits.runs[1]
    run = digits.sweep / "runs" / job.run
    history = pq.read_table(run / METRICS).to_pylist()
    record = read_record(run).content
    predictors = [raymtl.load(run, epoch=epoch) for epoch in kept_epochs(record)]
    assert [p.epoch for p in predictors] == list(range(1, record["epochs"] + 1))
    for source in job.sources:
        table = digits.tables[source.name].select(source.validation)
        asked = [Asked(source.tasks[0].name, source.columns[0], source.tasks[0])]
        found = deploy_evaluate(predictors, table, digits.corpora.facts, asked, source=source.name)
        for one in found:
            (expected,) = [
                row["value"]
                for row in history
                if (row["epoch"], row["source"], row["part"], row["metric"])
                == (one.epoch, source.name, "validation", "uar")
            ]
            measured = one.heads[source.tasks[0].name].measured
            assert measured.scalars["uar"] == pytest.approx(expected, abs=1e-9)


def test_a_table_of_epochs(runs: list[Path], corpora: Path, tmp_path: Path) -> None:
    output = tmp_path / "epochs.csv"
    code, said = evaluate(runs[0], SOURCE, corpora, "--epoch", "all", "-o", str(output))
    assert code == 0, said
    assert max(map(len, said.splitlines()[-6:-2])) <= 80
    record = read_record(runs[0]).content
    rows = csv.read_csv(output).to_pylist()
    primary = [r for r in rows if r["metric"] == "uar" and not r["label"]]
    assert [r["epoch"] for r in primary] == kept_epochs(record)
    for row in primary:
        assert row["low"] <= row["value"] <= row["high"]
        assert (row["clips"], row["run"], row["source"]) == (40, record["run"], "fsdd.digit")
    assert "Highest on these clips is epoch" in said


def test_an_epoch_that_was_not_kept(runs: list[Path], corpora: Path) -> None:
    code, said = evaluate(runs[0], SOURCE, corpora, "--epoch", "99")
    assert code == 2
    assert "it was trained for" in said
    assert "Give a number from 1 to" in said
    code, said = evaluate(runs[0], SOURCE, corpora, "--epoch", "first")
    assert code == 2
    assert "'first' is no epoch" in said


def test_a_run_that_kept_its_best_alone(runs: list[Path], tmp_path: Path) -> None:
    """The error names what is kept and how to get the rest; another run's epochs are refused."""
    run = tmp_path / "store" / "sweeps" / "digits" / "runs" / runs[0].name
    shutil.copytree(runs[0], run)
    record = read_record(run).content
    drop_epochs(run)
    other = next(e for e in kept_epochs(record) if e != record["best_epoch"])
    wanted = f"kept are {record['best_epoch']} .*raymtl rerun {run.name} --keep {other}"
    with pytest.raises(PreflightError, match=wanted):
        raymtl.load(run, epoch=other)
    assert raymtl.load(run, epoch="best").epoch == raymtl.load(run).epoch == record["best_epoch"]


def test_a_damaged_epoch_is_refused(runs: list[Path], tmp_path: Path) -> None:
    shutil.copytree(runs[0], tmp_path / runs[0].name)
    path = next((tmp_path / runs[0].name / "epochs").glob("*"))
    path.write_bytes(path.read_bytes()[:-1] + b"!")
    with pytest.raises(StoreError, match="is not what the record speaks of"):
        raymtl.load(tmp_path / runs[0].name, epoch=int(path.stem))
    assert raymtl.load(tmp_path / runs[0].name)


# --- the interval ------------------------------------------------------------------------------


def test_the_interval_is_that_of_groups_drawn_one_by_one(digits: Plan) -> None:
    """Speakers drawn with replacement, their clips copied, and scored by scikit-learn."""
    job = digits.runs[0]
    source = job.sources[0]
    predictor = raymtl.load(digits.sweep / "runs" / job.run)
    table = digits.tables[source.name].select(source.test)
    asked = [Asked(source.tasks[0].name, source.columns[0], source.tasks[0])]
    (found,) = deploy_evaluate([predictor], table, digits.corpora.facts, asked)
    head = found.heads[source.tasks[0].name]
    clusters = {clip: clip.split("_")[1] for clip in head.ids}
    interval = spread(head, clusters)
    names = sorted(set(clusters.values()))
    assert (interval.clips, interval.groups) == (len(head.ids), len(names))
    truth, said = head.targets.values, head.task.decide(head.scores)
    counts = np.random.default_rng(0).multinomial(
        len(names), np.full(len(names), 1 / len(names)), 1000
    )
    member = np.array([names.index(clusters[clip]) for clip in head.ids])
    drawn = []
    for count in counts:
        rows = np.repeat(np.arange(len(member)), count[member])
        drawn.append(recall_score(truth[rows], said[rows], average="macro",
                                  labels=np.unique(truth[rows])))  # fmt: skip
    low, high = np.quantile(drawn, [0.025, 0.975])
    assert (interval.low, interval.high) == (pytest.approx(low), pytest.approx(high))


def test_one_group_has_no_interval(runs: list[Path], corpora: Path) -> None:
    one = "Fsdd().source('digit', where=[Values('speaker', keep=('fsdd/theo',))])"
    code, said = evaluate(runs[0], one, corpora)
    assert code == 0, said
    assert "no interval: bootstrap: the test clips form one group" in " ".join(said.split())


def test_clips_that_share_groups_with_training_are_told(runs: list[Path], corpora: Path) -> None:
    code, said = evaluate(runs[0], SOURCE, corpora)
    assert code == 0
    assert "40 of the others share a speaker with clips that the network learnt from" in said


@pytest.mark.parametrize("words", [("-o", "scores.txt"), ("--predictions", "said.json")])
def test_endings_that_say_nothing(words: tuple[str, str], runs: list[Path], corpora: Path) -> None:
    code, said = evaluate(runs[0], SOURCE, corpora, *words)
    assert code == 2
    assert f"{words[1]}: ends in" in said


def test_json_alone_on_standard_output(runs: list[Path], corpora: Path) -> None:
    words = ["evaluate", str(runs[0]), "--on", SOURCE, "--data", str(corpora), "--json",
             "--store", str(corpora.parent / "evaluations"), "--epoch", "1,last"]  # fmt: skip
    done = CliRunner().invoke(main, words)
    found = json.loads(done.stdout)
    assert [e["epoch"] for e in found["epochs"]] == [1, read_record(runs[0]).content["epochs"]]
    assert found["seen"] == {"used": 120, "sharing groups": 40, "kinds": ["speaker"]}
    assert "left out" in done.stderr

"""Kept epochs: the weights as they were, whole through kills, part of the record."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from raymtl.errors import Interrupted, PreflightError
from raymtl.kept import BEST_ALONE, Keep, epoch_file, kept_epochs, spelt
from raymtl.loading.batches import Mixed
from raymtl.models import SharedDnn
from raymtl.plan import Plan
from raymtl.results.ledger import reconcile
from raymtl.results.records import WEIGHTS, read_record, verify
from raymtl.results.runs.epochs import add_epochs, drop_epochs
from raymtl.training.optimise import Adam
from raymtl.training.outcome import Outcome
from raymtl.training.training import Training
from tests.corpora import DIGITS, plan_of
from tests.inprocess import prepare
from tests.inprocess import run as run_job
from tests.training.toys import run

DNN = SharedDnn(16, 2, dropout=0.3)
FIVE = Training(epochs=5, batches=Mixed(10), optimiser=Adam(1e-2))
ALL = Keep.parse("all")


@pytest.mark.parametrize(
    ("text", "of_ten"),
    [
        ("best", []),
        ("all", list(range(1, 11))),
        ("last", [10]),
        ("every:4", [4, 8]),
        ("3,10,25", [3, 10]),
        ("best, last ,every:5,2", [2, 5, 10]),
    ],
)
def test_what_is_kept_of_ten_epochs(text: str, of_ten: list[int]) -> None:
    keep = Keep.parse(text)
    assert sorted(keep.of(10)) == of_ten
    assert Keep.parse(keep.text) == keep


@pytest.mark.parametrize("text", ["", "some", "every:0", "every:", "-3", "2.5", "all,every:2", "²"])
def test_words_that_say_nothing(text: str) -> None:
    with pytest.raises(PreflightError, match="--keep"):
        Keep.parse(text)


def test_numbers_in_few_words() -> None:
    assert spelt([1, 2, 3, 5, 7, 8]) == "1-3, 5, 7-8"


def weights(folder: Path) -> dict[int, dict[str, torch.Tensor]]:
    files = sorted((folder / "epochs").glob("*.safetensors"))
    return {int(path.stem): load_file(path) for path in files}


def equal(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(v, other[k]) for k, v in one.items())


def best_of(folder: Path, epochs: int, **options: object) -> Outcome:
    """A run of so many epochs that takes its last for the best: an outside view of epoch N."""
    training = replace(FIVE, epochs=epochs, select="last")
    return run(DNN, training, folder, **options)


def test_each_epoch_is_what_a_run_of_that_length_ends_in(tmp_path: Path) -> None:
    run(DNN, FIVE, tmp_path / "all", keep=ALL)
    found = weights(tmp_path / "all")
    assert sorted(found) == [1, 2, 3, 4, 5]
    for epoch in (1, 3, 5):
        assert equal(found[epoch], best_of(tmp_path / str(epoch), epoch).weights)


def test_keeping_changes_no_number(tmp_path: Path) -> None:
    one, other = (run(DNN, FIVE, tmp_path / t, keep=Keep.parse(t)) for t in ("best", "all,last"))
    assert one.history == other.history
    assert equal(one.weights, other.weights)
    assert not (tmp_path / "best" / "epochs").exists()


def test_the_last_epoch_of_a_run_that_stops_early(tmp_path: Path) -> None:
    training = replace(FIVE, epochs=30, patience=2, optimiser=Adam(0.3))
    outcome = run(DNN, training, tmp_path, keep=Keep.parse("last,29"))
    assert outcome.epochs_run < 29
    assert list(weights(tmp_path)) == [outcome.epochs_run]


def after(steps: int) -> Callable[[], bool]:
    left = iter([False] * steps)
    return lambda: next(left, True)


def interrupted(folder: Path, steps: int, keep: Keep) -> None:
    with pytest.raises(Interrupted, match="run the same command"):
        run(DNN, FIVE, folder, keep=keep, stop=after(steps))


STEPS = 4  # less than an epoch of the toy data


def test_a_run_that_is_interrupted_again_and_again_keeps_all(tmp_path: Path) -> None:
    run(DNN, FIVE, tmp_path / "whole", keep=ALL)
    while True:
        try:
            run(DNN, FIVE, tmp_path / "parts", keep=ALL, stop=after(STEPS))
            break
        except Interrupted:
            pass
    whole, parts = weights(tmp_path / "whole"), weights(tmp_path / "parts")
    assert sorted(parts) == [1, 2, 3, 4, 5]
    assert all(equal(parts[epoch], whole[epoch]) for epoch in whole)


@pytest.mark.parametrize("harm", ["remove", "flip"])
def test_a_damaged_epoch_is_trained_again(harm: str, tmp_path: Path) -> None:
    run(DNN, FIVE, tmp_path / "whole", keep=ALL)
    interrupted(tmp_path / "parts", 3 * STEPS, ALL)
    path = tmp_path / "parts" / epoch_file(1)
    content = path.read_bytes()
    path.unlink()
    if harm == "flip":
        path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    run(DNN, FIVE, tmp_path / "parts", keep=ALL)
    whole, parts = weights(tmp_path / "whole"), weights(tmp_path / "parts")
    assert all(equal(parts[epoch], whole[epoch]) for epoch in whole)


def test_more_may_be_asked_for_of_a_run_that_was_begun(tmp_path: Path) -> None:
    interrupted(tmp_path, 3 * STEPS, BEST_ALONE)
    run(DNN, FIVE, tmp_path, keep=ALL)
    assert sorted(weights(tmp_path)) == [1, 2, 3, 4, 5]


def test_what_lies_there_unspoken_of_is_no_epoch(tmp_path: Path) -> None:
    (tmp_path / "epochs").mkdir()
    (tmp_path / epoch_file(2)).write_bytes(b"of another attempt")
    (tmp_path / "epochs" / ".000002.safetensors.1.aside").write_bytes(b"half")
    run(DNN, FIVE, tmp_path)
    assert list((tmp_path / "epochs").iterdir()) == []


# --- records -----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def plan(corpora: Path, tmp_path_factory: pytest.TempPathFactory) -> Plan:
    plan = plan_of(DIGITS, corpora, tmp_path_factory.mktemp("store"))
    bench = prepare(plan)
    assert run_job(plan, plan.runs[0], bench, keep=ALL).done
    assert run_job(plan, plan.runs[1], bench).done
    return plan


def record(plan: Plan, number: int = 0) -> Path:
    return plan.sweep / "runs" / plan.runs[number].run


def test_a_record_speaks_for_its_epochs(plan: Plan) -> None:
    folder = record(plan)
    content = read_record(folder).content
    assert kept_epochs(content) == list(range(1, content["epochs"] + 1))
    assert epoch_file(content["best_epoch"]) not in content["files"]  # it is there already
    assert not (folder / epoch_file(content["best_epoch"])).exists()
    other = next(e for e in kept_epochs(content) if e != content["best_epoch"])
    path, whole = folder / epoch_file(other), (folder / epoch_file(other)).read_bytes()
    path.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    assert "content has changed" in verify(folder)[0]
    path.write_bytes(whole)
    assert verify(folder) == []


def test_epochs_are_dropped_and_added_again(plan: Plan, tmp_path: Path) -> None:
    folder = record(plan)
    before = read_record(folder).content
    (folder / "epochs").rename(tmp_path / "epochs")
    again = tmp_path / "again"
    again.mkdir()
    (tmp_path / "epochs").rename(again / "epochs")
    (again / "record.json").write_bytes((folder / "record.json").read_bytes())
    drop_epochs(folder)
    assert kept_epochs(read_record(folder).content) == [before["best_epoch"]]
    assert verify(folder) == []
    digests = {job.run: job.digest for job in plan.runs}
    assert reconcile(plan.sweep, digests, mend=False)[1] == []
    new = add_epochs(folder, again)
    assert sorted([*new, before["best_epoch"]]) == kept_epochs(before)
    assert read_record(folder).content == before
    assert verify(folder) == []
    assert reconcile(plan.sweep, digests, mend=False)[1] == []


def test_the_best_epoch_alone_leaves_the_record_as_ever(plan: Plan) -> None:
    folder = record(plan, 1)
    content = read_record(folder).content
    assert kept_epochs(content) == [content["best_epoch"]]
    assert WEIGHTS in content["files"]
    assert not (folder / "epochs").exists()

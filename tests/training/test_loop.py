"""The training loop: exact resume, the laws of design, and a plain loop as reference."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy

from raymtl.errors import Diverged, Interrupted, StudyError
from raymtl.loading.batches import Alternating, Balanced, Mixed, Proportional
from raymtl.loading.fitted import Cut, FittedStages, Framing
from raymtl.loading.inputs import PartData
from raymtl.models import SharedCnn, SharedDnn
from raymtl.tasks import Targets
from raymtl.training.optimise import Adam, AdamW, Cosine, OneCycle, Sgd, WarmUp
from raymtl.training.outcome import EpochReport, Outcome, RunData
from raymtl.training.training import Training
from tests.training.toys import COLOUR, LOUD, TAGS, run, toy_data, toy_parts, two_sources

TASKS = (COLOUR, LOUD, TAGS)
DNN = SharedDnn(16, 2, dropout=0.3)
CNN = SharedCnn(4, 2, 3, dropout=0.3)  # two blocks: the second is laid out channels-last
BASE = Training(epochs=5, batches=Mixed(10), optimiser=Adam(1e-2))
CASES = {
    "dnn": (DNN, BASE),
    "cnn": (CNN, replace(BASE, batches=Alternating(8), optimiser=AdamW(1e-2))),
    "schedule, clipping, momentum": (
        DNN,
        replace(BASE, optimiser=Sgd(0.05, momentum=0.9), clip=0.5, schedule=WarmUp(1, Cosine())),
    ),
    "heads join later": (
        DNN,
        replace(BASE, optimiser=Sgd(0.05, momentum=0.9), batches=Alternating(9)),
    ),
    "early stop": (DNN, replace(BASE, epochs=8, patience=2, optimiser=Adam(0.3))),
    "bfloat16": (DNN, replace(BASE, precision="bfloat16", batches=Balanced(9))),
}


def same(one: Outcome, other: Outcome) -> None:
    """Every number of two outcomes, bit for bit; times are left out."""
    assert one.history == other.history
    assert one.weights.keys() == other.weights.keys()
    for name, value in one.weights.items():
        assert torch.equal(value, other.weights[name]), name
    assert (one.best_epoch, one.epochs_run, one.steps) == (
        other.best_epoch,
        other.epochs_run,
        other.steps,
    )
    assert one.passes == other.passes
    assert {k: v.scalars for k, v in one.scores.items()} == {
        k: v.scalars for k, v in other.scores.items()
    }
    for key, said in one.predictions.items():
        assert said.ids == other.predictions[key].ids
        np.testing.assert_array_equal(said.scores, other.predictions[key].scores)


def stop_after(calls: int):
    left = iter(range(calls))
    return lambda: next(left, None) is None


@pytest.mark.parametrize(("model", "training"), CASES.values(), ids=CASES)
def test_a_run_stopped_at_any_epoch_and_resumed_ends_in_the_same_bits(
    model, training: Training, tmp_path: Path
) -> None:
    straight = run(model, training, tmp_path / "straight")
    steps = straight.steps // straight.epochs_run
    for epoch in range(1, straight.epochs_run + 1):
        folder = tmp_path / str(epoch)
        with pytest.raises(Interrupted, match=f"after {epoch} epochs"):
            run(model, training, folder, stop=stop_after(epoch * steps - 1))
        reports: list[EpochReport] = []
        torch.rand(epoch)  # whatever the process did before
        same(straight, run(model, training, folder, report=reports.append))
        assert [r.epoch for r in reports] == list(range(epoch + 1, straight.epochs_run + 1))


@pytest.mark.parametrize("case", ["dnn", "cnn"])
def test_a_run_stopped_within_epochs_again_and_again_ends_in_the_same_bits(
    case: str, tmp_path: Path
) -> None:
    model, training = CASES[case]
    straight = run(model, training, tmp_path / "straight")
    stops = 0
    while True:
        try:
            final = run(model, training, tmp_path / "often", stop=stop_after(2))
            break
        except Interrupted:
            stops += 1
    assert stops == straight.steps // 3
    same(straight, final)


def test_checkpoints_written_while_running_change_nothing(tmp_path: Path) -> None:
    straight = run(DNN, BASE, tmp_path / "one")
    assert not (tmp_path / "one").exists()  # a run that finishes leaves no checkpoint behind
    same(straight, run(DNN, BASE, tmp_path / "two", checkpoint_seconds=0.0))
    assert len(list((tmp_path / "two" / "checkpoint").iterdir())) == 2


def test_a_checkpoint_of_another_run_is_not_taken(tmp_path: Path) -> None:
    with pytest.raises(Interrupted, match="after 0 epochs"):
        run(DNN, BASE, tmp_path, stop=stop_after(2))
    other = replace(BASE, optimiser=Adam(2e-2))
    same(run(DNN, other, tmp_path), run(DNN, other, tmp_path / "clean"))


def test_a_damaged_checkpoint_is_passed_over_for_the_one_before(tmp_path: Path) -> None:
    straight = run(DNN, BASE, tmp_path / "straight")
    for _ in range(2):
        with pytest.raises(Interrupted, match="same command"):
            run(DNN, BASE, tmp_path / "torn", stop=stop_after(6))
    newest = sorted((tmp_path / "torn" / "checkpoint").iterdir())[-1]
    tensors = newest / "tensors.safetensors"
    tensors.write_bytes(tensors.read_bytes()[:-1] + b"\xff")
    reports: list[EpochReport] = []
    same(straight, run(DNN, BASE, tmp_path / "torn", report=reports.append))
    assert reports[0].epoch == 2  # seven steps in: epoch 1 has five


def test_numbers_do_not_depend_on_what_the_process_did_before(tmp_path: Path) -> None:
    first = run(DNN, BASE, tmp_path)
    run(CNN, replace(BASE, precision="bfloat16"), tmp_path, seed=9)
    torch.manual_seed(12345)
    torch.rand(7)
    torch.set_default_dtype(torch.float64)
    try:
        same(first, run(DNN, BASE, tmp_path))
    finally:
        torch.set_default_dtype(torch.float32)


def process_state() -> tuple[object, ...]:
    return (
        torch.get_rng_state().tolist(),
        torch.get_default_dtype(),
        torch.get_num_threads(),
        torch.is_grad_enabled(),
        np.random.get_state()[1].tolist(),  # noqa: NPY002
        threading.active_count(),
        torch.is_autocast_enabled("cpu"),
    )


def test_a_run_leaves_the_process_as_it_was(tmp_path: Path) -> None:
    torch.manual_seed(5)
    before = process_state()
    run(DNN, BASE, tmp_path)
    with pytest.raises(Interrupted, match="after 0"):
        run(DNN, BASE, tmp_path, stop=lambda: True)
    assert process_state() == before
    assert not nn.modules.module._global_forward_hooks


def test_seeds_give_other_runs_and_order_of_sources_or_tasks_none(tmp_path: Path) -> None:
    first = run(DNN, BASE, tmp_path)
    data = two_sources()
    turned = RunData(
        *(dict(reversed(getattr(data, part).items())) for part in ("train", "validation", "test"))
    )
    again = run(DNN, BASE, tmp_path, data=turned)
    assert sorted(map(repr, first.history)) == sorted(map(repr, again.history))
    assert first.history != run(DNN, BASE, tmp_path, seed=4).history


def test_the_test_part_changes_no_choice_and_is_scored_once(tmp_path: Path, monkeypatch) -> None:
    from raymtl.training import scoring

    scored: list[str] = []
    data = two_sources()
    kinds = {
        id(part): kind
        for kind in ("train", "validation", "test")
        for part in getattr(data, kind).values()
    }
    score = scoring.score

    def counted(network, part, *rest):
        scored.append(kinds[id(part)])
        return score(network, part, *rest)

    with monkeypatch.context() as patch:
        patch.setattr(scoring, "score", counted)
        outcome = run(DNN, BASE, tmp_path, data=data)
    assert scored.count("test") == 2  # once a source
    assert "train" not in scored
    wrong = RunData(
        data.train,
        data.validation,
        {
            name: replace(
                part,
                targets={task: Targets(t.values * 0, t.valid) for task, t in part.targets.items()},
            )
            for name, part in data.test.items()
        },
    )
    other = run(DNN, BASE, tmp_path, data=wrong)
    assert outcome.history == other.history
    assert outcome.best_epoch == other.best_epoch


def test_the_best_epoch_is_that_of_validation_and_gives_the_scores(tmp_path: Path) -> None:
    training = replace(BASE, epochs=8, optimiser=Adam(0.05))
    outcome = run(DNN, training, tmp_path)
    means = []
    for epoch in range(1, 9):
        rows = [r for r in outcome.history if r.epoch == epoch and r.part == "validation"]
        metric = np.mean([r.value for r in rows if r.metric != "loss"])
        means.append((metric, -np.mean([r.value for r in rows if r.metric == "loss"])))
    assert outcome.best_epoch == 1 + means.index(max(means))
    found = {
        (r.source, r.task, r.metric): r.value
        for r in outcome.history
        if r.epoch == outcome.best_epoch and r.part == "validation"
    }
    for (source, task, metric), value in found.items():
        scores = outcome.scores[source, task, "validation"].scalars
        assert scores[metric] == pytest.approx(value, abs=1e-6)


def test_select_loss_and_last_choose_by_their_rule(tmp_path: Path) -> None:
    training = replace(BASE, epochs=8, optimiser=Adam(0.05), select="loss")
    outcome = run(DNN, training, tmp_path)
    losses = [
        np.mean(
            [
                r.value
                for r in outcome.history
                if (r.epoch, r.part, r.metric) == (epoch, "validation", "loss")
            ]
        )
        for epoch in range(1, 9)
    ]
    assert outcome.best_epoch == 1 + int(np.argmin(losses))
    assert run(DNN, replace(training, select="last"), tmp_path).best_epoch == 8


def test_patience_ends_a_run_that_many_epochs_after_its_best(tmp_path: Path) -> None:
    outcome = run(DNN, replace(BASE, epochs=60, patience=3, optimiser=Adam(0.1)), tmp_path)
    assert outcome.epochs_run < 60
    assert outcome.epochs_run == outcome.best_epoch + 3


def plain_loss(
    network: nn.Module, data: RunData, step: Mapping[str, np.ndarray], task: str
) -> torch.Tensor:
    """A task's mean loss over a step, source by source and without masks."""
    sums, count = torch.zeros(()), 0
    for source, rows in step.items():
        part = data.train[source]
        if task not in part.targets:
            continue
        target = part.targets[task]
        known = rows[target.valid[rows].reshape(len(rows), -1).all(1)]
        if not len(known):
            continue
        output = network(part.inputs.batch(known))[task]
        values = torch.from_numpy(target.values[known])
        loss = cross_entropy if task == "colour" else binary_cross_entropy_with_logits
        sums = sums + loss(output, values, reduction="sum")
        count += values.numel()
    return sums / max(count, 1)


def test_the_loop_is_a_plain_torch_loop(tmp_path: Path) -> None:
    """Forward a source and task at a time, unfused optimiser, no masking but indexing."""
    data, model = two_sources(missing=0.3), SharedDnn(12, 2)
    training = Training(
        epochs=3,
        batches=Mixed(12),
        optimiser=Sgd(0.1, momentum=0.9),
        weights=(("loud", 0.5),),
        select="last",
        clip=0.7,
    )
    outcome = run(model, training, tmp_path, data=data)
    shape = data.train["one"].inputs.shape
    network = model.build(shape, TASKS, 3)
    optimiser = torch.optim.SGD(network.parameters(), lr=0.1, momentum=0.9)
    sizes = {name: len(part) for name, part in data.train.items()}
    for epoch in (1, 2, 3):
        for step in training.batches.epoch(sizes, 3, epoch):
            losses = {task.name: plain_loss(network, data, step, task.name) for task in TASKS}
            optimiser.zero_grad()
            (losses["colour"] + 0.5 * losses["loud"] + losses["tags"]).backward()
            nn.utils.clip_grad_norm_(network.parameters(), 0.7)
            optimiser.step()
    for name, value in network.state_dict().items():
        torch.testing.assert_close(outcome.weights[name], value, rtol=1e-4, atol=1e-5)


def test_a_task_that_is_not_in_a_step_is_left_alone(tmp_path: Path) -> None:
    """Its head gets no gradient, so momentum does not move it either."""
    data = toy_data(toy_parts("one", (COLOUR,), 1), toy_parts("two", (TAGS,), 2, missing=1.0))
    outcome = run(
        SharedDnn(8, 1),
        replace(BASE, batches=Alternating(8), select="last"),
        tmp_path,
        data=data,
        tasks=(COLOUR, TAGS),
    )
    start = SharedDnn(8, 1).build(data.train["one"].inputs.shape, (COLOUR, TAGS), 3)
    weights = start.state_dict()
    assert torch.equal(outcome.weights["heads.1.weight"], weights["heads.1.weight"])
    assert not torch.equal(outcome.weights["heads.0.weight"], weights["heads.0.weight"])
    assert "tags" not in {row.task for row in outcome.history}
    assert np.isfinite(outcome.predictions["two", "tags"].scores).all()


@pytest.mark.parametrize("batches", [Alternating(8), Mixed(8), Proportional(8), Balanced(8)])
def test_toy_tasks_are_learnt_above_chance_with_every_sampler(batches, tmp_path: Path) -> None:
    data = toy_data(
        toy_parts("one", (COLOUR, LOUD), 1, clips=160, missing=0.1),
        toy_parts("two", (COLOUR,), 2, clips=160),
    )
    training = Training(epochs=15, batches=batches, optimiser=Adam(1e-2), schedule=OneCycle())
    outcome = run(SharedDnn(32, 2), training, tmp_path, data=data, tasks=(COLOUR, LOUD))
    for (_, _, part), scores in outcome.scores.items():
        assert scores.scalars["uar"] > 0.7, part
    assert outcome.passes == {"one": 15.0, "two": 15.0}


def test_windows_are_averaged_to_one_score_a_clip(tmp_path: Path) -> None:
    stages = FittedStages((Cut(6, 0.0), Framing(3, 1, 0.0)))
    data = toy_data(toy_parts("one", (COLOUR,), 1, frames=(2, 8), stages=stages, budget=0))
    outcome = run(SharedDnn(8, 1), BASE, tmp_path, data=data, tasks=(COLOUR,))
    network = SharedDnn(8, 1).build(data.train["one"].inputs.shape, (COLOUR,), 3)
    network.load_state_dict(outcome.weights)
    part = data.test["one"]
    assert len(part.inputs) > len(part.ids)
    with torch.inference_mode():
        output = network.eval()(part.inputs.batch(np.arange(len(part.inputs))))["colour"]
    each = output.softmax(-1).numpy()
    expected = [each[part.inputs.clips == clip].mean(0) for clip in range(len(part.ids))]
    said = outcome.predictions["one", "colour"]
    assert said.ids == part.ids
    np.testing.assert_allclose(said.scores, expected, rtol=0, atol=1e-6)


def test_clips_of_varying_length_score_in_the_order_of_their_ids(tmp_path: Path) -> None:
    data = toy_data(
        toy_parts("one", (COLOUR,), 1, frames=(4, 30)),
        toy_parts("two", (COLOUR,), 2, frames=(9, 50)),
    )
    outcome = run(SharedCnn(4, 1, 3), BASE, tmp_path, data=data, tasks=(COLOUR,))
    network = SharedCnn(4, 1, 3).build(data.train["one"].inputs.shape, (COLOUR,), 3)
    network.load_state_dict(outcome.weights)
    network.eval()
    for name in ("one", "two"):
        part = data.test[name]
        with torch.inference_mode():
            expected = [
                network(part.inputs.batch(np.array([row])))["colour"][0].softmax(-1)
                for row in range(len(part.ids))
            ]
        np.testing.assert_allclose(
            outcome.predictions[name, "colour"].scores,
            torch.stack(expected).numpy(),
            rtol=0,
            atol=1e-5,
        )


def test_reports_say_what_the_history_says(tmp_path: Path) -> None:
    reports: list[EpochReport] = []
    outcome = run(DNN, replace(BASE, schedule=Cosine()), tmp_path, report=reports.append)
    assert [r.epoch for r in reports] == [1, 2, 3, 4, 5]
    for report in reports:
        rows = [r for r in outcome.history if r.epoch == report.epoch]
        assert {
            r.task: r.value for r in rows if (r.part, r.metric) == ("train", "loss")
        } == report.losses
        assert [r.value for r in rows if r.metric == "rate"] == [report.rate]
        assert set(report.validation) == {
            ("one", "colour"),
            ("one", "loud"),
            ("two", "colour"),
            ("two", "tags"),
        }
        assert report.passes == {"one": 1.0, "two": 1.0}
    assert reports[0].rate > reports[-1].rate > 0
    assert outcome.parameters == sum(
        v.numel() for v in outcome.weights.values() if v.is_floating_point()
    )


@pytest.mark.parametrize("rate", [1e30])
def test_a_loss_that_is_not_finite_ends_the_run(rate: float, tmp_path: Path) -> None:
    with pytest.raises(Diverged, match="loss"):
        run(SharedDnn(16, 2), replace(BASE, optimiser=Sgd(rate)), tmp_path)


def test_a_source_without_validation_needs_select_last(tmp_path: Path) -> None:
    data = two_sources()
    bare = RunData(data.train, {"one": data.validation["one"]}, data.test)
    with pytest.raises(StudyError, match=r"source two has no validation clips.*select='last'"):
        run(DNN, BASE, tmp_path, data=bare)
    outcome = run(DNN, replace(BASE, select="last"), tmp_path, data=bare)
    assert outcome.best_epoch == 5
    assert ("two", "colour", "test") in outcome.scores
    assert ("two", "colour", "validation") not in outcome.scores


def test_a_source_without_training_clips_is_an_error(tmp_path: Path) -> None:
    parts = toy_parts("one", (COLOUR,), 1)
    from raymtl.loading.inputs import Inputs
    from tests.loading.memory import random_features

    empty = PartData(
        "one", [], Inputs(random_features(0, 3, features=5), [], FittedStages((Cut(6, 0.0),))), {}
    )
    with pytest.raises(StudyError, match="source one has no training clips left"):
        run(DNN, BASE, tmp_path, data=toy_data(parts | {"train": empty}), tasks=(COLOUR,))


def test_sources_of_unlike_features_are_named(tmp_path: Path) -> None:
    data = toy_data(toy_parts("one", (COLOUR,), 1), toy_parts("two", (COLOUR,), 2, features=7))
    with pytest.raises(StudyError, match="one has 1 channels x 5 features a frame, two 1 x 7"):
        run(DNN, BASE, tmp_path, data=data, tasks=(COLOUR,))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"epochs": 0}, "expected at least 1"),
        ({"patience": 2, "select": "last"}, "patience=2"),
        ({"select": "best"}, "expected metric, loss or last"),
        ({"clip": 0.0}, "clip=0.0"),
        ({"precision": "half"}, "expected float32 or"),
    ],
)
def test_parameters_out_of_range_are_refused(changes, message: str) -> None:
    with pytest.raises(StudyError, match=message):
        replace(BASE, **changes)

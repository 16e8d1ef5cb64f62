"""Encoding, losses and decisions of the tasks."""

from __future__ import annotations

import pickle

import numpy as np
import pyarrow as pa
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from raymtl.errors import StudyError, TaskError
from raymtl.spec import digest
from raymtl.tasks import AnyOf, OneOf, Targets, Task, YesNo

EMOTION = OneOf("emotion", ("calm", "happy", "sad"), aliases=(("joy", "happy"), ("xxx", None)))
EVENTS = AnyOf("events", ("car", "dog", "horn"), aliases=(("vehicle", "car"), ("?", None)))
STRESS = YesNo("stress")
KINDS = [EMOTION, EVENTS, STRESS]


def test_one_of_encodes_labels_aliases_and_missing() -> None:
    column = pa.array(["sad", "joy", None, "xxx", "calm"])
    targets = EMOTION.encode(column)
    assert targets.values.tolist() == [2, 1, 0, 0, 0]
    assert targets.valid.tolist() == [True, True, False, False, True]
    assert targets.values.dtype == np.int64
    assert len(targets) == 5


def test_any_of_encodes_lists_empty_lists_and_missing() -> None:
    column = pa.array([["dog", "vehicle"], [], None, ["?", "horn", "horn"]])
    targets = EVENTS.encode(column)
    assert targets.values.tolist() == [[1, 1, 0], [0, 0, 0], [0, 0, 0], [0, 0, 1]]
    assert targets.valid.all(axis=1).tolist() == [True, True, False, True]
    assert targets.values.dtype == np.float32


def test_yes_no_encodes() -> None:
    targets = STRESS.encode(pa.array([True, None, False]))
    assert targets.values.tolist() == [[1], [0], [0]]
    assert targets.valid.tolist() == [[True], [False], [True]]


@pytest.mark.parametrize("task", KINDS)
def test_the_form_of_a_column_does_not_matter(task: Task) -> None:
    values = {"emotion": ["sad", None, "joy"], "events": [["dog"], None, []],
              "stress": [True, None, False]}[task.name]  # fmt: skip
    plain = task.encode(pa.array(values, task.column))
    chunked = pa.chunked_array(
        [pa.array(values[:1], task.column), pa.array(values[1:], task.column)]
    )
    sliced = pa.array([*values, *values], task.column)[3:]
    for column in (chunked, sliced):
        np.testing.assert_array_equal(task.encode(column).values, plain.values)
        np.testing.assert_array_equal(task.encode(column).valid, plain.valid)
    assert len(task.encode(pa.chunked_array([], task.column))) == 0
    assert not task.encode(pa.nulls(3)).valid.any()


def test_dictionary_and_large_strings_are_strings() -> None:
    column = pa.array(["sad", None, "calm"])
    for other in (column.dictionary_encode(), column.cast(pa.large_string())):
        assert EMOTION.encode(other).values.tolist() == [2, 0, 0]


def test_labels_are_kept_as_strings() -> None:
    task = OneOf("odd", ("NA", "None", "01", "1", "nan "))
    targets = task.encode(pa.array(["1", "nan ", "01", "None", "NA"]))
    assert targets.values.tolist() == [3, 4, 2, 1, 0]
    assert targets.valid.all()


@pytest.mark.parametrize(
    ("column", "message"),
    [
        (["sad", "Happy "], r"'emotion', row 1: label 'Happy ' .*'calm'.*Did you mean 'happy'\?"),
        ([None, "SAD"], r"row 1: label 'SAD' .*Did you mean 'sad'\?"),
        (["hapy", "hapy"], r"row 0.*\(2 such entries.*Did you mean 'happy'\?"),
        (["brrr"], r"label 'brrr' .*declared are 'calm', 'happy', 'sad', 'joy', 'xxx'\. Mend"),
        ([""], r"row 0: label '' "),
    ],
)
def test_unknown_labels_are_named_with_a_remedy(column: list[str | None], message: str) -> None:
    with pytest.raises(TaskError, match=message):
        EMOTION.encode(pa.array(column, pa.string()))


def test_unknown_label_of_many_names_the_row() -> None:
    with pytest.raises(TaskError, match=r"row 2: label 'Dog' .*Did you mean 'dog'\?"):
        EVENTS.encode(pa.array([["dog", "car"], None, ["horn", "Dog"]]))
    with pytest.raises(TaskError, match="row 1: null among the labels"):
        EVENTS.encode(pa.array([["dog"], ["car", None]]))


def test_a_column_of_another_type_is_refused() -> None:
    with pytest.raises(TaskError, match=r"'stress': its column holds string, expected bool"):
        STRESS.encode(pa.array(["yes"]))
    events = pa.array([[{"start": 0.0, "end": 1.0, "label": "dog"}]])
    with pytest.raises(TaskError, match=r"'events': its column holds list<.*struct"):
        EVENTS.encode(events)


@pytest.mark.parametrize(
    ("labels", "aliases", "message"),
    [
        (("a",), (), "has 1 labels; it needs at least 2"),
        (("a", "b", "a"), (), "'a' is declared twice"),
        (("a", "b"), (("b", "a"),), "'b' is declared twice"),
        (("a", "a "), (), "'a' and 'a ' differ only in blanks"),
        (("a", "b"), (("c", "d"),), "'c' stands for 'd', which is not among"),
    ],
)
def test_declarations_that_cannot_be_meant(
    labels: tuple[str, ...], aliases: tuple[tuple[str, str | None], ...], message: str
) -> None:
    with pytest.raises(StudyError, match=message):
        OneOf("t", labels, aliases)


def test_names_without_blanks() -> None:
    with pytest.raises(StudyError, match="task name ' x'"):
        YesNo(" x")


def test_equal_heads_are_shared_whatever_the_corpus_calls_its_labels() -> None:
    plain = OneOf("emotion", EMOTION.labels)
    assert plain != EMOTION
    assert EMOTION.head == plain.head == plain
    assert digest(EMOTION) != digest(plain)
    assert OneOf("emotion", EMOTION.labels[::-1]).head != plain.head  # order is the outputs' order
    assert AnyOf("emotion", EMOTION.labels).head != plain.head
    assert EMOTION.renamed("mood").head != plain.head
    assert STRESS.head == STRESS


@pytest.mark.parametrize("task", KINDS)
def test_tasks_travel_to_workers(task: Task) -> None:
    again = pickle.loads(pickle.dumps(task))
    assert again == task
    assert digest(again) == digest(task)


def _slow_loss(task: Task, output: Tensor, values: Tensor, valid: Tensor) -> tuple[float, int]:
    """Entry by entry, in double precision, from the definition."""
    total, count = 0.0, 0
    for row in range(len(output)):
        logits = output[row].double()
        if isinstance(task, OneOf):
            if valid[row]:
                total -= float(torch.log(logits.exp() / logits.exp().sum())[values[row]])
                count += 1
            continue
        for k in range(task.outputs):
            if valid[row, k]:
                p = 1 / (1 + torch.exp(-logits[k]))
                total -= float(torch.log(p if values[row, k] else 1 - p))
                count += 1
    return total, count


@given(st.sampled_from(KINDS), st.integers(0, 9), st.floats(0, 1), st.integers(0, 2**31 - 1))
def test_loss_is_the_mean_over_valid_entries(task: Task, n: int, share: float, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    output = torch.randn(n, task.outputs, generator=generator).requires_grad_()
    shape = (n,) if isinstance(task, OneOf) else (n, task.outputs)
    high = task.outputs if isinstance(task, OneOf) else 2
    values = torch.randint(0, high, shape, generator=generator)
    values = values if isinstance(task, OneOf) else values.float()
    valid = torch.rand(shape, generator=generator) < share
    total, count = _slow_loss(task, output.detach(), values, valid)
    found, entries = task.loss_sum(output, values, valid)
    assert int(entries) == count
    assert float(found.detach()) == pytest.approx(total, abs=1e-4)  # float32 sums
    loss = task.loss(output, values, valid)
    assert float(loss.detach()) == pytest.approx(total / max(count, 1), abs=1e-5)
    loss.backward()
    assert output.grad is not None
    assert output.grad.isfinite().all()
    assert not output.grad[~(valid if isinstance(task, OneOf) else valid.any(dim=1))].any()


@pytest.mark.parametrize("task", KINDS)
def test_decisions_have_the_form_of_targets(task: Task) -> None:
    output = torch.tensor([[3.0, -1.0, 0.5], [-2.0, 0.1, 0.05]])[:, : task.outputs]
    scores = task.scores(output).numpy()
    decided = task.decide(scores)
    want = {"emotion": [0, 1], "events": [[1, 0, 1], [0, 1, 1]], "stress": [[1], [0]]}[task.name]
    assert decided.tolist() == want
    perfect = Targets(decided, np.ones(decided.shape, np.bool_))
    assert task.measure(scores, perfect).scalars["accuracy"] == 1.0
    assert task.quick(scores, perfect) == 1.0
    assert task.primary in task.measure(scores, perfect).scalars

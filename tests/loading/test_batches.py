"""Samplers: what an epoch is, and that nothing but the arguments decides."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from raymtl.errors import StudyError
from raymtl.loading.batches import Alternating, Balanced, Batches, Mixed, Proportional, passes

KINDS = (Alternating, Mixed, Proportional, Balanced)
SIZES = st.dictionaries(st.sampled_from("abcde"), st.integers(1, 60), min_size=1, max_size=5)


def seen(steps, name: str) -> np.ndarray:
    return np.concatenate([step[name] for step in steps if name in step])


@given(sizes=SIZES, size=st.integers(1, 20), seed=st.integers(0, 2**31), epoch=st.integers(0, 99))
@pytest.mark.parametrize("kind", [Alternating, Mixed, Proportional])
def test_an_epoch_passes_every_clip_once(kind, sizes, size: int, seed: int, epoch: int) -> None:
    steps = kind(size).epoch(sizes, seed, epoch)
    for name, count in sizes.items():
        assert sorted(seen(steps, name).tolist()) == list(range(count))
    assert passes(steps, sizes) == dict.fromkeys(sizes, 1.0)
    counts = [sum(map(len, step.values())) for step in steps]
    assert all(0 < count <= size for count in counts)
    assert all(len(rows) for step in steps for rows in step.values())


@given(sizes=SIZES, size=st.integers(1, 20), seed=st.integers(0, 1000))
def test_balanced_gives_every_source_the_same_share(sizes, size: int, seed: int) -> None:
    steps = Balanced(size).epoch(sizes, seed, 1)
    most = max(sizes.values())
    for step in steps:
        assert set(step) == set(sizes)
        assert len({len(rows) for rows in step.values()}) == 1
    for name, count in sizes.items():
        rows = seen(steps, name)
        assert len(rows) == most
        for lap in range(most // count):  # no clip again before all have been seen
            assert sorted(rows[lap * count : (lap + 1) * count].tolist()) == list(range(count))
    found = passes(steps, sizes)
    assert found == {name: most / count for name, count in sizes.items()}


@given(sizes=SIZES, size=st.integers(1, 20))
def test_alternating_steps_are_of_one_source_in_turn(sizes, size: int) -> None:
    steps = Alternating(size).epoch(sizes, 0, 1)
    order = [next(iter(step)) for step in steps]
    left = {name: -(-count // size) for name, count in sizes.items()}
    expected = []
    while any(left.values()):
        for name in sorted(left):
            if left[name]:
                expected.append(name)
                left[name] -= 1
    assert order == expected
    assert all(len(step) == 1 for step in steps)


@given(sizes=SIZES, size=st.integers(1, 20))
def test_proportional_steps_keep_the_ratio(sizes, size: int) -> None:
    steps = Proportional(size).epoch(sizes, 0, 1)
    whole = sum(sizes.values())
    for step in steps:
        held = sum(map(len, step.values()))
        for name, count in sizes.items():
            share = count / whole
            # a source misses its share by less than a clip, and by its part of the others' misses
            assert abs(len(step.get(name, ())) - held * share) <= 1 + len(sizes) * share


@pytest.mark.parametrize("kind", KINDS)
def test_batches_are_a_function_of_their_arguments(kind) -> None:
    sizes = {"b": 17, "a": 30}
    one = kind(8).epoch(sizes, 5, 2)
    np.random.default_rng(0).random(100)
    turned = kind(8).epoch(dict(reversed(sizes.items())), 5, 2)
    assert as_lists(one) == as_lists(turned)
    assert as_lists(one) != as_lists(kind(8).epoch(sizes, 5, 3))
    assert as_lists(one) != as_lists(kind(8).epoch(sizes, 6, 2))


@pytest.mark.parametrize("kind", [Alternating, Proportional, Balanced])
def test_adding_a_source_leaves_the_order_of_the_others(kind) -> None:
    alone = seen(kind(12).epoch({"a": 30}, 5, 2), "a")
    joined = seen(kind(12).epoch({"a": 30, "b": 30}, 5, 2), "a")
    np.testing.assert_array_equal(alone, joined)


def test_shuffles_differ_between_sources_of_one_size() -> None:
    steps = Alternating(50).epoch({"a": 50, "b": 50}, 5, 2)
    assert steps[0]["a"].tolist() != steps[1]["b"].tolist()


def test_a_known_order_stays_what_it_was() -> None:
    """Pinned: a change here changes every result; raise the spec's version then."""
    assert as_lists(Alternating(3).epoch({"x": 6}, 1, 1)) == [{"x": [0, 1, 2]}, {"x": [3, 5, 4]}]


def as_lists(steps) -> list[dict[str, list[int]]]:
    return [{name: rows.tolist() for name, rows in step.items()} for step in steps]


@pytest.mark.parametrize("kind", KINDS)
def test_a_batch_without_clips_is_refused(kind: type[Batches]) -> None:
    with pytest.raises(StudyError, match="expected >= 1"):
        kind(0)

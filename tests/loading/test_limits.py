"""Limits per label."""

from __future__ import annotations

from collections import Counter
from itertools import chain
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from raymtl.errors import StudyError
from raymtl.loading.limits import limit
from raymtl.reading.clips import Clip, ClipTable
from raymtl.tasks import AnyOf, OneOf, YesNo

WORD = OneOf("word", ("yes", "no", "others"), aliases=(("unknown", "others"),))
EVENTS = AnyOf("events", ("car", "dog"))
LOUD = YesNo("loud")
TASKS = (WORD, EVENTS, LOUD)


def clips(seed: int, many: int = 60) -> ClipTable:
    rng = np.random.default_rng(seed)
    words = [*WORD.labels, "unknown", "others", None]
    return ClipTable.of(
        [
            Clip(
                f"a/{i:03d}",
                f"{i}.wav",
                (),
                {
                    "word": words[rng.integers(len(words))],
                    "events": [e for e in EVENTS.labels if rng.random() < 0.5],
                    "loud": bool(rng.random() < 0.5),
                },
            )
            for i in range(many)
        ],
        Path("corpora/a"),
        TASKS,
    )


def words(table: ClipTable) -> Counter[str | None]:
    found = table.target("word").to_pylist()
    return Counter("others" if word == "unknown" else word for word in found)


@given(st.integers(0, 99), st.integers(0, 40), st.integers(0, 40), st.integers(0, 9))
def test_at_most_so_many_and_no_fewer_than_needed(seed: int, m: int, n: int, draw: int) -> None:
    table = clips(seed)
    before, after = words(table), words(limit(table, TASKS, [("others", m), ("word:no", n)], draw))
    assert after["others"] == min(before["others"], m)  # aliases count as their label
    assert after["no"] == min(before["no"], n)
    assert after["yes"] == before["yes"]
    assert after[None] == before[None]


@given(st.integers(0, 99), st.integers(0, 2**32 - 1))
def test_the_order_of_rows_changes_nothing(seed: int, shuffle: int) -> None:
    table = clips(seed)
    rows = np.random.default_rng(shuffle).permutation(len(table))
    mixed = ClipTable(table.table.take(pa.array(rows)), table.root)
    limits = [("others", 5), ("dog", 7)]
    assert sorted(limit(mixed, TASKS, limits, 0).ids) == limit(table, TASKS, limits, 0).ids


@given(st.integers(0, 99), st.integers(1, 30))
def test_a_smaller_limit_keeps_a_part_of_a_larger_one(seed: int, most: int) -> None:
    table = clips(seed)
    large = limit(table, TASKS, [("others", most)], 0)
    assert set(limit(table, TASKS, [("others", most - 1)], 0).ids) <= set(large.ids)


def test_the_draw_depends_on_the_seed() -> None:
    table = clips(0)
    assert len({tuple(limit(table, TASKS, [("others", 5)], s).ids) for s in range(9)}) > 5


def test_a_clip_with_several_labels_counts_for_each() -> None:
    table = clips(0)
    kept = limit(table, TASKS, [("car", 10), ("dog", 10)], 0)
    counts = Counter(chain.from_iterable(kept.target("events").to_pylist()))
    assert counts["car"] <= 10
    assert counts["dog"] == 10
    neither = sum(not e for e in table.target("events").to_pylist())
    assert sum(not e for e in kept.target("events").to_pylist()) == neither


def test_zero_drops_a_label() -> None:
    kept = limit(clips(0), TASKS, [("others", 0), ("loud:yes", 0)], 0)
    assert not words(kept)["others"]
    assert set(kept.target("loud").to_pylist()) == {False}


def test_no_limits_keep_the_table() -> None:
    table = clips(0)
    assert limit(table, TASKS, [], 0) is table


@pytest.mark.parametrize(
    ("limits", "message"),
    [
        ([("othres", 3)], r"'othres': no such label; .*Did you mean 'others'\?"),
        ([("Car ", 3)], r"Did you mean 'car'\?"),
        ([("no", 3)], "more than one task has this label. Write 'word:no' or 'loud:no'"),
        ([("dog", -1)], "limit 'dog': -1; expected the most clips"),
    ],
)
def test_limits_that_cannot_be_meant(limits: list[tuple[str, int]], message: str) -> None:
    with pytest.raises(StudyError, match=message):
        limit(clips(0), TASKS, limits, 0)


def test_limits_that_leave_nothing() -> None:
    table = clips(0)
    table = table.where(np.array([w == "yes" for w in table.target("word").to_pylist()]))
    with pytest.raises(StudyError, match=r"leave no clip of \d+"):
        limit(table, (WORD,), [("yes", 0)], 0)

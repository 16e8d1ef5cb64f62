"""Experiments: what a study may say, and how it is told what it may not."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations as subsets
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from raymtl.errors import StudyError
from raymtl.experiment import (
    Combinations,
    Experiment,
    combinations,
    random_combinations,
    short_names,
)
from raymtl.extraction.audio import Signal
from raymtl.extraction.features import LogMel, Mfcc
from raymtl.loading.splits import KFold
from raymtl.loading.stages import FixedLength
from raymtl.models.dnn import SharedDnn
from raymtl.reading.choosing import Labels
from raymtl.spec import digest
from raymtl.tasks import OneOf
from readers.esc import Esc10, Esc50
from readers.fsdd import Fsdd
from readers.ravdess import Ravdess
from tests.corpora import DIGITS

NAMES = ["c", "a", "b"]


def test_combinations_by_size() -> None:
    assert combinations(1).of(NAMES) == [("a",), ("b",), ("c",)]
    assert combinations(2).of(NAMES) == [("a", "b"), ("a", "c"), ("b", "c")]
    assert combinations(1, "all").of(NAMES) == [("a",), ("b",), ("c",), ("a", "b", "c")]


def test_random_combinations() -> None:
    names = "abcdef"
    found = random_combinations(7, sizes=(3, 4), seed=1).of(names)
    assert [len(one) for one in found] == [3] * 7 + [4] * 7
    assert len(set(found)) == 14
    assert random_combinations(7, sizes=(4, 3), seed=1).of(names[::-1]) == found
    assert random_combinations(7, seed=2).of(names) != random_combinations(7, seed=1).of(names)
    assert set(random_combinations(7).of(names)) < set(random_combinations(11).of(names))
    assert random_combinations(99, (2,)).of(names) == list(subsets(names, 2))
    mixed = combinations(1, "all", ["a", "b"], random_combinations(2))
    assert [len(one) for one in mixed.of(names)] == [1] * 6 + [2] + [3] * 2 + [6]
    assert mixed.named == (("a", "b"),)
    with pytest.raises(StudyError, match="combinations of 7: the study has 6 sources"):
        random_combinations(2, (7,)).of(names)
    with pytest.raises(StudyError, match="give a number of sets, 1 or more"):
        random_combinations(0)


def test_random_combinations_favour_no_source() -> None:
    """Each of 6 sources is in half of 2,700 sets of 3, drawn with 150 seeds."""
    drawn = [one for seed in range(150) for one in random_combinations(18, seed=seed).of("abcdef")]
    counts = [sum(name in one for one in drawn) for name in "abcdef"]
    assert sum(counts) == 3 * 2_700
    assert max(abs(count - 1_350) for count in counts) < 4 * (2_700 * 0.25) ** 0.5


def test_combinations_by_name() -> None:
    chosen = combinations(["b", "a"], ("c",)).of(NAMES)
    assert chosen == [("c",), ("a", "b")]


def test_the_same_set_said_twice_is_one() -> None:
    assert combinations(3, "all", ["a", "b", "c"], ["c", "b", "a"]).of(NAMES) == [("a", "b", "c")]
    assert combinations(["a", "a", "b"]).of(NAMES) == [("a", "b")]


@given(
    st.lists(st.text("abcdefg", min_size=1, max_size=2), unique=True, min_size=1, max_size=6),
    st.data(),
)
def test_sizes_give_every_subset_once(names: list[str], data: st.DataObject) -> None:
    sizes = data.draw(st.sets(st.integers(1, len(names)), min_size=1))
    found = combinations(*sizes).of(names)
    wanted = {frozenset(s) for size in sizes for s in subsets(names, size)}
    assert len(found) == len(wanted)
    assert {frozenset(c) for c in found} == wanted
    assert found == combinations(*sizes).of(names[::-1])


@pytest.mark.parametrize(
    ("which", "words"),
    [
        ((4,), "combinations of 4: the study has 3 sources"),
        ((0,), "combinations of 0"),
        ((-1,), "combinations of -1"),
        ((["a", "x"],), "no source 'x'; the study has c, a, b"),
        (([],), "combination .*: no source in it"),
        ((), "no combinations"),
    ],
)
def test_combinations_that_cannot_be(which: tuple[Any, ...], words: str) -> None:
    with pytest.raises(StudyError, match=words):
        combinations(*which).of(NAMES)


def test_a_bare_name_is_not_a_combination() -> None:
    with pytest.raises(StudyError, match="expected a size, 'all' or a list of names"):
        combinations("a")


def test_lists_and_tuples_make_the_same_experiment() -> None:
    made = replace(DIGITS, sources=tuple(DIGITS.sources), models=tuple(DIGITS.models))
    assert isinstance(DIGITS.sources, tuple)
    assert made == DIGITS
    assert hash(made) == hash(DIGITS)
    assert digest(made) == digest(DIGITS)


def test_the_grid_is_the_product() -> None:
    study = replace(
        DIGITS,
        extractions=[LogMel(bands=8), LogMel(bands=12), Mfcc()],
        models=[SharedDnn(width=8), SharedDnn(width=9)],
    )
    cells = study.cells()
    assert len(cells) == 3 * 3 * 2
    assert len({cell.name for cell in cells}) == len(cells)
    names = {cell.name for cell in cells}
    assert "fsdd.digit--logmel-bands12--shareddnn-width8" in names
    assert "fsdd.digit__fsdd.speaker--mfcc--shareddnn-width9" in names


def test_short_names_tell_siblings_apart() -> None:
    assert short_names([LogMel()]) == ["logmel"]
    assert short_names([LogMel(bands=8), LogMel(bands=9), Mfcc()]) == [
        "logmel-bands8",
        "logmel-bands9",
        "mfcc",
    ]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"sources": []}, r"digits: sources is \(\); expected a list of Source values"),
        ({"sources": Fsdd().source("digit")}, "expected a list of Source values"),
        ({"sources": [Fsdd()]}, "expected a list of Source values"),
        ({"extractions": [LogMel]}, "expected a list of Extraction values"),
        ({"extractions": []}, "extractions is"),
        ({"models": SharedDnn()}, "expected a list of Model values"),
        ({"stages": FixedLength(4)}, "expected a list of Stage values"),
        ({"seeds": ["0"]}, "expected a list of int values"),
        ({"seeds": []}, "seeds is"),
        ({"seeds": [0, 1, 0]}, "seed 0 is given twice"),
        ({"signal": 16_000}, "signal is 16000; expected Decoding"),
        ({"folds": 5}, "folds is 5; expected Splitter"),
        ({"training": None}, "training is None; expected Training"),
        ({"combinations": (1, "all")}, "expected Combinations"),
        ({"combinations": Combinations()}, "no combinations"),
        ({"combinations": combinations(["fsdd.digits"])}, "no source 'fsdd.digits'"),
        ({"validation": 0.2}, "expected Validation"),
        ({"name": "two words"}, "name 'two words': use ASCII letters"),
        ({"name": "../up"}, "use ASCII letters"),
        ({"name": ""}, "use ASCII letters"),
        ({"name": 3}, "name is 3; expected str"),
        ({"seed": "0"}, "seed is '0'; expected int"),
        ({"extractions": [LogMel(bands=4), LogMel(bands=4)]}, "two cells are called"),
    ],
)
def test_what_is_wrong_is_said_at_once(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(StudyError, match=words):
        replace(DIGITS, **changes)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"signal": 8_000}, "source fsdd.digit: signal is 8000; expected a Decoding"),
        ({"folds": 4}, "folds is 4; expected a Splitter"),
        ({"stages": [4]}, "expected Stage values"),
        ({"label": "a/b"}, "name 'a/b': use ASCII letters"),
        ({"label": "zwölf"}, "use ASCII letters"),
    ],
)
def test_parts_of_a_source_are_checked(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(StudyError, match=words):
        replace(DIGITS, sources=[Fsdd().source("digit", **changes)])


def test_an_unknown_part_of_a_source() -> None:
    with pytest.raises(StudyError, match=r"no part 'singal'; folds, .*signal.* can be set"):
        Fsdd().source("digit", singal=Signal())


def test_an_unknown_task() -> None:
    with pytest.raises(StudyError, match=r"Fsdd has no task 'digits'; it has digit, speaker"):
        Fsdd().source("digits")


def test_two_sources_of_one_name() -> None:
    with pytest.raises(StudyError, match=r"two sources are called 'fsdd\.digit'; .* label="):
        replace(DIGITS, sources=[Fsdd().source("digit"), Fsdd().source("digit")])
    told = replace(DIGITS, sources=[Fsdd().source("digit"), Fsdd().source("digit", label="twin")])
    assert told.source_names == ["fsdd.digit", "twin"]


def clash(**heads: Any) -> Experiment:
    """Two tasks of one name with different labels, in combination."""
    mine = OneOf("category", ("rain", "dog"))
    return replace(
        DIGITS,
        folds=KFold(2),
        sources=[
            Esc50().source(),
            Esc10().source(Esc10().tasks[0], label="ten"),
            Fsdd().source(replace(mine, name="category"), label="mine", **heads),
        ],
    )


def test_different_tasks_of_one_name_cannot_share_a_head() -> None:
    with pytest.raises(StudyError) as caught:
        clash()
    text = str(caught.value)
    assert "'category' differs between" in text
    assert "esc50.category" in text
    assert "mine" in text
    assert "heads={'category': 'another name'}" in text


def test_the_remedy_the_error_names_is_one() -> None:
    study = clash(heads={"category": "another name"})
    assert [t.name for t in study.source("mine").tasks] == ["another name"]


def test_different_tasks_of_one_name_may_lie_in_different_combinations() -> None:
    mine = Fsdd().source(OneOf("category", ("rain", "dog")), label="mine")
    study = replace(DIGITS, sources=[Esc50().source(), mine], combinations=combinations(1))
    assert len(study.cells()) == 2


def test_equal_tasks_share_a_head_whatever_a_corpus_calls_the_labels() -> None:
    task = OneOf("digit", Fsdd().tasks[0].labels_, aliases=(("zero", "0"),))  # type: ignore[attr-defined]
    study = replace(DIGITS, sources=[Fsdd().source("digit"), Fsdd().source(task, label="words")])
    assert study.combinations.of(study.source_names)[-1] == ("fsdd.digit", "words")


def test_two_tasks_of_one_source_cannot_share_a_head() -> None:
    with pytest.raises(StudyError, match="two tasks share the head 'sex'"):
        replace(DIGITS, sources=[Ravdess().source("sex", "stress", heads={"stress": "sex"})])


def test_parts_of_a_source_replace_the_studys() -> None:
    own = Signal(rate=4_000)
    study = replace(
        DIGITS,
        sources=[
            Fsdd().source("digit", signal=own, stages=[], folds=KFold(2)),
            Fsdd().source("speaker"),
        ],
    )
    digit, speaker = study.sources
    assert (study.signal_of(digit), study.signal_of(speaker)) == (own, DIGITS.signal)
    assert (study.stages_of(digit), study.stages_of(speaker)) == ((), DIGITS.stages)
    assert (study.folds_of(digit), study.folds_of(speaker)) == (KFold(2), DIGITS.folds)


def test_a_weight_for_no_task_is_refused() -> None:
    with pytest.raises(StudyError, match=r"weights hold 'digitt': 5.0; expected one of digit"):
        replace(DIGITS, training=replace(DIGITS.training, weights=(("digitt", 5.0),)))


def test_a_head_for_no_task_is_refused() -> None:
    source = Fsdd().source("digit", heads={"digti": "x"})
    with pytest.raises(StudyError, match="heads names 'digti'; its tasks are digit"):
        replace(DIGITS, sources=[source])


@pytest.mark.parametrize(
    ("part", "words"),
    [
        ({"limit": 3}, "limit is 3; expected the most clips of each label"),
        ({"limit": {"0": "few"}}, "limit is .*'few'.*expected the most clips"),
        ({"where": Labels("digit")}, "where is Labels.*expected a list of Labels, Values"),
        ({"groups": "speaker"}, "groups is 'speaker'; expected a list of kinds"),
    ],
)
def test_parts_of_a_source_of_the_wrong_kind(part: dict[str, Any], words: str) -> None:
    with pytest.raises(StudyError, match=words):
        replace(DIGITS, sources=[Fsdd().source("digit", **part)])


def test_a_source_of_a_class_is_told() -> None:
    with pytest.raises(StudyError, match=r"called on a reader's class; write Reader\(\)"):
        Fsdd.source("digit")  # type: ignore[arg-type]

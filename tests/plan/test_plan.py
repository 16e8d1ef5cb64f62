"""What a change of the study, or of the data, leaves to be done: no more and no less."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from raymtl.errors import DecodingError, StudyError
from raymtl.experiment import Experiment, combinations
from raymtl.extraction.audio import Segments, Signal
from raymtl.extraction.features import LogMel, Mfcc
from raymtl.loading.batches import Alternating
from raymtl.loading.splits import KFold, Official, Validation
from raymtl.loading.stages import FixedLength, Standardise
from raymtl.models.dnn import SharedDnn
from raymtl.plan import Plan
from raymtl.plan.estimate import estimate
from raymtl.reading.choosing import Duration, Labels, Values
from raymtl.reading.deriving import coarse
from raymtl.spec import digest
from raymtl.tasks import OneOf
from raymtl.training.optimise import Adam
from raymtl.training.training import Training
from readers.esc import Esc10, Esc50
from readers.fsdd import Fsdd
from readers.ravdess import Ravdess
from tests.corpora import DIGITS, plan_of

GRID = replace(
    DIGITS,
    name="grid",
    sources=[Fsdd().source("digit"), Ravdess().source("emotion"), Ravdess().source("statement")],
    combinations=combinations(1, 2, "all"),
    extractions=[LogMel(bands=12), Mfcc(coefficients=10)],
    models=[SharedDnn(width=8, depth=1), SharedDnn(width=9, depth=1)],
    folds=KFold(2),
)
SETS, CELLS, FOLDS = 7, 28, 2


@pytest.fixture
def plan(corpora: Path, tmp_path: Path) -> Callable[..., Plan]:
    """Plans `GRID`, or another experiment, with some changes."""

    def make(experiment: Experiment = GRID, data: Path = corpora, **changes: Any) -> Plan:
        return plan_of(experiment, data, tmp_path / "store", **changes)

    return make


def addresses(plan: Plan) -> tuple[set[str], set[str], set[str]]:
    """Of feature sets, fits and runs."""
    return (
        {job.address for job in plan.features},
        set(plan.fits),
        {job.digest for job in plan.runs},
    )


def new(before: Plan, after: Plan) -> tuple[int, int, int]:
    """How many feature sets, fits and runs the second plan has that the first has not."""
    pairs = zip(addresses(before), addresses(after), strict=True)
    return tuple(len(b - a) for a, b in pairs)  # type: ignore[return-value]


def test_the_whole_plan_is_counted(plan: Callable[..., Plan]) -> None:
    """Two corpora × two extractions; length 16 is told, so combinations need no fits of theirs.

    The two sources of RAVDESS have their own training clips in each fold, or the same.
    """
    made = plan()
    assert len(made.features) == 2 * 2
    assert len(made.cells) == SETS * 2 * 2
    assert len(made.runs) == len(made.missing) == CELLS * FOLDS
    trained = {(name, split.parts[name].train) for split in made.splits for name in made.tables}
    unique = {("ravdess" if "ravdess" in n else n, ids) for n, ids in trained}
    assert len(made.fits) == 2 * len(unique)
    assert len({job.run for job in made.runs}) == len({job.digest for job in made.runs}) == 56


@pytest.mark.parametrize(
    ("changes", "counts"),
    [
        ({}, (0, 0, 0)),
        ({"name": "other"}, (0, 0, 0)),
        ({"extractions": [LogMel(bands=12), Mfcc(coefficients=11)]}, (2, None, 28)),
        ({"extractions": [LogMel(bands=12), Mfcc(coefficients=10, bands=41)]}, (2, None, 28)),
        ({"signal": Signal(rate=8_000, seconds=0.3)}, (4, None, 56)),
        ({"stages": [Standardise("feature"), FixedLength(17)]}, (0, None, 56)),
        ({"stages": [Standardise("cell"), FixedLength(16)]}, (0, None, 56)),
        ({"models": [SharedDnn(width=8, depth=1), SharedDnn(width=9, depth=2)]}, (0, 0, 28)),
        ({"models": [SharedDnn(width=8, depth=1)]}, (0, 0, 0)),
        ({"models": [*GRID.models, SharedDnn(width=7, depth=1)]}, (0, 0, 28)),
        ({"training": replace(GRID.training, epochs=4)}, (0, 0, 56)),
        ({"training": replace(GRID.training, optimiser=Adam(1e-3))}, (0, 0, 56)),
        ({"training": replace(GRID.training, batches=Alternating(31))}, (0, 0, 56)),
        ({"seeds": [0, 1]}, (0, 0, 56)),
        ({"seeds": [1]}, (0, 0, 56)),
        ({"combinations": combinations(1, 2)}, (0, 0, 0)),
    ],
)
def test_a_change_costs_what_it_touches(
    plan: Callable[..., Plan], changes: dict[str, Any], counts: tuple[int, int | None, int]
) -> None:
    """None stands for: every fit of the new feature sets or stages."""
    before, after = plan(), plan(**changes)
    found = new(before, after)
    if counts[1] is None:
        touched = {
            source.fit
            for job in after.runs
            for source in job.sources
            if job.digest not in addresses(before)[2]
        }
        assert found[1] == len(touched) > 0
    else:
        assert found[1] == counts[1]
    assert (found[0], found[2]) == (counts[0], counts[2])


def test_a_stage_of_one_source_leaves_the_others(plan: Callable[..., Plan]) -> None:
    digit, *others = GRID.sources
    changed = digit.with_(stages=[Standardise("cell"), FixedLength(16)])
    before, after = plan(), plan(sources=[changed, *others])
    assert new(before, after) == (0, 2 * FOLDS, 4 * 4 * FOLDS)  # 4 of 7 sets hold the source


def test_a_stage_over_the_combination_has_a_fit_for_each(plan: Callable[..., Plan]) -> None:
    before = plan()
    after = plan(stages=[Standardise("feature"), FixedLength("maximum", scope="combination")])
    touched = {
        (s.name, job.cell.extraction, job.cell.sources, job.fold)
        for job in after.runs
        for s in job.sources
    }
    alone = {(s.features, s.train) for job in after.runs for s in job.sources}
    assert len(alone) < len(after.fits) <= len(touched)
    assert new(before, after)[0] == 0


def test_a_source_more_adds_its_cells_and_nothing_else(plan: Callable[..., Plan]) -> None:
    """ESC-50 shares no group with the others, so that no split of theirs moves."""
    fewer = replace(GRID, combinations=combinations(1, 2))
    before = plan(fewer)
    after = plan(fewer, sources=[*GRID.sources, Esc50().source(folds=KFold(2))])
    assert all(a <= b for a, b in zip(addresses(before), addresses(after), strict=True))
    assert new(before, after) == (2, 2 * FOLDS, (1 + 3) * 4 * FOLDS)


@pytest.mark.parametrize("experiment", [GRID, replace(GRID, folds=KFold(2, stratify=False))])
def test_order_says_nothing(plan: Callable[..., Plan], experiment: Experiment) -> None:
    before = plan(experiment)
    after = plan(
        experiment,
        sources=experiment.sources[::-1],
        extractions=experiment.extractions[::-1],
        models=experiment.models[::-1],
    )
    assert addresses(after) == addresses(before)
    assert {job.run for job in after.runs} == {job.run for job in before.runs}


def test_place_and_order_of_files_say_nothing(
    plan: Callable[..., Plan], corpora: Path, tmp_path: Path
) -> None:
    """Every file copied elsewhere, in reverse, so that folders list them in another order."""
    moved = tmp_path / "a place with spaces" / "data"
    for path in sorted(corpora.rglob("*"), reverse=True):
        if path.is_file():
            target = moved / path.relative_to(corpora)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, target)
    before, after = plan(), plan(data=moved)
    assert addresses(after) == addresses(before)
    assert [job.run for job in after.runs] == [job.run for job in before.runs]


CATEGORIES = replace(
    GRID,
    folds=Official(),
    combinations=combinations(1, "all"),
    sources=[Fsdd().source("digit"), Esc50().source()],
)


def test_a_corrected_label_costs_runs_of_its_source_alone(
    plan: Callable[..., Plan], corpora: Path, tmp_path: Path
) -> None:
    shutil.copytree(corpora, tmp_path / "data")
    table = tmp_path / "data" / "ESC-50" / "meta" / "esc50.csv"
    lines = table.read_text().splitlines()
    wrong = lines[1].split(",")
    wrong[3] = next(w for line in lines[2:] if (w := line.split(",")[3]) != wrong[3])
    before = plan(CATEGORIES)
    table.write_text("\n".join([lines[0], ",".join(wrong), *lines[2:]]) + "\n")
    after = plan(CATEGORIES, data=tmp_path / "data")
    assert new(before, after)[0] == 0
    theirs = {s.fit for job in after.runs for s in job.sources if s.name == "esc50.category"}
    assert addresses(after)[1] - addresses(before)[1] <= theirs  # validation is stratified
    changed = [job for job in after.runs if job.digest not in addresses(before)[2]]
    assert {job.cell.sources for job in changed} == {
        ("esc50.category",),
        ("esc50.category", "fsdd.digit"),
    }
    assert len(changed) == 2 * len(after.runs) // 3


def test_a_corrected_recording_costs_its_features_and_what_follows(
    plan: Callable[..., Plan], corpora: Path, tmp_path: Path
) -> None:
    shutil.copytree(corpora, tmp_path / "data")
    wave = next((tmp_path / "data" / "fsdd").rglob("*.wav"))
    sound, rate = soundfile.read(wave)
    soundfile.write(wave, sound[::-1], rate)
    before, after = plan(CATEGORIES), plan(CATEGORIES, data=tmp_path / "data")
    assert new(before, after)[0] == 2
    changed = {job.cell.sources for job in after.runs if job.digest not in addresses(before)[2]}
    assert changed == {("fsdd.digit",), ("esc50.category", "fsdd.digit")}


def test_a_limit_costs_no_extraction(plan: Callable[..., Plan]) -> None:
    digit, *others = GRID.sources
    before = plan()
    after = plan(sources=[digit.with_(limit={"3": 2, "4": 0}), *others])
    assert new(before, after)[0] == 0
    assert new(before, after)[2] == 4 * 4 * FOLDS
    kept = after.tables["fsdd.digit"].target("digit").to_pylist()
    assert (kept.count("3"), kept.count("4"), kept.count("5")) == (2, 0, 16)
    assert len(after.features[0].rows) == 160


def test_an_unknown_label_in_a_limit(plan: Callable[..., Plan]) -> None:
    digit, *others = GRID.sources
    with pytest.raises(StudyError, match="'eleven'"):
        plan(sources=[digit.with_(limit={"eleven": 2}), *others])


def test_a_best_epoch_needs_validation_clips(plan: Callable[..., Plan]) -> None:
    none = Validation(0.0)
    with pytest.raises(StudyError, match=r"fsdd\.digit: no validation clip in split 1 \(training"):
        plan(validation=none)
    last = replace(GRID.training, select="last", patience=None)
    assert not plan(validation=none, training=last).splits[0].parts["fsdd.digit"].validation


def test_sources_of_one_corpus_share_features(plan: Callable[..., Plan]) -> None:
    shared = [job for job in plan().features if "ravdess.emotion" in job.sources]
    assert [job.sources for job in shared] == [("ravdess.emotion", "ravdess.statement")] * 2
    own = plan(
        sources=[GRID.sources[0], GRID.sources[1], GRID.sources[2].with_(signal=Signal(rate=4_000))]
    )
    assert len(own.features) == 3 * 2


def test_a_source_with_missing_targets_has_features_of_its_clips(plan: Callable[..., Plan]) -> None:
    """Stress is told of two emotions in eight."""
    made = plan(
        sources=[Ravdess().source("stress"), Ravdess().source("emotion")],
        extractions=[LogMel(bands=12)],
        combinations=combinations(1),
    )
    assert {job.sources: len(job.rows) for job in made.features} == {
        ("ravdess.stress",): 24,
        ("ravdess.emotion",): 96,
    }


def test_segments_are_cut_of_each_clip(plan: Callable[..., Plan]) -> None:
    made = plan(CATEGORIES, signal=Signal(rate=8_000, segments=Segments(0.25)))
    esc = made.tables["esc50.category"]
    assert len(esc) == 4 * 80
    for split in made.splits:
        part = split.parts["esc50.category"]
        sides = [{i.split("@")[0] for i in ids} for ids in (part.train, part.test)]
        assert not sides[0] & sides[1]


def test_seeds_change_the_order_and_the_study_seed_the_split(plan: Callable[..., Plan]) -> None:
    before = plan()
    assert {job.seed for job in before.runs}.isdisjoint(job.seed for job in plan(seeds=[5]).runs)
    assert [s.parts for s in plan(seeds=[5]).splits] == [s.parts for s in before.splits]
    assert [s.parts for s in plan(seed=1).splits] != [s.parts for s in before.splits]
    assert new(before, plan(seed=1))[0] == 0


def test_cells_of_one_fold_and_seed_begin_alike(plan: Callable[..., Plan]) -> None:
    """Gains are paired: the same seed alone and combined."""
    seeds = {(job.fold, job.repeat): set() for job in plan(seeds=[0, 1]).runs}
    for job in plan(seeds=[0, 1]).runs:
        seeds[job.fold, job.repeat].add(job.seed)
    assert len(seeds) == 4
    assert all(len(found) == 1 for found in seeds.values())
    assert len(set.union(*seeds.values())) == 4


@pytest.mark.parametrize(
    ("only", "cells"),
    [
        ("fsdd.digit--*", 4),
        ("mfcc", 14),
        ("*mfcc*width9", 7),
        ("fsdd*", 16),
        ("width8", 14),
        ("fsdd.digit__ravdess.emotion--logmel*", 2),
        ("ravdess.emotion__ravdess", 8),
    ],
)
def test_only_some_cells(plan: Callable[..., Plan], only: str, cells: int) -> None:
    """Fewer cells, each with the same runs, and no features but theirs."""
    whole, made = plan(), plan(only=only)
    assert len(made.cells) == cells
    assert addresses(made)[2] < addresses(whole)[2]
    used = {s.features for job in made.runs for s in job.sources}
    assert used == addresses(made)[0]
    assert {s.fit for job in made.runs for s in job.sources} == addresses(made)[1]


def test_only_nothing(plan: Callable[..., Plan]) -> None:
    with pytest.raises(StudyError, match=r"--only 'fssd' matches no cell. The first cells are:\n"):
        plan(only="fssd")


def test_planning_twice_reads_the_files_once(
    plan: Callable[..., Plan], monkeypatch: pytest.MonkeyPatch
) -> None:
    before = plan()

    def refuse(path: Path) -> None:
        raise AssertionError(f"{path} read again")

    monkeypatch.setattr("raymtl.extraction.inspection._scan", refuse)
    assert addresses(plan()) == addresses(before)


def test_the_plan_is_not_changed_by_paths_in_the_spec(plan: Callable[..., Plan]) -> None:
    """Digests of whole studies hold no path either."""
    assert digest(GRID) == digest(replace(GRID))
    assert str(plan().store) not in str(plan().runs)


# --- leakage ---------------------------------------------------------------------------------

STUDIES = {
    "digits": DIGITS,
    "shared speakers": GRID,
    "shared recordings": replace(
        GRID, sources=[Esc50().source(), Esc10().source(), Fsdd().source("digit")], folds=Official()
    ),
    "unequal folds": replace(
        GRID,
        sources=[Ravdess().source("emotion"), Ravdess().source("stress", label="stress")],
        folds=KFold(3),
    ),
    "other validation": replace(GRID, validation=Validation(0.3), seed=3),
}


@pytest.mark.parametrize("name", STUDIES)
def test_no_clip_and_no_group_is_on_two_sides(plan: Callable[..., Plan], name: str) -> None:
    made = plan(STUDIES[name])
    for job in made.runs:
        groups = _groups(made)
        seen: dict[str, set[str]] = {"train": set(), "validation": set(), "test": set()}
        for source in job.sources:
            parts = {part: set(getattr(source, part)) for part in seen}
            assert parts["train"]
            assert parts["test"]
            assert len(set.union(*parts.values())) == sum(map(len, parts.values()))
            assert set.union(*parts.values()) <= set(made.tables[source.name].ids)
            for part, ids in parts.items():
                seen[part] |= {g for i in ids for g in groups[source.name][i]} | ids
        conflicts = {c.group for c in job.conflicts}
        assert not seen["train"] & seen["test"] - conflicts
        assert not seen["train"] & seen["validation"] - conflicts
        assert not seen["validation"] & seen["test"] - conflicts


def _groups(plan: Plan) -> dict[str, dict[str, set[str]]]:
    return {
        name: dict(zip(table.ids, map(set, table.groups()), strict=True))
        for name, table in plan.tables.items()
    }


@pytest.mark.parametrize("name", STUDIES)
def test_a_source_has_the_same_clips_alone_and_combined(
    plan: Callable[..., Plan], name: str
) -> None:
    found: dict[tuple[str, int], set[tuple[Any, ...]]] = {}
    for job in plan(STUDIES[name]).runs:
        for source in job.sources:
            parts = source.train, source.validation, source.test
            found.setdefault((source.name, job.fold), set()).add(parts)
    assert all(len(parts) == 1 for parts in found.values())


def test_a_learnt_speaker_is_on_both_sides_and_that_is_said(plan: Callable[..., Plan]) -> None:
    made = plan(DIGITS)
    assert any("a speaker may be on both sides" in note for note in made.notes)
    kept = plan(
        DIGITS, sources=[Fsdd().source("digit")], folds=KFold(2), combinations=combinations(1)
    )
    assert not any("both sides" in note for note in kept.notes)


def test_identical_recordings_are_on_one_side(
    plan: Callable[..., Plan], corpora: Path, tmp_path: Path
) -> None:
    """Whatever their names say: two speakers' files are made equal."""
    shutil.copytree(corpora / "fsdd", tmp_path / "data" / "fsdd")
    folder = tmp_path / "data" / "fsdd" / "recordings"
    shutil.copyfile(folder / "3_theo_5.wav", folder / "3_george_6.wav")
    made = plan(
        DIGITS,
        sources=[Fsdd().source("digit", groups=["take"])],
        folds=KFold(2),
        data=tmp_path / "data",
        combinations=combinations(1),
    )
    for split in made.splits:
        part = split.parts["fsdd.digit"]
        sides = [
            side
            for side in (part.train, part.validation, part.test)
            for name in ("3_theo_5", "3_george_6")
            if f"fsdd/recordings/{name}" in side
        ]
        assert len(sides) == 2
        assert sides[0] == sides[1]


# --- bad recordings ----------------------------------------------------------------------------


@pytest.fixture
def damaged(corpora: Path, tmp_path: Path) -> Path:
    """A data root whose FSDD has an empty, a cut and a garbled recording."""
    shutil.copytree(corpora / "fsdd", tmp_path / "data" / "fsdd")
    folder = tmp_path / "data" / "fsdd" / "recordings"
    (folder / "0_george_5.wav").write_bytes(b"")
    cut = folder / "1_george_5.wav"
    cut.write_bytes(cut.read_bytes()[:200])
    (folder / "2_george_5.wav").write_bytes(np.random.default_rng(0).bytes(4_000))
    return tmp_path / "data"


def test_bad_recordings_are_one_error(plan: Callable[..., Plan], damaged: Path) -> None:
    with pytest.raises(DecodingError, match="3 clips cannot be used") as caught:
        plan(DIGITS, data=damaged)
    text = str(caught.value)
    assert all(f"{digit}_george_5.wav: " in text for digit in "012")
    assert "pass --bad-files skip" in text


def test_bad_recordings_are_skipped_with_their_reasons(
    plan: Callable[..., Plan], damaged: Path
) -> None:
    made = plan(DIGITS, data=damaged, bad_files="skip")
    skipped = made.corpora.sources["fsdd.digit"].skipped
    assert [Path(s.path).name for s in skipped] == [f"{d}_george_5.wav" for d in "012"]
    assert all(s.reason for s in skipped)
    bad = {s.id for s in skipped}
    assert len(made.tables["fsdd.digit"]) == 157
    for job in made.runs:
        for source in job.sources:
            assert not bad & {*source.train, *source.validation, *source.test}


def test_a_long_list_of_bad_recordings_is_cut(
    plan: Callable[..., Plan], corpora: Path, tmp_path: Path
) -> None:
    shutil.copytree(corpora / "fsdd", tmp_path / "data" / "fsdd")
    for path in (tmp_path / "data" / "fsdd" / "recordings").glob("?_theo_*.wav"):
        path.write_bytes(b"")
    with pytest.raises(DecodingError, match="40 clips cannot be used") as caught:
        plan(DIGITS, data=tmp_path / "data")
    assert "(+20 more)" in str(caught.value)
    assert len(str(caught.value).splitlines()) == 23


# --- estimate ----------------------------------------------------------------------------------


def test_an_estimate_is_positive_and_changes_nothing(
    plan: Callable[..., Plan], tmp_path: Path
) -> None:
    made = plan()
    before = {p: p.stat().st_mtime_ns for p in tmp_path.rglob("*")}
    cost = estimate(made)
    assert cost.extraction_seconds > 0
    assert cost.training_seconds > 0
    assert cost.feature_bytes > 0
    assert cost.record_bytes > 0
    assert {p: p.stat().st_mtime_ns for p in tmp_path.rglob("*")} == before


def test_training_cost_counts_clips_and_epochs(
    plan: Callable[..., Plan], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a millisecond a clip: 120 clips train less those held out, which cost 0.35 each."""
    monkeypatch.setattr("raymtl.plan.estimate._step_cost", lambda job, shape: (1e-3, 1_000))
    made = plan(
        DIGITS,
        sources=[Fsdd().source("digit")],
        combinations=combinations(1),
        training=Training(epochs=40, batches=Alternating(1)),
    )
    part = made.splits[0].parts["fsdd.digit"]
    assert len(part.train) + len(part.validation) == 120
    wanted = 40 * 1e-3 * (len(part.train) + 0.35 * len(part.validation))
    assert estimate(made).training_seconds == pytest.approx(wanted)


def test_feature_bytes_are_those_of_the_features(plan: Callable[..., Plan]) -> None:
    """Clips of one length: 80 of 1 s, hop 10 ms, 12 and 10 bands of float32."""
    made = plan(CATEGORIES, sources=[Esc50().source()], combinations=combinations(1))
    assert estimate(made).feature_bytes == pytest.approx(80 * 100 * 22 * 4, rel=0.03)


def test_an_estimate_with_nothing_but_bad_recordings_at_first(
    plan: Callable[..., Plan], corpora: Path, tmp_path: Path
) -> None:
    """NaN shows only when a recording is decoded; the plan is shown all the same."""
    shutil.copytree(corpora / "fsdd", tmp_path / "data" / "fsdd")
    folder = tmp_path / "data" / "fsdd" / "recordings"
    for number, path in enumerate(sorted(folder.glob("0_*.wav"))):
        soundfile.write(path, np.full(4_000 + number, np.nan), 8_000, subtype="FLOAT")
    assert estimate(plan(DIGITS, data=tmp_path / "data")).training_seconds > 0
    for number, path in enumerate(sorted(folder.glob("*.wav"))):
        soundfile.write(path, np.full(4_000 + number, np.nan), 8_000, subtype="FLOAT")
    assert estimate(plan(DIGITS, data=tmp_path / "data")).feature_bytes == 0


def test_a_task_of_ones_own(plan: Callable[..., Plan]) -> None:
    """Labels the corpus has and the task lacks are said while planning."""
    few = OneOf("digit", ("0", "1"))
    with pytest.raises(Exception, match=r"digit.*'2'"):
        plan(DIGITS, sources=[Fsdd().source(few)], combinations=combinations(1))


def test_a_kind_of_group_that_no_clip_has_is_refused(corpora: Path, tmp_path: Path) -> None:
    with pytest.raises(StudyError, match="groups names 'speker'; its clips have groups of kind"):
        plan_of(DIGITS, corpora, tmp_path, sources=[Fsdd().source("digit", groups=["speker"])])


def test_a_sibling_changes_no_run(corpora: Path, tmp_path: Path) -> None:
    """Neither digest nor folder: labels of cells tell siblings apart, names of runs need not."""
    alone = plan_of(DIGITS, corpora, tmp_path)
    beside = plan_of(DIGITS, corpora, tmp_path, extractions=[LogMel(bands=12), LogMel(bands=20)])
    assert {job.run for job in alone.runs} < {job.run for job in beside.runs}


# --- choosing and shaping ----------------------------------------------------------------------


def test_fewer_training_clips_change_nothing_else(plan: Callable[..., Plan]) -> None:
    """Nested parts of the training clips; the same validation and test clips and features."""
    sizes = {"few": 12, "more": 0.7, "whole": None}
    sources = [Fsdd().source("digit", label=name, train=n) for name, n in sizes.items()]
    made = plan(sources=sources, combinations=combinations(1), extractions=[LogMel(bands=12)])
    for split in made.splits:
        few, more, whole = (split.parts[name] for name in sizes)
        assert set(few.train) < set(more.train) < set(whole.train)
        assert (len(few.train), len(more.train)) == (12, round(0.7 * len(whole.train)))
        assert few.test == more.test == whole.test
        assert few.validation == more.validation == whole.validation
    assert len(made.features) == 1
    assert len(addresses(made)[2]) == 3 * 2 * FOLDS


def test_a_source_of_chosen_clips(plan: Callable[..., Plan]) -> None:
    where = [Labels("digit", keep=("1", "2")), Values("speaker", drop=("fsdd/theo",))]
    made = plan(
        sources=[Fsdd().source("digit", where=where)],
        combinations=combinations(1),
        validation=Validation(0),
        training=replace(GRID.training, select="last", patience=None),
    )
    assert set(made.tables["fsdd.digit"].target("digit").to_pylist()) == {"1", "2"}
    assert not any("theo" in i for i in made.tables["fsdd.digit"].ids)
    assert {len(job.rows) for job in made.features} == {2 * 3 * 4}


def test_a_source_of_long_clips(plan: Callable[..., Plan]) -> None:
    whole = plan(sources=[Fsdd().source("digit")], combinations=combinations(1))
    seconds = {i: whole.corpora.facts[path].seconds for i, path in clips_of(whole)}
    least = float(np.median(list(seconds.values())))
    made = plan(
        sources=[Fsdd().source("digit", where=[Duration(least=least)])],
        combinations=combinations(1),
    )
    assert made.tables["fsdd.digit"].ids == sorted(i for i, n in seconds.items() if n >= least)


def clips_of(plan: Plan) -> list[tuple[str, Path]]:
    table = plan.tables["fsdd.digit"]
    return list(zip(table.ids, table.paths(), strict=True))


def test_a_derived_task_beside_its_own(plan: Callable[..., Plan]) -> None:
    digit = Fsdd().tasks[0]
    parity = coarse("parity", digit, {"even": tuple("02468"), "odd": tuple("13579")})
    made = plan(sources=[Fsdd().source("digit", parity)], combinations=combinations(1))
    table = made.tables["fsdd.digit+parity"]
    for digit_, parity_ in zip(table.target("digit"), table.target("parity"), strict=True):
        assert parity_.as_py() == ("odd" if int(digit_.as_py()) % 2 else "even")


@pytest.mark.parametrize("train", [0, -3, 1.5, True, "half"])
def test_amounts_of_training_clips_that_cannot_be_meant(train: Any) -> None:
    with pytest.raises(StudyError, match=r"fsdd\.digit: train is .*expected a number of clips"):
        replace(GRID, sources=[Fsdd().source("digit", train=train)], combinations=combinations(1))


def test_choices_that_are_none() -> None:
    with pytest.raises(StudyError, match=r"where is \('digit',\); expected a list of Labels"):
        replace(GRID, sources=[Fsdd().source(where=["digit"])], combinations=combinations(1))

"""ASVspoof 2015: protocols with their column orders, missing targets, impostors, enrolment."""

from __future__ import annotations

import shutil
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

import pytest
import soundfile

from raymtl.errors import ReaderError, StudyError
from raymtl.reading.clips import ClipTable
from readers.asvspoof2015 import ATTACKS, PROTOCOLS, AsvSpoof2015
from tests.learnability import recall


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("asv")
    AsvSpoof2015.miniature(folder, 0)
    return folder


@pytest.fixture(scope="module")
def mini(root: Path) -> ClipTable:
    return AsvSpoof2015().read(root)


@pytest.fixture
def copy(root: Path, tmp_path: Path) -> Path:
    shutil.copytree(root, tmp_path / "asv")
    return tmp_path / "asv"


def _corpus(root: Path, lists: dict[str, str]) -> Path:
    """A corpus of the given protocols with an empty file for every clip they name."""
    for name, text in lists.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
        for line in text.splitlines():
            comma = "," in line
            speaker, *files = line.split(",") if comma else line.split()
            for file in files if comma else files[:1]:
                (root / "wav" / speaker).mkdir(parents=True, exist_ok=True)
                (root / "wav" / speaker / f"{file}.wav").touch()
    return root


def _rows(table: ClipTable) -> dict[str, dict[str, Any]]:
    return {row["id"].rsplit("/", 1)[1]: row for row in table.table.to_pylist()}


# Lines as published, one or two of each file.
TRAIN = {"CM_protocol/cm_train.trn": "T20 T20_1016375 S4 spoof\nT2 T2_1000001 human human\n"}
JOINT = "Joint_ASV_CM_protocol/ASV_{}.ndx"
DEVELOPMENT = {
    "CM_protocol/cm_develop.ndx": "D35 D35_1053372 S5 spoof\nD18 D18_1000001 human human\n",
    JOINT.format("male_development"): "D34 D34_1051067 spoof S5\nD18 D18_A100001 impostor human\n"
                                      "D18 D18_1000001 genuine human\n",
    JOINT.format("female_development"): "D19 D19_1000009 genuine human\n",
    JOINT.format("male_enrolment"): "".join(
        f"{s},{','.join(f'{s}_EN1000{k}' for k in range(1, 6))}\n" for s in ("D18", "D34")),
    JOINT.format("female_enrolment"): "".join(
        f"{s},{','.join(f'{s}_EN1000{k}' for k in range(1, 6))}\n" for s in ("D19", "D35")),
}  # fmt: skip
EVALUATION = {
    "CM_protocol/cm_evaluation.ndx": "E27 E10175855 human human\nE46 E10044427 S10 spoof\n",
    JOINT.format("male_evaluation"): "E27 E10175855 genuine human\nE27 EAM1 impostor human\n",
    JOINT.format("female_evaluation"): "E46 E10044427 spoof S10\nE46 EAF1 impostor human\n",
}


def test_published_lines_are_read(tmp_path: Path) -> None:
    root = _corpus(tmp_path, {**TRAIN, **DEVELOPMENT, **EVALUATION})
    rows = _rows(AsvSpoof2015(protocols=PROTOCOLS).read(root))
    assert rows["T20_1016375"]["target:attack"] == "S4"
    assert rows["T20_1016375"]["target:spoof"] is True
    assert rows["D34_1051067"]["target:attack"] == "S5"  # key before attack in that list
    assert rows["D34_1051067"]["target:spoof"] is True
    assert rows["E10175855"]["target:speaker"] == "E27"  # not in the file's name
    assert rows["E10175855"]["audio"] == "wav/E27/E10175855.wav"
    assert rows["E10044427"]["target:attack"] == "S10"
    assert len(rows) == 2 + 5 + 4 + 4 * 5


def test_parts_are_told_by_the_speakers(mini: ClipTable) -> None:
    letters = {"T": "train", "D": "validation", "E": "test"}
    parts = defaultdict(set)
    for row in mini.table.to_pylist():
        speaker = row["audio"].split("/")[1]
        assert row["groups"] == [f"speaker:asvspoof2015/{speaker}"]
        parts[speaker].add(row["split"])
    assert {s: {letters[s[0]]} for s in parts} == parts


def test_sex_is_missing_for_training_speakers_only(mini: ClipTable) -> None:
    for row in mini.table.to_pylist():
        assert (row["target:sex"] is None) == (row["split"] == "train")
    assert set(mini.target("sex").to_pylist()) == {"male", "female", None}


def test_sex_comes_from_the_joint_lists(tmp_path: Path) -> None:
    root = _corpus(tmp_path, {**TRAIN, **DEVELOPMENT, **EVALUATION})
    rows = _rows(AsvSpoof2015().read(root))
    assert rows["D35_1053372"]["target:sex"] == "female"
    assert rows["D18_1000001"]["target:sex"] == "male"
    for name in ("male_enrolment", "female_enrolment"):
        (root / JOINT.format(name)).unlink()
    rows = _rows(AsvSpoof2015().read(root))
    assert rows["E10175855"]["target:sex"] == "male"
    assert rows["D35_1053372"]["target:sex"] is None  # in no list that is left


def test_without_the_joint_lists_every_sex_is_missing_and_noted(copy: Path) -> None:
    shutil.rmtree(copy / "Joint_ASV_CM_protocol")
    table = AsvSpoof2015().read(copy)
    assert table.target("sex").null_count == len(table)
    assert any("every sex is missing" in note for note in table.notes)


def test_the_speaker_is_known_for_genuine_clips_only(root: Path) -> None:
    table = AsvSpoof2015(protocols=PROTOCOLS).read(root)
    for name, row in _rows(table).items():
        impostor = "_A" in name or name.startswith("EA")
        genuine = row["target:attack"] == "human" and not impostor
        assert row["target:speaker"] == (row["audio"].split("/")[1] if genuine else None)
        assert row["target:spoof"] is (row["target:attack"] != "human")


def test_the_joint_lists_add_impostors_and_enrolment(root: Path) -> None:
    cm, asv = (set(AsvSpoof2015(protocols=(p,)).read(root).ids) for p in ("cm", "asv"))
    enrolled = set(AsvSpoof2015(protocols=("enrolment",)).read(root).ids)
    everything = set(AsvSpoof2015(protocols=PROTOCOLS).read(root).ids)
    assert len(asv - cm) == 8  # an impostor for each D and E speaker
    assert {i.split("/")[2][0] for i in cm - asv} == {"T"}
    assert len(enrolled) == 8 * 5
    assert everything == cm | asv | enrolled


def test_attacks_s6_to_s10_are_heard_in_the_evaluation_only(mini: ClipTable) -> None:
    where = defaultdict(set)
    for row in mini.table.to_pylist():
        where[row["target:attack"]].add(row["split"])
    assert set(where) == set(ATTACKS)
    assert all(where[f"S{k}"] == {"test"} for k in range(6, 11))
    assert all(len(where[f"S{k}"]) == 3 for k in range(1, 6))


def test_parts_can_be_left_out(copy: Path) -> None:
    (copy / "CM_protocol" / "cm_evaluation.ndx").unlink()
    with pytest.raises(ReaderError, match=r"cm_evaluation\.ndx: cannot be read"):
        AsvSpoof2015().read(copy)
    table = AsvSpoof2015(parts=("train", "development")).read(copy)
    assert Counter(table.table.column("split").to_pylist()) == {"train": 52, "validation": 52}


def test_lists_named_txt_as_in_some_releases_are_found(copy: Path, mini: ClipTable) -> None:
    for path in [*copy.glob("CM_protocol/*"), *copy.glob("Joint_ASV_CM_protocol/*")]:
        path.rename(path.with_name(f"{path.name}.txt"))
    assert AsvSpoof2015().read(copy).table.equals(mini.table)


@pytest.mark.parametrize(
    ("name", "line", "message"),
    [
        ("CM_protocol/cm_train.trn", "T2 T2_7 human human x", r"cm_train\.trn:53: 5 columns"),
        ("CM_protocol/cm_train.trn", "T2,T2_7,human,human", r"cm_train\.trn:53: 1 columns"),
        ("CM_protocol/cm_train.trn", "T26 T26_7 human human", r":53: speaker 'T26'; expected T1"),
        ("CM_protocol/cm_train.trn", "T2 T2_7 S11 spoof", r":53: attack 'S11'; expected human"),
        ("CM_protocol/cm_train.trn", "T2 T2_7 human spoof", r":53: key 'spoof' with attack"),
        ("CM_protocol/cm_train.trn", "T2 T2_7 spoof S1", r":53: key 'S1'; expected human, spoof"),
        ("CM_protocol/cm_train.trn", "D2 D2_7 human human", r":53: speaker D2 in a list of the tr"),
        (JOINT.format("male_development"), "D1 D1_7 human genuine",
         r"ASV_male_development\.ndx:29: key 'human'; expected genuine, impostor, spoof"),
        (JOINT.format("male_enrolment"), "D1 D1_EN10001", r"ASV_male_enrolment\.ndx:5: 1 columns"),
    ],
)  # fmt: skip
def test_bad_lines_are_named(copy: Path, name: str, line: str, message: str) -> None:
    with (copy / name).open("a", encoding="utf-8") as handle:
        handle.write(f"{line}\n")
    with pytest.raises(ReaderError, match=message):
        AsvSpoof2015(protocols=PROTOCOLS).read(copy)


def test_lists_that_disagree_are_an_error(copy: Path) -> None:
    path = copy / JOINT.format("male_development")
    path.write_text(path.read_text().replace("spoof S1", "spoof S2"))
    with pytest.raises(ReaderError, match=r"is S2, but S1 at .*cm_develop\.ndx"):
        AsvSpoof2015(protocols=("cm", "asv")).read(copy)


def test_a_speaker_of_both_sexes_is_an_error(copy: Path) -> None:
    male, female = (copy / JOINT.format(f"{sex}_enrolment") for sex in ("male", "female"))
    male.write_text(male.read_text() + female.read_text().splitlines()[0] + "\n")
    with pytest.raises(ReaderError, match="is in the lists of both sexes"):
        AsvSpoof2015().read(copy)


@pytest.mark.parametrize("given", [{"protocols": ()}, {"parts": ("test",)}, {"missing": "maybe"}])
def test_a_field_that_makes_no_sense_is_refused(given: dict[str, Any]) -> None:
    with pytest.raises(StudyError, match=f"{next(iter(given))}="):
        AsvSpoof2015(**given)


def test_clips_are_16_khz_mono(mini: ClipTable) -> None:
    for path in mini.paths():
        facts = soundfile.info(path)
        assert (facts.samplerate, facts.channels, facts.subtype) == (16_000, 1, "PCM_16")


@pytest.mark.parametrize(
    ("task", "group", "least"),
    [("spoof", "speaker", 0.8), ("attack", "speaker", 0.4), ("sex", "speaker", 0.85),
     ("speaker", None, 0.4)],
)  # fmt: skip
def test_the_miniature_can_be_learnt(
    mini: ClipTable, task: str, group: str | None, least: float
) -> None:
    assert recall(mini, task, group)[0] > least

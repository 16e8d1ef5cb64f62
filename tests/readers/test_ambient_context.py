"""Ambient Acoustic Contexts: odd ids, quoted names, several labels, seconds without any."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from raymtl.errors import ReaderError, StudyError
from raymtl.extraction.inspection import inspect
from readers.ambient_context import CONTEXTS, MIDS, SOUNDS, AmbientContexts, contexts_of
from tests.learnability import summary
from tests.readers.laws import check, content, precision

FOLDER = "id_-kyuX8l4VWY_30_40"


@pytest.fixture(scope="module")
def miniature(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("ambient")
    AmbientContexts.miniature(root, 3)
    return root


def second(root: Path, name: str, labels: str | None, folder: str = FOLDER) -> None:
    """One second as in the corpus; its recording is empty, for no reader opens one."""
    (root / folder).mkdir(parents=True, exist_ok=True)
    (root / folder / f"{name}.wav").touch()
    if labels is not None:
        (root / folder / f"{name}_labels.txt").write_text(labels)


def targets(root: Path, task: str, **fields: str) -> list[list[str] | None]:
    return AmbientContexts(**fields).read(root).target(task).to_pylist()  # type: ignore[no-any-return]


def test_there_are_24_labels_of_25_kinds_of_id_and_10_contexts() -> None:
    assert len(SOUNDS) == 24
    assert len(CONTEXTS) == 10
    assert {mid for mid, name in MIDS.items() if name == "Inside"} == {
        "/t/dd00125", "/t/dd00126", "/t/dd00127"}  # fmt: skip


@pytest.mark.parametrize("name", ['"Female speech, woman speaking"', "Female speech",
                                  "Female speech, woman speaking", "Male speech"])  # fmt: skip
def test_the_machine_id_decides_whatever_the_name_says(tmp_path: Path, name: str) -> None:
    second(tmp_path, "a", f"2,/m/02zsn,{name}\n")
    assert targets(tmp_path, "sounds") == [["Female speech"]]


def test_quoted_names_with_commas_and_several_rows(tmp_path: Path) -> None:
    second(tmp_path, "a", '65,/m/07qfr4h,"Hubbub, speech noise, speech babble"\n'
                          '0,/m/09x0r,"Speech"\n0,/m/09x0r,"Speech"\n')  # fmt: skip
    second(tmp_path, "b", '-1,none,"None of the above"\r\n')
    assert targets(tmp_path, "sounds") == [["Hubbub", "Speech"], ["None of the above"]]
    assert targets(tmp_path, "contexts") == [["crowd", "speech"], ["others"]]


def test_silence_and_others_give_way_to_anything_else() -> None:
    assert contexts_of(["Silence"]) == ["silence"]
    assert contexts_of(["Silence", "Cough"]) == ["others"]
    assert contexts_of(["Silence", "Cough", "Knock"]) == ["door"]
    assert contexts_of(["Chatter", "Clapping", "Applause"]) == ["crowd", "applause"]
    assert {c for name in SOUNDS for c in contexts_of([name])} == set(CONTEXTS)


def test_seconds_without_label_are_missing_and_not_negative(tmp_path: Path) -> None:
    second(tmp_path, "a", "")
    second(tmp_path, "b", None)
    second(tmp_path, "c", "5,,\n")
    second(tmp_path, "d", '42,/m/01b_21,"Cough"\n')
    assert targets(tmp_path, "sounds") == [None, None, None, ["Cough"]]
    assert targets(tmp_path, "contexts") == [None, None, None, ["others"]]
    notes = AmbientContexts().read(tmp_path).notes
    assert notes == ("seconds without a label, missing in both tasks: 3",)


def test_the_group_is_the_video_whatever_its_id_looks_like(tmp_path: Path) -> None:
    for folder in ("id_-kyuX8l4VWY_30_40", "id_-kyuX8l4VWY_40_50", "id_a_b-_12345__0_10"):
        second(tmp_path, "x", '0,/m/09x0r,"Speech"\n', folder)
    groups = AmbientContexts().read(tmp_path).groups()
    assert groups == [("youtube:-kyuX8l4VWY",), ("youtube:-kyuX8l4VWY",), ("youtube:a_b-_12345_",)]


def test_an_empty_recording_is_listed_here_and_found_unusable_by_inspection(
    tmp_path: Path,
) -> None:
    second(tmp_path, "a", '0,/m/09x0r,"Speech"\n')
    table = AmbientContexts().read(tmp_path)
    assert len(table) == 1
    assert inspect(table.paths())[table.paths()[0]].error


def test_labels_without_recording(tmp_path: Path) -> None:
    second(tmp_path, "a", '0,/m/09x0r,"Speech"\n')
    second(tmp_path, "b", '0,/m/09x0r,"Speech"\n')
    (tmp_path / FOLDER / "a.wav").unlink()
    with pytest.raises(ReaderError, match=r"1 audio files .* missing: id_-kyuX8l4VWY_30_40/a\.wav"):
        AmbientContexts().read(tmp_path)
    table = AmbientContexts(missing="skip").read(tmp_path)
    assert len(table) == 1
    assert "1 of 2 audio files" in table.notes[0]


@pytest.mark.parametrize(("labels", "match"), [
    ('7,/m/0000,"Yodel"\n', r"a_labels\.txt:1: .*machine id"),
    ("0,/m/09x0r,Speech\nSpeech\n", r"a_labels\.txt:2: 'Speech'"),
    ('0,/m/09x0r,"Spe\n', r"a_labels\.txt:1"),
])  # fmt: skip
def test_mangled_labels_name_file_and_line(tmp_path: Path, labels: str, match: str) -> None:
    second(tmp_path, "a", labels)
    with pytest.raises(ReaderError, match=match):
        AmbientContexts().read(tmp_path)


def test_wrong_folders_and_fields(tmp_path: Path) -> None:
    with pytest.raises(ReaderError, match="no clips found"):
        AmbientContexts().read(tmp_path)
    second(tmp_path, "a", "", "Speech")
    with pytest.raises(ReaderError, match=r"folder 'Speech', expected id_<YouTube id>"):
        AmbientContexts().read(tmp_path)
    with pytest.raises(StudyError, match="missing='drop'"):
        AmbientContexts(missing="drop")


def test_miniature(miniature: Path, tmp_path: Path) -> None:
    table = check(AmbientContexts(), miniature, 16_000, 1, "PCM_16")
    found = table.target("sounds").to_pylist()
    assert found.count(None) == 1
    assert any(len(labels) > 1 for labels in found if labels)
    assert len({g for groups in table.groups() for g in groups}) == 19  # of 20 folders
    AmbientContexts.miniature(tmp_path, 3)
    assert content(tmp_path) == content(miniature)


def test_contexts_of_the_miniature_can_be_learnt(miniature: Path) -> None:
    table = AmbientContexts().read(miniature)
    rows = [(summary(path), labels, groups[0]) for path, labels, groups in zip(
        table.paths(), table.target("contexts").to_pylist(), table.groups(), strict=True)
        if labels]  # fmt: skip
    heard = sorted({label for _, labels, _ in rows for label in labels})
    truth = np.array([[label in labels for label in heard] for _, labels, _ in rows])
    score, chance = precision(np.array([f for f, _, _ in rows]), truth, [g for _, _, g in rows])
    assert chance < 0.2
    assert score > 0.6

"""TUT Acoustic Scenes 2017: folds, recordings, a label with a slash, absent metadata."""

from __future__ import annotations

from pathlib import Path

import pytest

from raymtl.errors import ReaderError, StudyError
from readers.dcase2017_scenes import SCENES, Dcase2017Scenes
from tests.learnability import recall
from tests.readers.laws import check, content

DEVELOPMENT = "TUT-acoustic-scenes-2017-development"
EVALUATION = "TUT-acoustic-scenes-2017-evaluation"
LINES = [("b020_90_100", "beach", 1), ("b020_100_110", "beach", 1), ("a003_0_10", "tram", 2),
         ("a004_0_10", "cafe/restaurant", 3), ("b005_0_10", "office", 4)]  # fmt: skip


@pytest.fixture(scope="module")
def miniature(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("scenes")
    Dcase2017Scenes.miniature(root, 3)
    return root


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    """Five pieces with the corpus's metadata; their recordings are empty, for none is opened."""
    base = tmp_path / DEVELOPMENT
    (base / "audio").mkdir(parents=True)
    (base / "evaluation_setup").mkdir()
    for name, _, _ in LINES:
        (base / "audio" / f"{name}.wav").touch()
    meta = [f"audio/{n}.wav\t{s}\t{n.split('_')[0]}" for n, s, _ in LINES]
    (base / "meta.txt").write_text("\n".join(meta) + "\n")
    for fold in (1, 2, 3, 4):
        for kind, shown, tested in (("train", True, False), ("evaluate", True, True),
                                    ("test", False, True)):  # fmt: skip
            rows = [f"audio/{n}.wav\t{s}" if shown else f"audio/{n}.wav"
                    for n, s, f in LINES if (f == fold) == tested]  # fmt: skip
            setup(tmp_path, f"fold{fold}_{kind}.txt").write_text("\r\n".join(rows) + "\r\n")
    return tmp_path


def setup(root: Path, name: str, base: str = DEVELOPMENT) -> Path:
    return root / base / "evaluation_setup" / name


def rows(root: Path, **fields: str) -> dict[str, tuple[object, ...]]:
    """(scene, groups, split, fold) by file name."""
    table = Dcase2017Scenes(**fields).read(root).table.to_pylist()
    return {Path(r["audio"]).stem: (r["target:scene"], tuple(r["groups"]), r["split"], r["fold"])
            for r in table}  # fmt: skip


def expected() -> dict[str, tuple[object, ...]]:
    return {name: (scene, (f"tut:{name.split('_')[0]}",), None, fold)
            for name, scene, fold in LINES}  # fmt: skip


def test_pieces_with_scene_recording_and_fold(corpus: Path) -> None:
    assert rows(corpus) == expected()
    assert len(SCENES) == 15


def test_meta_is_rebuilt_from_the_folds_where_it_is_absent(corpus: Path) -> None:
    (corpus / DEVELOPMENT / "meta.txt").unlink()
    assert rows(corpus) == expected()


@pytest.mark.parametrize("kind", ["evaluate", "test", "train"])
def test_one_of_the_fold_lists_may_be_absent(corpus: Path, kind: str) -> None:
    for fold in (1, 2, 3, 4):
        setup(corpus, f"fold{fold}_{kind}.txt").unlink()
    assert rows(corpus) == expected()


def test_both_parts_are_the_official_split(corpus: Path, miniature: Path) -> None:
    table = Dcase2017Scenes(part="both").read(miniature).table.to_pylist()
    assert {(r["split"], r["audio"].split("/")[0]) for r in table} == {
        ("train", DEVELOPMENT), ("test", EVALUATION)}  # fmt: skip
    assert {r["fold"] for r in table} == {None}
    with pytest.raises(ReaderError, match=r"neither evaluate\.txt nor test\.txt"):
        Dcase2017Scenes(part="both").read(corpus)


@pytest.mark.parametrize("turned", [False, True])
def test_anonymous_recordings_are_known_by_the_map_in_either_order(
    tmp_path: Path, turned: bool
) -> None:
    evaluation(tmp_path)
    pair = ("audio/1.wav", "audio/b020_0_10.wav")
    lines = "\t".join(pair[::-1] if turned else pair)
    setup(tmp_path, "map.txt", EVALUATION).write_text(lines + "\n")
    assert rows(tmp_path, part="evaluation") == {
        "1": ("beach", ("tut:b020",), "test", None),
        "2": ("cafe/restaurant", ("tut:evaluation/2",), "test", None),
    }


def evaluation(root: Path) -> None:
    (root / EVALUATION / "audio").mkdir(parents=True)
    (root / EVALUATION / "evaluation_setup").mkdir()
    for name in ("1", "2"):
        (root / EVALUATION / "audio" / f"{name}.wav").touch()
    setup(root, "test.txt", EVALUATION).write_text("audio/1.wav\naudio/2.wav\n")
    truth = "audio/1.wav\tbeach\naudio/2.wav\tcafe/restaurant\n"
    setup(root, "evaluate.txt", EVALUATION).write_text(truth)


def test_evaluation_without_truth_has_no_targets(tmp_path: Path) -> None:
    evaluation(tmp_path)
    setup(tmp_path, "evaluate.txt", EVALUATION).unlink()
    assert [row[0] for row in rows(tmp_path, part="evaluation").values()] == [None, None]


def test_a_piece_tested_in_two_folds(corpus: Path) -> None:
    with setup(corpus, "fold3_evaluate.txt").open("a") as file:
        file.write("audio/a003_0_10.wav\ttram\r\n")
    with pytest.raises(ReaderError, match=r"fold3_evaluate.txt:2: audio/a003_0_10.wav is tested in "
                                          r"fold 2 and in fold 3"):  # fmt: skip
        Dcase2017Scenes().read(corpus)


def test_a_piece_trained_on_and_tested(corpus: Path) -> None:
    with setup(corpus, "fold2_train.txt").open("a") as file:
        file.write("audio/a003_0_10.wav\ttram\r\n")
    with pytest.raises(ReaderError, match=r"fold2_train.txt:5: .*trained on and tested in fold 2"):
        Dcase2017Scenes().read(corpus)


@pytest.mark.parametrize(("line", "match"), [
    ("audio/a003_0_10.wav\tbus\ta003", r"meta.txt:6: audio/a003_0_10.wav is 'bus' here and 'tram'"),
    ("audio/a009_0_10.wav\tmoon\ta009", r"meta.txt:6: label 'moon' is not one of beach, bus"),
    ("audio/a009_0_10.wav", r"meta.txt:6: 1 columns"),
])  # fmt: skip
def test_mangled_metadata_names_the_line(corpus: Path, line: str, match: str) -> None:
    with (corpus / DEVELOPMENT / "meta.txt").open("a") as file:
        file.write(line + "\n")
    with pytest.raises(ReaderError, match=match):
        Dcase2017Scenes().read(corpus)


def test_missing_recordings_are_an_error_or_a_note(corpus: Path) -> None:
    (corpus / DEVELOPMENT / "audio" / "a003_0_10.wav").unlink()
    (corpus / DEVELOPMENT / "audio" / "z.wav").touch()
    with pytest.raises(ReaderError, match=r"1 audio files .*: audio/a003_0_10\.wav"):
        Dcase2017Scenes().read(corpus)
    table = Dcase2017Scenes(missing="skip").read(corpus)
    assert len(table) == 4
    assert "1 audio files are not in" in table.notes[0]
    assert "1 of 5 audio files" in table.notes[1]


def test_no_corpus_and_wrong_fields(tmp_path: Path) -> None:
    with pytest.raises(ReaderError, match=r"neither fold1_evaluate\.txt nor fold1_test\.txt"):
        Dcase2017Scenes().read(tmp_path)
    with pytest.raises(ReaderError, match=r"zenodo\.org/records/400515"):
        Dcase2017Scenes().locate(tmp_path)
    with pytest.raises(StudyError, match="part='dev': expected one of 'development'"):
        Dcase2017Scenes(part="dev")


def test_miniature(miniature: Path, tmp_path: Path) -> None:
    table = check(Dcase2017Scenes(), miniature, 44_100, 2, "PCM_24")
    check(Dcase2017Scenes(part="both"), miniature, 44_100, 2, "PCM_24")
    assert "cafe/restaurant" in table.target("scene").to_pylist()
    fold_of: dict[str, set[int]] = {}
    for row in table.table.to_pylist():
        fold_of.setdefault(row["groups"][0], set()).add(row["fold"])
    assert {len(folds) for folds in fold_of.values()} == {1}  # no recording straddles
    Dcase2017Scenes.miniature(tmp_path, 3)
    assert content(tmp_path) == content(miniature)


def test_scenes_of_the_miniature_can_be_learnt(miniature: Path) -> None:
    score, chance = recall(Dcase2017Scenes().read(miniature), "scene", "tut")
    assert chance == pytest.approx(1 / 6)
    assert score > 3 * chance

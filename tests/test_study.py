"""Study files: loaded with everything beside them, or refused with one message and a line."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from raymtl.errors import StudyError
from raymtl.study import load_study
from tests.corpora import DIGITS, STUDY

ROOT = Path(__file__).parents[1]


@pytest.fixture(autouse=True)
def _no_traces() -> Iterator[None]:
    """Loading a study makes modules importable; the next test shall not see them."""
    path, modules = list(sys.path), set(sys.modules)
    yield
    sys.path[:] = path
    for name in set(sys.modules) - modules:
        if name.startswith(("study_", "my_")):
            del sys.modules[name]


def write(folder: Path, text: str, name: str = "mine.py") -> Path:
    path = folder / name
    path.write_text(text)
    return path


def line(text: str, part: str) -> int:
    """The number of the line that holds `part`."""
    return next(n for n, found in enumerate(text.splitlines(), 1) if part in found)


def test_a_study_with_its_question(tmp_path: Path) -> None:
    study = load_study(write(tmp_path, STUDY))
    assert study.question == "Do digits help to tell speakers apart?"
    assert study.text == STUDY
    assert study.experiment.source_names == DIGITS.source_names
    assert study.miniature is study.experiment
    assert [m.__name__ for m in study.modules] == ["study_mine"]


def test_a_miniature_of_its_own(tmp_path: Path) -> None:
    text = STUDY + "\nfrom dataclasses import replace\nminiature = replace(experiment, seeds=[7])\n"
    study = load_study(write(tmp_path, text))
    assert (study.experiment.seeds, study.miniature.seeds) == ((0,), (7,))


@pytest.mark.parametrize(
    ("old", "new", "at", "words"),
    [
        ("sources=[", "sorces=[", "experiment = ", "TypeError: .* argument 'sorces'"),
        ("bands=12", "band=12", "LogMel(band=12", "TypeError: .* argument 'band'"),
        ("epochs=2", "epochs=0", "Training(epochs", "Training: 0 epochs, expected at least 1"),
        (
            '"digit"',
            '"digits"',
            "Fsdd().source",
            "Fsdd has no task 'digits'; it has digit, speaker",
        ),
        ("models=[", "models=)", "models=", "SyntaxError"),
        ('Fsdd().source("digit")', "Fsd().source()", "Fsd().source", "NameError: .*'Fsd'"),
        ("from readers.fsdd", "from readers.fsd", "from readers.fsd", "ModuleNotFoundError: .*fsd"),
        ("from readers.fsdd", "raise SystemExit(0)  #", "raise SystemExit", "SystemExit: 0"),
        ('"all"', '"both"', "combinations(1", "expected a size, 'all' or a list of names"),
    ],
)
def test_a_fault_is_one_message_with_the_users_line(
    tmp_path: Path, old: str, new: str, at: str, words: str
) -> None:
    assert old in STUDY
    text = STUDY.replace(old, new, 1)
    path = write(tmp_path, text)
    with pytest.raises(StudyError, match=words) as caught:
        load_study(path)
    assert str(caught.value).startswith(f"{path}:{line(text, at)}: ")
    assert "\n" not in str(caught.value)


def test_a_study_without_an_experiment(tmp_path: Path) -> None:
    path = write(tmp_path, '"""Nothing."""\n')
    with pytest.raises(StudyError, match=r"mine\.py: 'experiment' is nothing; .*End the file with"):
        load_study(path)


@pytest.mark.parametrize(
    ("name", "value", "found"),
    [
        ("experiment", "{'name': 'mine'}", "a dict"),
        ("experiment", "Experiment", "a type"),
        ("miniature", "[experiment]", "a list"),
    ],
)
def test_an_experiment_of_the_wrong_type(tmp_path: Path, name: str, value: str, found: str) -> None:
    path = write(tmp_path, f"{STUDY}\n{name} = {value}\n")
    with pytest.raises(StudyError, match=f"'{name}' is {found}; expected an Experiment"):
        load_study(path)


def test_a_file_that_is_not_python(tmp_path: Path) -> None:
    with pytest.raises(StudyError, match=r"not a Python file\. A study ends in \.py"):
        load_study(write(tmp_path, STUDY, "mine.txt"))


@pytest.mark.parametrize("content", [b"\x00\x01", b"\xff\xfe = 1\n", b"name = '\xe4'\n"])
def test_a_file_of_bytes(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "mine.py"
    path.write_bytes(content)
    with pytest.raises(StudyError, match=r"mine\.py"):
        load_study(path)


READER = """
from dataclasses import dataclass
from typing import ClassVar
from readers.fsdd import Fsdd
from my_words import FOLDER

@dataclass(frozen=True)
class Digits(Fsdd):
    corpus: ClassVar[str] = "mydigits"
    folder: ClassVar[str] = FOLDER
"""


def test_a_reader_beside_the_study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is imported from any working directory, and travels to workers by value."""
    write(tmp_path, READER, "my_reader.py")
    write(tmp_path, 'FOLDER = "here"\n', "my_words.py")
    path = write(
        tmp_path,
        STUDY.replace("from readers.fsdd import Fsdd", "from my_reader import Digits as Fsdd"),
    )
    monkeypatch.chdir(ROOT)
    study = load_study(path)
    assert study.experiment.source_names == ["mydigits.digit", "mydigits.speaker"]
    assert {m.__name__ for m in study.modules} == {"study_mine", "my_reader", "my_words"}
    assert study.experiment.sources[0].reader.folder == "here"


def test_a_fault_in_a_reader_beside_the_study_names_both_files(tmp_path: Path) -> None:
    write(tmp_path, "import nothing_of_the_kind\n", "my_broken.py")
    path = write(tmp_path, "\nfrom my_broken import Digits\n")
    with pytest.raises(StudyError, match=r"mine\.py:2: ModuleNotFoundError: .*nothing_of_the_kind"):
        load_study(path)


def test_our_own_studies_load() -> None:
    for path in sorted((ROOT / "experiments").glob("*.py")):
        study = load_study(path)
        assert study.question
        assert study.experiment.name == path.stem
        assert len(study.experiment.cells()) > 0


def test_loading_a_study_reads_no_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*given: object) -> None:
        raise AssertionError("read")

    monkeypatch.setattr("readers.fsdd.Fsdd.read", refuse)
    monkeypatch.setattr("raymtl.extraction.inspection.inspect", refuse)
    load_study(write(tmp_path, STUDY))

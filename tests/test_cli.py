"""The command line: what it prints, and one message and exit code 2 for whatever is wrong."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import click
import numpy as np
import pytest
import soundfile
from click.testing import CliRunner, Result

from raymtl.cli import main
from raymtl.engine.sweep import locked
from readers.fsdd import Fsdd
from tests.corpora import DIGITS, STUDY, plan_of, tree
from tests.inprocess import sweep
from tests.test_study import _no_traces  # noqa: F401  a study leaves modules behind

ROOT = Path(__file__).parents[1]
PATH = re.compile(r"\S*/\S*")


@pytest.fixture
def study(tmp_path: Path) -> Path:
    path = tmp_path / "mine.py"
    path.write_text(STUDY)
    return path


@pytest.fixture
def call(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Result]:
    """Runs a command at 80 columns on a store of the test's own."""
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("RAYMTL_STORE", str(tmp_path / "store"))
    return lambda *words: CliRunner().invoke(main, [str(word) for word in words])


@pytest.fixture
def data(corpora: Path, tmp_path: Path) -> Path:
    """A data root with FSDD that a test may damage."""
    shutil.copytree(corpora / "fsdd", tmp_path / "data" / "fsdd")
    return tmp_path / "data"


def refused(result: Result, *words: str) -> str:
    """Checks for exit code 2 and a single message, without a trace, on the error stream."""
    assert result.exit_code == 2, result.output
    assert result.stderr.count("error: ") == 1
    assert "Traceback" not in result.output
    for word in words:
        assert word in result.stderr
    return result.stderr


def narrow(text: str) -> None:
    """No line over 80 columns, but for paths, which are not broken."""
    wide = [line for line in text.splitlines() if len(PATH.sub("", line)) > 80]
    assert not wide


# --- what is wrong -----------------------------------------------------------------------------


@pytest.mark.parametrize("command", ["plan", "check", "stats", "sweep"])
def test_a_missing_study_or_data_folder(
    call: Callable[..., Result], study: Path, command: str
) -> None:
    for words in ((study.parent / "none.py",), (study, "--data", study.parent / "none")):
        result = call(command, *words)
        assert result.exit_code == 2
        assert re.search("does not exist|no such file", result.stderr)
        assert len(re.findall("[Ee]rror: ", result.stderr)) == 1


@pytest.mark.parametrize("command", ["plan", "check", "stats", "sweep"])
def test_an_absent_corpus_is_said_with_its_home_page(
    call: Callable[..., Result], study: Path, command: str
) -> None:
    (study.parent / "empty").mkdir()
    refused(
        call(command, study, "--data", study.parent / "empty"),
        str(study.parent / "empty" / "fsdd"),
        "Fsdd not found",
        Fsdd.home,
    )


@pytest.mark.parametrize("command", ["plan", "check", "stats", "sweep"])
@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("sources=[", "sorces=[", "mine.py:12: TypeError"),
        ("models=[", "models=)", "SyntaxError"),
        ("experiment = ", "experimint = ", "'experiment' is nothing; expected an Experiment"),
        ("experiment = Experiment(", "experiment = dict(", "'experiment' is a dict"),
        ('"digit"', '"digits"', "it has digit, speaker"),
    ],
)
def test_a_fault_in_the_study(
    call: Callable[..., Result],
    study: Path,
    data: Path,
    command: str,
    old: str,
    new: str,
    words: str,
) -> None:
    study.write_text(STUDY.replace(old, new, 1))
    refused(call(command, study, "--data", data), str(study), words)


def test_an_unknown_label(call: Callable[..., Result], study: Path, data: Path) -> None:
    study.write_text(
        STUDY.replace(
            'Fsdd().source("digit")', 'Fsdd().source(OneOf("digit", ("0", "1", "2")))'
        ).replace("experiment =", "from raymtl.tasks import OneOf\nexperiment =")
    )
    for command in ("plan", "check", "sweep"):
        text = refused(call(command, study, "--data", data), "digit", "'3'")
        assert "0" in text


def test_a_label_that_no_limit_knows(call: Callable[..., Result], study: Path, data: Path) -> None:
    study.write_text(STUDY.replace('source("digit")', 'source("digit", limit={"ten": 3})'))
    refused(call("plan", study, "--data", data), "'ten'")


@pytest.mark.parametrize("command", ["plan", "check", "sweep"])
def test_cells_that_are_not_there(
    call: Callable[..., Result], study: Path, data: Path, command: str
) -> None:
    refused(
        call(command, study, "--data", data, "--only", "fssd*"),
        "--only 'fssd*'",
        "fsdd.digit--logmel--shareddnn",
    )


@pytest.mark.parametrize("command", ["plan", "check", "stats", "sweep"])
def test_a_store_that_cannot_be(
    call: Callable[..., Result], study: Path, data: Path, tmp_path: Path, command: str
) -> None:
    (tmp_path / "taken").write_text("a file")
    refused(
        call(command, study, "--data", data, "--store", tmp_path / "taken"),
        "--store",
        "cannot be written",
    )
    refused(
        call(command, study, "--data", data, "--store", "s3://bucket/here"),
        "--store s3://bucket/here",
        "Mount the bucket",
    )


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_store_without_permission(
    call: Callable[..., Result], study: Path, data: Path, tmp_path: Path
) -> None:
    (tmp_path / "closed").mkdir(mode=0o500)
    refused(
        call("plan", study, "--data", data, "--store", tmp_path / "closed"),
        "cannot be written (Permission denied)",
    )


@pytest.mark.parametrize(
    "words",
    [
        ("sweep", "--lanes", "0"),
        ("sweep", "--bad-files", "mend"),
        ("sweep", "--gpus-per-cell", "-1"),
        ("plan", "--onyl", "x"),
    ],
)
def test_options_that_cannot_be(
    call: Callable[..., Result], study: Path, words: tuple[str, ...]
) -> None:
    result = call(words[0], study, *words[1:])
    assert result.exit_code == 2
    assert result.stderr.count("Error: ") == 1


DAMAGE: dict[str, Callable[[Path], object]] = {
    "empty": lambda path: path.write_bytes(b""),
    "garbled": lambda path: path.write_bytes(np.random.default_rng(0).bytes(5_000)),
    "header only": lambda path: path.write_bytes(path.read_bytes()[:44]),
    "truncated": lambda path: path.write_bytes(path.read_bytes()[:-500]),
    "no samples": lambda path: soundfile.write(path, np.zeros(0), 8_000, "PCM_16"),
    "absurd rate": lambda path: soundfile.write(path, np.zeros(9), 2_000_000_000, "PCM_16"),
}
BAD = "recordings/7_lucas_6.wav"


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_recording(
    call: Callable[..., Result], study: Path, data: Path, damage: str
) -> None:
    path = data / "fsdd" / BAD
    DAMAGE[damage](path)
    text = refused(call("plan", study, "--data", data), "1 clip cannot be used", "--bad-files skip")
    assert re.search(rf"{re.escape(str(path))}: \S+ \S+", text)
    told = call("plan", study, "--data", data, "--bad-files", "skip")
    assert told.exit_code == 0
    assert told.output.count(f"skipped: {path}: ") == 1
    checked = call("check", study, "--data", data)
    assert checked.exit_code == 2
    assert f"cannot be used: {path}: " in checked.output
    assert "Faults: 1." in checked.output


def test_a_missing_recording_of_a_list(
    call: Callable[..., Result], study: Path, corpora: Path, tmp_path: Path
) -> None:
    shutil.copytree(corpora / "ESC-50", tmp_path / "esc" / "ESC-50")
    gone = sorted((tmp_path / "esc" / "ESC-50" / "audio").glob("*.wav"))[:2]
    for path in gone:
        path.unlink()
    study.write_text(
        STUDY.replace("readers.fsdd import Fsdd", "readers.esc import Esc50").replace(
            'Fsdd().source("digit"), Fsdd().source("speaker")', "Esc50().source()"
        )
    )
    refused(call("plan", study, "--data", tmp_path / "esc"), *(path.name for path in gone))


def nan(path: Path) -> None:
    """A recording that opens and has the right length, and is not sound."""
    wave, rate = soundfile.read(path)
    wave[100] = np.nan
    soundfile.write(path, wave, rate, "FLOAT")


def test_check_says_what_decoding_finds(
    call: Callable[..., Result], study: Path, data: Path
) -> None:
    """Check decodes the shortest and the longest clip of each source."""
    recordings = (data / "fsdd" / "recordings").glob("*.wav")
    path = max(recordings, key=lambda path: (soundfile.info(path).frames, path.name))
    nan(path)
    result = call("check", study, "--data", data)
    assert result.exit_code == 2
    assert "Traceback" not in result.output
    assert str(path) in result.output.replace("\n", "")
    assert "NaN" in result.output
    assert "Every step works" not in result.output


# --- what is said ------------------------------------------------------------------------------


def test_help_at_80_columns(call: Callable[..., Result]) -> None:
    text = call("--help").output
    narrow(text)
    assert not re.search(r"\.\.\.$", text.split("Data:")[1], re.MULTILINE)
    listed = [line.split()[0] for line in text.split("Data:\n")[1].splitlines() if line[:2] == "  "]
    assert sorted(listed) == sorted(main.commands)
    for name, command in main.commands.items():
        result = call(name, "--help")
        assert result.exit_code == 0
        narrow(result.output)
        options = [param for param in command.params if isinstance(param, click.Option)]
        assert all(option.help for option in options)


@pytest.mark.parametrize("name", sorted(main.commands))
def test_the_example_of_each_command_is_one(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(click.Path, "convert", lambda _self, value, *_: value)  # no file is there
    command = main.commands[name]
    start, _, words = str(command.epilog).partition(f"raymtl {name} ")
    assert start == "Example: "
    command.make_context(name, shlex.split(words))  # raises for an option that is not there


@pytest.mark.parametrize("name", ["data", "prune", "query"])
def test_an_interrupt_at_any_time_is_one_line(
    call: Callable[..., Result], monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    def pressed(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(click.Command, "invoke", pressed)
    result = call(name)
    assert result.exit_code == 130
    assert result.stderr == f"raymtl {name}: interrupted.\n"


def test_plan_says_what_is_to_do(call: Callable[..., Result], study: Path, data: Path) -> None:
    result = call("plan", study, "--data", data)
    assert result.exit_code == 0, result.output
    narrow(result.output)
    assert re.search(r"fsdd\.digit +digit \(10\) +160 +\d+ / \d+ / 40", result.output)
    assert re.search(r"logmel +fsdd\.digit, fsdd\.speaker +160 +1 chunk to extract", result.output)
    assert re.search(r"fsdd\.digit--logmel--shareddnn +1 +0", result.output)
    assert "to do: 160 clips to extract in 1 feature set, 1 fit, 3 of 3 runs" in (
        result.output.replace("\n", " ")
    )
    assert "a speaker may be on both sides of a split" in result.output.replace("\n", " ")


def test_plan_runs_nothing(call: Callable[..., Result], study: Path, data: Path) -> None:
    call("plan", study, "--data", data)
    store = study.parent / "store"
    assert sorted(p.name for p in store.iterdir()) == ["inspected.parquet"]


def test_plan_of_a_finished_sweep(
    call: Callable[..., Result], study: Path, corpora: Path, tmp_path: Path
) -> None:
    sweep(plan_of(DIGITS, corpora, tmp_path / "store", training=_training()))
    result = call("plan", study, "--data", corpora)
    assert "0 clips to extract in 0 feature sets, 0 fits, 0 of 3 runs" in (
        result.output.replace("\n", " ")
    )
    assert re.search(r"logmel .* cached", result.output)
    assert re.search(r"fsdd\.digit--logmel--shareddnn +1 +1", result.output)


def test_plan_tells_what_a_sweep_will_mend_and_changes_nothing(
    call: Callable[..., Result], study: Path, corpora: Path, tmp_path: Path
) -> None:
    store = tmp_path / "store"
    plan = plan_of(DIGITS, corpora, store, training=_training())
    sweep(plan)
    damaged, unentered, lost = plan.runs
    (plan.sweep / "runs" / damaged.run / "metrics.parquet").write_bytes(b"?")
    (plan.sweep / "ledger" / f"{unentered.run}.json").unlink()
    (plan.sweep / "runs" / lost.run).rename(tmp_path / "elsewhere")
    before, changed = tree(store), store.stat().st_mtime_ns
    said = " ".join(call("plan", study, "--data", corpora).output.split())
    assert f"{damaged.run}: a sweep moves its record to damaged/" in said
    assert f"{unentered.run}: complete record without an entry" in said
    assert f"{lost.run}: no record stands behind its ledger entry" in said
    assert "2 of 3 runs" in said
    assert (tree(store), store.stat().st_mtime_ns) == (before, changed)


def test_a_sweep_that_another_carries_out_is_left_alone(
    call: Callable[..., Result], study: Path, corpora: Path, tmp_path: Path
) -> None:
    plan = plan_of(DIGITS, corpora, tmp_path / "store", training=_training())
    sweep(plan)
    (plan.sweep / "ledger" / f"{plan.runs[0].run}.json").unlink()
    with locked(plan.sweep):
        before = tree(plan.sweep)
        result = call("sweep", study, "--data", corpora)
        assert tree(plan.sweep) == before
    refused(result, "being carried out by another process")


def _training() -> object:
    from raymtl.training.training import Adam, Training

    return Training(epochs=2, optimiser=Adam(2e-3))


def test_only_narrows_what_is_planned(call: Callable[..., Result], study: Path, data: Path) -> None:
    result = call("plan", study, "--data", data, "--only", "fsdd.speaker*")
    assert "1 of 1 run" in result.output.replace("\n", " ")
    assert "fsdd.digit--" not in result.output
    result = call("plan", study, "--data", data, "--only", "fsdd.speaker")  # anywhere in the name
    assert "2 of 2 runs" in result.output.replace("\n", " ")
    assert "fsdd.digit--" not in result.output


def test_check_shows_every_step(call: Callable[..., Result], study: Path, data: Path) -> None:
    result = call("check", study, "--data", data)
    assert result.exit_code == 0, result.output
    narrow(result.output)
    assert "Every step works." in result.output
    assert re.search(r"signal +fsdd\.digit +1 channels × \d+ samples × 8000 Hz", result.output)
    assert re.search(r"stages +fsdd\.digit +1 channels × 16 frames × 12 features", result.output)
    assert re.search(r"layer +\S+ (Linear|Conv2d) +2 × \d+", result.output)
    assert re.search(r"head +fsdd\.digit/digit +2 × 10 × loss \d", result.output)
    assert not (study.parent / "store" / "features").exists()


def test_check_takes_the_patterns_that_plan_takes(
    call: Callable[..., Result], study: Path, data: Path
) -> None:
    result = call("check", study, "--data", data, "--only", "fsdd.digit--*")
    assert result.exit_code == 0
    assert "fsdd.digit/digit" in result.output
    assert "fsdd.speaker" not in result.output


def test_check_says_what_does_not_fit(call: Callable[..., Result], study: Path, data: Path) -> None:
    """A network of fixed size on clips of any length."""
    study.write_text(STUDY.replace(", FixedLength(16)", ""))
    result = call("check", study, "--data", data)
    assert result.exit_code == 2
    assert "FixedLength" in result.output
    assert "Faults: 1." in result.output


def test_check_takes_clips_of_unequal_length(
    call: Callable[..., Result], study: Path, data: Path
) -> None:
    """All clips but one are equally long: that one is enough for a network of fixed size."""
    paths = sorted((data / "fsdd" / "recordings").glob("*.wav"))
    for path in paths:
        wave, rate = soundfile.read(path)
        longer = 400 if path == paths[len(paths) // 2] else 0
        soundfile.write(path, np.resize(wave, 3_000 + longer), rate)
    study.write_text(STUDY.replace(", FixedLength(16)", ""))
    result = call("check", study, "--data", data)
    assert result.exit_code == 2
    assert "FixedLength" in result.output


def test_stats_shows_a_corpus(call: Callable[..., Result], study: Path, data: Path) -> None:
    result = call("stats", study, "--data", data)
    assert result.exit_code == 0, result.output
    narrow(result.output)
    assert "fsdd" in result.output
    assert "160" in result.output
    assert "8000" in result.output.replace(",", "") or "8 kHz" in result.output


def test_stats_names_what_cannot_be_decoded(
    call: Callable[..., Result], study: Path, data: Path
) -> None:
    DAMAGE["empty"](data / "fsdd" / BAD)
    result = call("stats", study, "--data", data)
    assert result.exit_code == 0
    assert "7_lucas_6" in result.output


def test_report_of_a_sweep(call: Callable[..., Result], corpora: Path, tmp_path: Path) -> None:
    from raymtl.plan.written import write_plan

    plan = plan_of(DIGITS, corpora, tmp_path / "store")
    write_plan(plan)
    unfinished = call("report", plan.sweep)
    assert unfinished.exit_code == 0, unfinished.output
    sweep(plan)
    result = call("report", plan.sweep)
    assert result.exit_code == 0, result.output
    narrow(result.output)
    assert "digit" in result.output
    assert f"report: {plan.sweep / 'report' / 'index.html'}" in result.output.replace("\n", "")
    assert (plan.sweep / "report" / "index.html").stat().st_size > 1_000


def test_report_of_a_folder_that_is_no_sweep(call: Callable[..., Result], tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    refused(call("report", tmp_path / "folder"), str(tmp_path / "folder"))


def test_miniatures_are_written_and_then_read(
    call: Callable[..., Result], study: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("readers.READERS", (Fsdd(),))
    result = call("miniatures", tmp_path / "small")
    assert result.exit_code == 0
    assert result.output == f"{'Fsdd':24} {tmp_path / 'small' / 'fsdd'}\n"
    assert len(Fsdd().read(tmp_path / "small" / "fsdd")) == 160
    planned = call("plan", study)  # without --data, the miniatures are written to the store
    assert planned.exit_code == 0, planned.output
    assert "160" in planned.output
    made = {p for p in (tmp_path / "store" / "miniatures").iterdir() if p.is_dir()}
    assert len(made) == 1
    assert call("check", study).exit_code == 0
    assert {p for p in (tmp_path / "store" / "miniatures").iterdir() if p.is_dir()} == made


def test_a_study_from_any_working_directory(
    call: Callable[..., Result], study: Path, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(study.parent)
    assert call("plan", "mine.py", "--data", "data").exit_code == 0
    monkeypatch.chdir("/")
    assert call("plan", study, "--data", data).exit_code == 0


# --- whole sweeps ------------------------------------------------------------------------------


def command(study: Path, data: Path, *words: str) -> subprocess.CompletedProcess[str]:
    store = study.parent / "store"
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "80"}
    return subprocess.run(
        [
            sys.executable,
            "-m",
            "raymtl",
            "sweep",
            str(study),
            "--data",
            str(data),
            "--store",
            str(store),
            "--plain",
            *words,
        ],
        capture_output=True,
        text=True,
        env=environment,
        timeout=300,
        check=False,
    )


@pytest.mark.ray
def test_a_sweep_and_then_nothing_to_do(study: Path, data: Path) -> None:
    first = command(study, data)
    assert first.returncode == 0, first.stdout + first.stderr
    assert "3 of 3 runs have a record." in first.stdout
    assert "Traceback" not in first.stdout + first.stderr
    runs = study.parent / "store" / "sweeps" / "digits" / "runs"
    before = {p: p.stat().st_mtime_ns for p in runs.rglob("*")}
    second = command(study, data)
    assert second.returncode == 0, second.stdout + second.stderr
    assert "Nothing to do" in second.stdout
    assert {p: p.stat().st_mtime_ns for p in runs.rglob("*")} == before


@pytest.mark.ray
def test_a_sweep_with_a_recording_that_is_not_sound(study: Path, data: Path) -> None:
    path = data / "fsdd" / BAD
    nan(path)
    failed = command(study, data)
    assert failed.returncode == 2, failed.stdout + failed.stderr
    assert failed.stderr.count("error: ") == 1
    assert f"{path}: " in failed.stderr
    assert "NaN" in failed.stderr
    assert "--bad-files skip" in failed.stderr
    assert not (study.parent / "store" / "sweeps" / "digits" / "runs").exists()
    skipped = command(study, data, "--bad-files", "skip")
    assert skipped.returncode == 0, skipped.stdout + skipped.stderr
    assert f"skipped: {path}: " in skipped.stdout
    assert "3 of 3 runs have a record." in skipped.stdout

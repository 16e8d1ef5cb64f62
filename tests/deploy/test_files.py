"""`raymtl predict`: files, folders, standard input; long recordings; bad ones; three formats."""

from __future__ import annotations

import csv
import io
import json
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from click.testing import CliRunner
from scipy.io import wavfile

import raymtl
from raymtl.cli import main
from raymtl.commands.predict import predict as predict_files
from raymtl.deploy import sounds
from raymtl.deploy.answers import answer
from raymtl.deploy.files import Result
from raymtl.deploy.sounds import spans
from raymtl.deploy.writing import audacity, text_lines
from raymtl.errors import AudioError, StoreError, StudyError
from raymtl.extraction.audio import Signal
from raymtl.plan import Plan
from raymtl.tasks import AnyOf, OneOf


@pytest.fixture
def folder(digits: Plan, tmp_path: Path) -> Path:
    """Two recordings, one in a folder below, and one that is none."""
    paths = [Path(row.path) for row in digits.corpora.sources["fsdd.digit"].rows]
    (tmp_path / "in" / "deeper").mkdir(parents=True)
    shutil.copy(paths[0], tmp_path / "in" / "a.wav")
    shutil.copy(paths[1], tmp_path / "in" / "deeper" / "b.wav")
    (tmp_path / "in" / "broken.wav").write_bytes(b"RIFF, it says")
    return tmp_path / "in"


def predict(run: Path, *words: str, stdin: bytes | None = None) -> tuple[int, str, str]:
    done = CliRunner().invoke(main, ["predict", str(run), *words], input=stdin)
    return done.exit_code, done.stdout, done.stderr


def test_a_folder_with_a_broken_file(runs: list[Path], folder: Path) -> None:
    code, out, err = predict(runs[0], str(folder))
    lines = [json.loads(line) for line in out.splitlines()]
    assert code == 1
    assert [Path(line["file"]).name for line in lines] == ["a.wav", "broken.wav", "b.wav"]
    assert "error" in lines[1]
    assert "broken.wav" in err
    assert set(lines[0]["tasks"]) == {"digit", "speaker"}
    scores = lines[0]["tasks"]["digit"]["scores"]
    assert sum(scores.values()) == pytest.approx(1, abs=1e-5)
    assert lines[0]["tasks"]["digit"]["labels"] == [max(scores, key=scores.__getitem__)]


def test_links_are_followed_and_their_faults_are_said_in_place(
    runs: list[Path], folder: Path, tmp_path: Path
) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    shutil.copy(folder / "a.wav", outside / "c.wav")
    (folder / "broken.wav").unlink()
    (folder / "far").symlink_to(outside)
    (folder / "deeper" / "round").symlink_to(folder)
    (folder / "gone.wav").symlink_to(tmp_path / "nowhere.wav")
    (folder / "linked.wav").symlink_to(outside / "c.wav")
    code, out, err = predict(runs[0], str(folder), str(tmp_path / "missing"))
    lines = {line["file"]: line for line in map(json.loads, out.splitlines())}
    names = {Path(file).name: "tasks" in line for file, line in lines.items()}
    assert code == 1
    assert names == {"a.wav": True, "b.wav": True, "c.wav": True, "gone.wav": False,
                     "linked.wav": True, "missing": False}  # fmt: skip
    assert "gone.wav: a link to a file that is not there." in err
    assert "2 of 6 recordings gave no answer." in err


@pytest.mark.parametrize(
    "words", [("--hop", "0"), ("--hop", "-1"), ("--window", "1", "--hop", "0")]
)
def test_windows_that_are_none(runs: list[Path], folder: Path, words: tuple[str, ...]) -> None:
    code, out, _ = predict(runs[0], str(folder / "a.wav"), *words)
    assert (code, out) == (2, "")
    with pytest.raises(StudyError, match="expected seconds above 0"):
        raymtl.load(runs[0]).predict_file(folder / "a.wav", hop=0.0)


@pytest.mark.parametrize("form", ["wav", "flac", "mp3", "ogg"])
def test_windows_are_those_of_the_whole_recording(form: str, tmp_path: Path) -> None:
    """Read in parts, forwards, by whichever decoder; against libsndfile's whole file."""
    rng, path = np.random.default_rng(0), tmp_path / f"long.{form}"
    noise = np.convolve(rng.normal(0, 0.1, 16_000 * 40), np.ones(4) / 4)
    soundfile.write(path, np.stack([noise, noise / 2], axis=1), 16_000)
    whole = soundfile.read(path, dtype="float32")[0].mean(axis=1)
    at = [*spans(30.0, 1.0, 0.3), (35.0, 36.0)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sounds, "_VALUES", 50_000)
        pieces = list(sounds.from_file(path, Signal(rate=16_000), at))
    assert [(piece.start, piece.end) for piece in pieces] == at
    for piece in pieces:
        first = round(16_000 * piece.start)
        np.testing.assert_allclose(piece.wave[0], whole[first : first + 16_000], atol=1e-6)


def test_a_wave_file_that_is_still_being_written(runs: list[Path], folder: Path) -> None:
    """As recorders and ffmpeg pipe them: sizes in the header are not known yet."""
    content = bytearray((folder / "a.wav").read_bytes())
    at = content.index(b"data") + 4
    content[4:8] = content[at : at + 4] = b"\xff" * 4
    _, of_file, _ = predict(runs[0], str(folder / "a.wav"))
    code, of_input, _ = predict(runs[0], "-", stdin=bytes(content))
    assert code == 0
    assert json.loads(of_input)["tasks"] == json.loads(of_file)["tasks"]


def test_standard_input_is_as_the_file(runs: list[Path], folder: Path) -> None:
    file = folder / "a.wav"
    _, of_file, _ = predict(runs[0], str(file))
    code, of_input, _ = predict(runs[0], "-", stdin=file.read_bytes())
    assert code == 0
    assert json.loads(of_input)["tasks"] == json.loads(of_file)["tasks"]


@pytest.mark.parametrize(
    ("seconds", "window", "hop", "expected"),
    [
        (1.0, 2.0, 1.0, [(0, 1)]),
        (2.0, 2.0, 1.0, [(0, 2)]),
        (4.0, 2.0, 1.0, [(0, 2), (1, 3), (2, 4)]),
        (4.5, 2.0, 2.0, [(0, 2), (2, 4), (2.5, 4.5)]),
    ],
)
def test_windows_cover_a_recording(
    seconds: float, window: float, hop: float, expected: list[tuple[float, float]]
) -> None:
    assert spans(seconds, window, hop) == expected


def test_a_long_recording_window_by_window(runs: list[Path], digits: Plan, tmp_path: Path) -> None:
    """Each window says what it says as a recording of its own; the whole is their mean."""
    predictor = raymtl.load(runs[0])
    paths = [row.path for row in digits.corpora.sources["fsdd.digit"].rows]
    wave = np.concatenate([soundfile.read(path, dtype="float32")[0] for path in paths[:40]])
    soundfile.write(tmp_path / "long.wav", wave, 8_000, "PCM_16")
    answer = predictor.predict_file(tmp_path / "long.wav", window=0.5, hop=0.25)["digit"]
    assert len(answer.windows) > 5
    for window in answer.windows[:5]:
        first, last = round(window.start * 8_000), round((window.start + 0.5) * 8_000)
        alone = predictor.predict(wave[first:last], 8_000)["digit"]
        assert list(alone.scores.values()) == pytest.approx(
            list(window.scores.values()),
            abs=1e-3,  # 16 bits
        )
    mean = np.mean([list(each.scores.values()) for each in answer.windows], axis=0)
    np.testing.assert_allclose(list(answer.scores.values()), mean, atol=1e-6)
    assert predictor.predict_file(tmp_path / "long.wav", window="auto")["digit"].windows[1:]


def test_csv_and_label_tracks(runs: list[Path], folder: Path, tmp_path: Path) -> None:
    code, out, _ = predict(runs[0], str(folder), "--format", "csv")
    rows = list(csv.DictReader(io.StringIO(out)))
    assert code == 1
    assert [row["task"] for row in rows if row["file"].endswith("a.wav")] == ["digit", "speaker"]
    assert [row["error"] != "" for row in rows] == [False, False, True, False, False]
    assert {row["epoch"] for row in rows} == {str(raymtl.load(runs[0]).epoch)}
    assert predict(runs[0], str(folder), "--format", "audacity")[0] == 2  # into which folder?
    predict(runs[0], str(folder), "--format", "audacity", "-o", str(tmp_path / "labels"))
    assert sorted(path.name for path in (tmp_path / "labels").iterdir()) == ["a.txt", "b.txt"]
    start, end, label = (tmp_path / "labels" / "a.txt").read_text().splitlines()[0].split("\t")
    assert 0 == float(start) < float(end)
    assert label.startswith("digit: ")


def test_labels_with_tabs_and_ends_of_lines_keep_to_their_place() -> None:
    heard = answer(OneOf("t", ("a\tb\nc", "d")), np.array([[0.9, 0.1]], np.float32), [(0.0, 1.0)])
    assert audacity(Result("x.wav", {"t": heard})) == "0.000000\t1.000000\tt: a?b?c\n"


def test_text_for_people(runs: list[Path], folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Within 80 columns, but for paths."""
    monkeypatch.chdir(folder)
    wave, rate = soundfile.read("a.wav")
    soundfile.write("long.wav", np.resize(wave, 3 * rate), rate)
    code, out, err = predict(runs[0], "a.wav", "broken.wav", "long.wav", "--format", "text")
    assert code == 1
    assert err == "1 of 3 recordings gave no answer.\n"
    one, bad, long = out.strip().split("\n\n")
    answer = raymtl.load(runs[0]).predict_file("a.wav")["digit"]
    assert one.splitlines()[0] == f"a.wav  0.00-{answer.end:.2f} s"
    assert one.splitlines()[1].split()[:2] == ["digit", answer.label]
    assert f"({answer.label} {answer.scores[answer.label]:.2f}, " in one
    assert bad.splitlines()[1].startswith("  no answer: ")
    assert long.startswith("long.wav  0.00-3.00 s")
    assert max(map(len, out.splitlines())) <= 80


@pytest.mark.parametrize("terminal", [True, False])
def test_text_is_what_a_terminal_gets_and_nothing_else_does(
    terminal: bool, runs: list[Path], folder: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str], tmp_path: Path,
) -> None:  # fmt: skip
    monkeypatch.setattr(sys.stdout, "isatty", lambda: terminal)
    for output in (None, tmp_path / "out"):
        predict_files(runs[0], [str(folder / "a.wav")], form=None, output=output, window="auto",
                      hop=None, source=None, code=())  # fmt: skip
    assert capsys.readouterr().out.startswith(str(folder) if terminal else '{"file": ')
    assert (tmp_path / "out").read_text().startswith('{"file": ')


@pytest.mark.parametrize("scores", [(0.9, 0.6), (0.1, 0.2)])
def test_text_of_long_and_strange_names(scores: tuple[float, float]) -> None:
    task = AnyOf("heard", (f"a{'b' * 90}", "\x1b[31mred"))
    result = Result("x\x07.wav", {"heard": answer(task, np.array([scores], np.float32), [(0, 1)])})
    lines = list(text_lines([result]))
    assert lines[0] == "x?.wav  0.00-1.00 s"
    assert len(lines[1]) <= 80
    assert lines[1].startswith("  heard  " + ("ab" if scores[0] > 0.5 else "none of them"))
    assert "\x1b" not in lines[1]


@pytest.mark.parametrize("form", ["PCM_16", "PCM_24", "PCM_32"])
def test_integers_of_scipy_are_as_libsndfile_reads_them(form: str, tmp_path: Path) -> None:
    wave = np.random.default_rng(0).uniform(-1, 1, (4_000, 2))
    wave[:2] = [[-1, 1], [0, -1]]
    soundfile.write(tmp_path / "a.wav", wave, 8_000, form)
    rate, given = wavfile.read(tmp_path / "a.wav")
    expected = soundfile.read(tmp_path / "a.wav", dtype="float32")[0].T
    np.testing.assert_array_equal(sounds.checked(given.T, rate), expected)
    np.testing.assert_array_equal(sounds.checked(torch.from_numpy(given.T.copy()), rate), expected)


def test_what_is_no_waveform(runs: list[Path]) -> None:
    predictor = raymtl.load(runs[0])
    for kind in (np.int64, np.uint8, np.uint16):  # of what full scale, and about what middle?
        with pytest.raises(AudioError, match="Divide other integers by their full scale"):
            predictor.predict(np.zeros(8_000, kind), 8_000)
    with pytest.raises(AudioError, match="NaN"):
        predictor.predict(np.full(8_000, np.nan), 8_000)
    with pytest.raises(AudioError, match="without samples"):
        predictor.predict(np.zeros(0), 8_000)
    with pytest.raises(AudioError, match="rate 0 Hz"):
        predictor.predict(np.zeros(8_000), 0)
    with pytest.raises(AudioError, match=r"rate 8000\.5 Hz; expected a whole number"):
        predictor.predict(np.zeros(8_000), 8_000.5)  # type: ignore[arg-type]
    with pytest.raises(AudioError, match="Transpose"):
        predictor.predict(np.zeros((8_000, 2)), 8_000)
    with pytest.raises(StudyError, match=r"trained on fsdd\.digit, fsdd\.speaker"):
        predictor.predict(np.zeros(8_000), 8_000, source="fsdd")


def test_damaged_and_foreign_folders(runs: list[Path], tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="not there"):
        raymtl.load(tmp_path / "nowhere")
    with pytest.raises(StoreError, match="neither a finished run nor what `raymtl export` wrote"):
        raymtl.load(tmp_path)
    with pytest.raises(StoreError, match=r"a sweep of \d run.*Name one: .*runs/fsdd"):
        raymtl.load(runs[0].parents[1])
    (tmp_path / "no.raymtl").write_bytes(b"no")
    with pytest.raises(StoreError, match=r"record\.json cannot be read"):
        raymtl.load(tmp_path / "no.raymtl")
    run = tmp_path / "run"
    shutil.copytree(runs[0], run)
    weights = run / "checkpoint" / "weights.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"\x7f")
    with pytest.raises(StoreError, match="not what the record speaks of"):
        raymtl.load(run)

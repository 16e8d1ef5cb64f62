"""A trained network behind a page: what it answers, to what, and to whom."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import NoReturn

import numpy as np
import pytest
import ray
import soundfile
from starlette.applications import Starlette
from starlette.routing import Route
from starlette.testclient import TestClient

import raymtl
from raymtl.commands.serve import serve_run
from raymtl.engine import serve
from raymtl.errors import PreflightError, StudyError
from raymtl.extraction.images import Image
from tests import inprocess
from tests.corpora import DIGITS, plan_of

LONG = 240.0  # seconds: nothing takes longer, however busy the machine


@pytest.fixture(scope="module")
def run(corpora: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One trained run of digit and speaker."""
    folder = tmp_path_factory.mktemp("served")
    plan = plan_of(replace(DIGITS, name="served"), corpora, folder)
    job = max(plan.runs, key=lambda job: len(job.sources))
    inprocess.run(plan, job, inprocess.prepare(plan))
    return plan.sweep / "runs" / job.run


@pytest.fixture(scope="module")
def client(run: Path) -> Iterator[TestClient]:
    listener = serve.Listener(str(run))
    routes = [Route("/{rest:path}", listener.__call__, methods=["GET", "POST"])]
    with TestClient(Starlette(routes=routes)) as found:
        yield found


@pytest.fixture(scope="module")
def recording(corpora: Path) -> Path:
    return min((corpora / "fsdd" / "recordings").glob("*.wav"))


def test_the_page_needs_nothing_from_elsewhere(client: TestClient) -> None:
    reply = client.get("/")
    assert reply.status_code == 200
    assert "http://" not in reply.text.replace("http://www.w3.org/2000/svg", "")
    assert "https://" not in reply.text
    assert "default-src 'none'" in reply.headers["content-security-policy"]


def test_what_is_served_is_told(client: TestClient, run: Path) -> None:
    told = client.get("/about").json()
    assert told["name"] == run.name
    assert "digit" in told["text"]


def test_answers_are_those_of_the_predictor(client: TestClient, run: Path, recording: Path) -> None:
    reply = client.post("/predict", content=recording.read_bytes())
    assert reply.status_code == 200
    said = reply.json()["tasks"]
    predictor = raymtl.load(run)
    window = min(map(predictor.hears, predictor.recipe.fronts.values()))
    expected = predictor.predict_file(recording, window=window)
    assert set(said) == set(expected)
    for task, answer in expected.items():
        assert said[task]["scores"] == pytest.approx(answer.scores, abs=1e-6)
        assert said[task]["labels"] == list(answer.labels)


def test_a_long_recording_is_answered_over_time(
    client: TestClient, recording: Path, tmp_path: Path
) -> None:
    wave, rate = soundfile.read(recording)
    soundfile.write(tmp_path / "long.ogg", np.resize(wave, 4 * rate), rate)
    reply = client.post("/predict", content=(tmp_path / "long.ogg").read_bytes()).json()
    assert reply["seconds"] == pytest.approx(4.0, abs=0.05)
    starts = [window["start"] for window in reply["tasks"]["digit"]["windows"]]
    assert starts == sorted(starts)
    assert len(starts) > 4


@pytest.mark.parametrize(
    ("content", "status", "said"),
    [
        (b"", 422, "not a recording that can be used"),
        (b"<script>alert(1)</script>", 422, "not a recording that can be used"),
    ],
)
def test_what_is_no_recording(client: TestClient, content: bytes, status: int, said: str) -> None:
    reply = client.post("/predict", content=content)
    assert reply.status_code == status
    assert said in reply.json()["error"]
    assert "/tmp" not in reply.json()["error"]


def test_too_large_a_recording(client: TestClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serve, "MOST", 1 << 20)
    reply = client.post("/predict", content=bytes(2 << 20))
    assert (reply.status_code, "larger than 1 MiB" in reply.text) == (413, True)


def test_more_sound_than_is_answered(
    client: TestClient, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Few bytes of silence are hours of windows."""
    monkeypatch.setattr(serve, "HOURS", 0.5)
    silence = np.zeros(3600 * 1_000, np.int16)
    soundfile.write(tmp_path / "silence.flac", silence, 1_000, "PCM_16")
    content = (tmp_path / "silence.flac").read_bytes()
    assert len(content) < 100_000
    reply = client.post("/predict", content=content)
    assert reply.status_code == 422
    assert "it lasts 1.0 h; at most 0.5 h are answered at a time" in reply.json()["error"]


@pytest.mark.parametrize(
    ("method", "path"), [("GET", "/predict"), ("POST", "/"), ("GET", "/../etc")]
)
def test_what_is_not_served(client: TestClient, method: str, path: str) -> None:
    assert client.request(method, path).status_code == 404


def test_a_port_that_is_taken() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(PreflightError, match=f"--port {port}: cannot be listened on"):
            serve._free("127.0.0.1", port)


def never(*_: object, **__: object) -> NoReturn:
    raise AssertionError("Ray is started")


def test_networks_of_images_are_refused_before_ray_starts(
    run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    predictor = raymtl.load(run)
    fronts = predictor.recipe.fronts.items()
    images = {name: replace(front, signal=Image(size=(8, 8))) for name, front in fronts}
    predictor.recipe = replace(predictor.recipe, fronts=images)
    monkeypatch.setattr(serve, "load", lambda *_, **__: predictor)
    monkeypatch.setattr(serve, "connected", never)
    with pytest.raises(StudyError, match="takes images, and the page takes sound"):
        serve.serve(run, "127.0.0.1", 8000, 1)


def test_a_source_is_chosen(run: Path, recording: Path) -> None:
    predictor = raymtl.load(run)
    name = predictor.sources[0]
    said = serve.Listener(str(run), source=name).answer(recording.read_bytes())["tasks"]
    window = predictor.hears(predictor.recipe.fronts[name])
    expected = predictor.predict_file(recording, window=window, source=name)
    assert said == {task: answer.to_plain() for task, answer in expected.items()}


def test_a_source_that_the_run_has_not(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serve, "connected", never)
    with pytest.raises(StudyError, match="source 'dogs': the run was trained on"):
        serve.serve(run, "127.0.0.1", 8000, 1, source="dogs")


@pytest.mark.parametrize("when", ["load", "connected"])
def test_interrupted_while_it_starts(
    when: str, run: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(*_: object, **__: object) -> NoReturn:
        raise KeyboardInterrupt

    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    monkeypatch.setattr(serve, when, interrupted)
    monkeypatch.setattr(ray, "serve", None, raising=False)  # importing it warns of its own code
    serve_run(run, "127.0.0.1", port, 1, None)
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err.startswith("Loading the network ...")
    assert ("Starting Ray ..." in told.err) == (when == "connected")
    assert told.err.endswith("Ended.\n")


@pytest.mark.ray
def test_through_ray_serve_until_interrupted(run: Path, recording: Path) -> None:
    """Also where it began with interrupts ignored, as a script's `command &` does."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "raymtl", "serve", str(run), "--port", str(port)]
    process = subprocess.Popen(
        ["sh", "-c", 'trap "" INT; exec "$@"', "sh", *command],
        stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )  # fmt: skip
    try:
        assert process.stdout is not None
        assert "answers; Ctrl-C ends it" in process.stdout.readline()
        asked = urllib.request.Request(
            f"http://127.0.0.1:{port}/predict", data=recording.read_bytes()
        )
        with urllib.request.urlopen(asked, timeout=LONG) as reply:
            assert b'"digit"' in reply.read()
        process.send_signal(signal.SIGINT)
        assert process.wait(LONG) == 0
    finally:
        process.kill()
        process.communicate()
    with pytest.raises(OSError, match="refused"):
        socket.create_connection(("127.0.0.1", port), timeout=5)

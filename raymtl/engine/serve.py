"""A trained network behind a web page, as a Ray Serve deployment.

GET / is the page, GET /about what is served, POST /predict a recording (any format that libsndfile
reads) to what each task says of it, as JSON.
"""

from __future__ import annotations

import signal
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import TYPE_CHECKING, Any

from raymtl.deploy import load
from raymtl.deploy.predictor import Predictor
from raymtl.engine.cluster import connected
from raymtl.engine.interrupt import SIGNALS
from raymtl.engine.options import SweepOptions
from raymtl.errors import AudioError, DecodingError, PreflightError, RaymtlError, StudyError
from raymtl.kept import Epoch

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

MOST, HOURS = 64 << 20, 6.0  # bytes of a recording, and its length: silence packs into few bytes
_PAGE = Path(__file__).with_name("serve.html")
_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; script-src "
    "'unsafe-inline'; connect-src 'self'; media-src blob:; base-uri 'none'; form-action 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}


class Listener:
    """What one replica does: it holds the network and answers one request after the other."""

    def __init__(
        self,
        run: str,
        epoch: Epoch | None = None,
        source: str | None = None,
        code: Sequence[str] = (),
    ) -> None:
        self._predictor, self._source = load(Path(run), code, epoch), source
        recipe = self._predictor.recipe
        used = {source: recipe.fronts[source]} if source else recipe.fronts
        self._window = min(map(self._predictor.hears, used.values()))
        self._about = {
            "name": recipe.run,
            "text": f"Tasks: {', '.join(self._predictor.tasks)}. Learnt from "
            f"{', '.join(self._predictor.sources)}. Weights of epoch {self._predictor.epoch}.",
        }

    async def __call__(self, request: Request) -> Response:
        from starlette.responses import HTMLResponse, JSONResponse

        asked = (request.method, request.url.path.rstrip("/") or "/")
        if asked == ("GET", "/"):
            return HTMLResponse(_PAGE.read_text(), headers=_HEADERS)
        if asked == ("GET", "/about"):
            return JSONResponse(self._about, headers=_HEADERS)
        if asked != ("POST", "/predict"):
            return _refused(404, f"{asked[0]} {asked[1]}: not served; POST a recording to /predict")
        recording = await _body(request)
        if recording is None:
            return _refused(
                413, f"the recording is larger than {MOST >> 20} MiB; send a part of it"
            )
        try:
            return JSONResponse(self.answer(recording), headers=_HEADERS)
        except RaymtlError as error:
            return _refused(422 if isinstance(error, DecodingError) else 400, str(error))

    def answer(self, recording: bytes) -> dict[str, Any]:
        """In: the bytes of a recording. Out: seconds heard, and each task's answer.

        What is longer than the network hears at a time is cut into windows that overlap by half.
        """
        with NamedTemporaryFile(prefix="raymtl-") as file:
            file.write(recording)
            file.flush()
            try:
                self._check(Path(file.name))
                found = self._predictor.predict_file(
                    file.name, window=self._window, source=self._source
                )
            except DecodingError as error:
                said = str(error).removeprefix(f"{file.name}: ")
                raise type(error)(f"not a recording that can be used: {said}") from error
        seconds = max((answer.end for answer in found.values()), default=0.0)
        return {"seconds": seconds, "tasks": {n: a.to_plain() for n, a in found.items()}}

    def _check(self, path: Path) -> None:
        """Raises:
        AudioError: for more sound than is answered at a time.
        """
        head = next(iter(self._predictor.recipe.fronts.values())).signal.header(path)
        hours = head.frames / head.rate / 3600
        if hours > HOURS:
            raise AudioError(
                f"it lasts {hours:.1f} h; at most {HOURS:g} h are answered at a time. Send a part "
                "of it, or use `raymtl predict`."
            )


async def _body(request: Request) -> bytes | None:
    """The request's body; None as soon as it is too large."""
    parts, size = [], 0
    async for part in request.stream():
        size += len(part)
        if size > MOST:
            return None
        parts.append(part)
    return b"".join(parts)


def _refused(status: int, reason: str) -> Response:
    from starlette.responses import JSONResponse

    return JSONResponse({"error": reason}, status_code=status, headers=_HEADERS)


def serve(
    run: Path,
    host: str,
    port: int,
    replicas: int,
    ready: Callable[[str], None] = lambda url: None,
    epoch: Epoch | None = None,
    told: Callable[[str], None] = lambda words: None,
    source: str | None = None,
    code: Sequence[str] = (),
) -> None:
    """Serves a run, or what was exported of one, until interrupted; so too while it starts.

    Args:
        host: ``127.0.0.1`` answers this machine alone.
        ready: told the address once it answers.
        epoch: whose weights: its number, ``best`` or ``last``; without it the best one's.
        told: what is being done, in words, until then.
        source, code: as `Predictor.predict` and `raymtl.load` take them.

    Raises:
        StoreError: when there is no such run.
        StudyError: for a network that takes no sound, or whose tasks' stages are not clear.
        PreflightError: when Ray Serve is not installed, or the port is taken.
    """
    told("Loading the network ...")
    code = [str(Path(name).resolve()) if Path(name).exists() else name for name in code]
    _hears(load(run, code, epoch), source)  # what is wrong with it is said now, not by a replica
    ray_serve = _ray_serve()
    _free(host, port)
    told("Starting Ray ...")
    with connected(SweepOptions(), dashboard=False), _signals_heeded():
        told("Starting the server ...")
        ray_serve.start(http_options={"host": host, "port": port, "location": "HeadOnly"})
        deployment = ray_serve.deployment(num_replicas=replicas)(Listener)
        ray_serve.run(deployment.bind(str(run.resolve()), epoch, source, code), name="raymtl")
        ready(f"http://{host}:{port}/")
        while True:  # an interrupt ends Ray, which is this command's own, and Serve with it
            time.sleep(1)


@contextmanager
def _signals_heeded() -> Iterator[None]:
    """Within, an interrupt ends the server even where a shell in the background had it ignored, and
    so does what systemd and Kubernetes send; Ray takes that for itself when it connects."""
    before = {number: signal.signal(number, signal.default_int_handler) for number in SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _ray_serve() -> Any:
    """Raises:
    PreflightError: when it is not installed.
    """
    try:
        from ray import serve as found
    except ImportError as error:
        raise PreflightError(
            'Ray Serve is not installed. Install it with: pip install "raymtl[serve]"'
        ) from error
    return found


def _hears(predictor: Predictor, source: str | None) -> None:
    """Raises:
    StudyError: for a network that takes no sound, or whose tasks' stages are not clear.
    """
    media = {predictor.recipe.fronts[name].signal.media for name in predictor.fronts(source)}
    if media != {"audio"}:
        raise StudyError(
            f"{predictor.recipe.run}: takes {' and '.join(sorted(media))}s, and the page takes "
            "sound. Use `raymtl predict`."
        )


def _free(host: str, port: int) -> None:
    """Raises:
    PreflightError: when something else listens there.
    """
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise PreflightError(
                f"--host {host} --port {port}: cannot be listened on "
                f"({error.strerror or error}). Choose another port."
            ) from error

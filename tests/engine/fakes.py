"""Jobs and trainings that need no data: what lanes do with them is what is tested."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from raymtl.durable import file_digest, seal, write_durably
from raymtl.engine.attempts import Attempt
from raymtl.engine.lanes import Cargo
from raymtl.engine.resources import Share
from raymtl.errors import Interrupted
from raymtl.kept import BEST_ALONE, Keep
from raymtl.results.ledger import Entry, Ledger


@dataclass(frozen=True)
class FakeJob:
    """As much of a RunJob as lanes look at; `does` says what its training does."""

    run: str
    does: str = "ends"
    digest: str = "0" * 64
    sources: tuple[Any, ...] = ()


class FakeBench:
    """Stands for a Workbench: made once a lane."""

    def __init__(self, store: Path, tables: Any) -> None:
        self.made = time.monotonic()
        self.runs = 0


def fake_record(sweep: Path, job: FakeJob, **facts: Any) -> Entry:
    """The smallest record that `reconcile` takes for whole."""
    content = {
        "run": job.run,
        "digest": job.digest,
        "files": {},
        "seconds": 0.0,
        "scores": [],
        "tasks": {},
        **facts,
    }
    write_durably(sweep / "runs" / job.run / "record.json", seal(content))
    return Ledger(sweep / "ledger").write(
        job.run,
        "done",
        digest=job.digest,
        record=file_digest(sweep / "runs" / job.run / "record.json"),
    )


def fake_train(
    job: FakeJob,
    bench: FakeBench,
    sweep: Path,
    *,
    report: Callable[[Any], None],
    stop: Callable[[], bool],
    device: str = "cpu",
    group: Any = None,
    keep: Keep = BEST_ALONE,
) -> Entry:
    """Does what the job says and records in which process and state it did."""
    bench.runs += 1
    facts = _facts(bench, sweep, group)
    rank = 0 if group is None else torch.distributed.get_rank(group)
    if rank:
        _act_beside(job, sweep)
    if group is not None:
        torch.distributed.all_reduce(torch.ones(1), group=group)  # a step: all are needed
    _act(job, sweep, stop)
    return Entry(job.run, "done") if rank else fake_record(sweep, job, **facts)


def _facts(bench: FakeBench, sweep: Path, group: Any) -> dict[str, Any]:
    """The process, and the state that the run before has left it in."""
    return {
        "pid": os.getpid(),
        "made": bench.made,
        "threads": torch.get_num_threads(),
        "dtype": str(torch.get_default_dtype()),
        "grad": torch.is_grad_enabled(),
        "drawn": torch.rand(2).tolist(),
        "folder": str(Path.cwd()),
        "dirty": os.environ.get("LEFT_BEHIND", ""),
        "rss": _resident(),
        "time": time.time(),
        "holds": _holds(sweep / "scratch" / "lanes.lock"),
        "workers": 1 if group is None else torch.distributed.get_world_size(group),
    }


def _act_beside(job: FakeJob, sweep: Path) -> None:
    """What the processes of a group do that are not its first."""
    if job.does == "raises on rank 1":
        raise ValueError("spilt tea")
    if job.does == "rank 1 dies once":
        _die_once(job, sweep)
    if job.does == "rank 1 dies":
        os.kill(os.getpid(), signal.SIGKILL)


def _act(job: FakeJob, sweep: Path, stop: Callable[[], bool]) -> None:
    if job.does == "raises":
        raise ValueError("spilt milk")
    if job.does == "exits":
        raise SystemExit(3)
    if job.does == "pollutes":
        _pollute()
    if job.does == "dies":
        os.kill(os.getpid(), signal.SIGKILL)
    if job.does == "dies once":
        _die_once(job, sweep)
    if job.does == "trains":
        _train()
    if job.does == "waits":
        _wait(stop)


def _die_once(job: FakeJob, sweep: Path) -> None:
    died = sweep / f"died-{job.run}"
    if not died.exists():
        died.touch()
        os.kill(os.getpid(), signal.SIGKILL)


def _pollute() -> None:
    """Leaves behind all that a careless network might."""
    torch.set_default_dtype(torch.float64)
    torch.set_grad_enabled(False)
    torch.set_num_threads(2)
    torch.manual_seed(12345)
    torch.nn.modules.module.register_module_forward_hook(lambda *given: 1 / 0)
    os.environ["LEFT_BEHIND"] = "yes"
    os.chdir("/")


def _train() -> None:
    layers = torch.nn.Linear(64, 128), torch.nn.ReLU(), torch.nn.Linear(128, 8)
    network = torch.nn.Sequential(*layers)
    optimiser = torch.optim.Adam(network.parameters())
    for _ in range(10):
        optimiser.zero_grad()
        network(torch.rand(256, 64)).square().mean().backward()
        optimiser.step()


def _wait(stop: Callable[[], bool], seconds: float = 60.0) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if stop():
            raise Interrupted("told to")
        time.sleep(0.02)
    raise TimeoutError("nobody said stop")


def _holds(path: Path) -> bool:
    """Whether this process has the file open."""
    return any(os.path.realpath(fd) == str(path) for fd in Path("/proc/self/fd").iterdir())


def _resident() -> int:
    """Resident memory of this process in bytes."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def fake_cargo(folder: Path, share: Share, cells: list[list[FakeJob]]) -> Cargo:
    """A cargo of fake jobs for a sweep in `folder`."""
    attempt = Attempt.new(folder / "scratch", "attempt")
    return Cargo(
        folder,
        folder,
        attempt,
        share,
        tuple(map(tuple, cells)),  # type: ignore[arg-type]
        {},
        fake_train,
        FakeBench,
    )

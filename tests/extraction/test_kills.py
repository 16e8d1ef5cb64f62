"""Processes killed while they write, and two that write at once: the same bytes in the end."""

from __future__ import annotations

import os
import signal
import traceback
from collections.abc import Callable
from pathlib import Path

import pytest

from raymtl.extraction.store import FeatureStore
from tests.extraction.sets import Corpus, content

pytestmark = pytest.mark.faults


def _forked(work: Callable[[], object]) -> int:
    """Runs in a process of its own; its process id."""
    child = os.fork()
    if child:
        return child
    status = 1
    try:
        work()
        status = 0
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(status)


def _ended(child: int) -> int:
    """Exit code, or minus the signal that ended it."""
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


@pytest.mark.parametrize(
    "stage",
    [
        "shard:written",
        "shard:written:3",
        "shard:before-sync",
        "shard:before-rename:2",
        "shard:after-rename",
        "shard:after-rename:4",
        "shard:finished:3",
        "commit:before-manifest",
        "commit:after-manifest",
        "commit:before-manifest:2",
    ],
)
def test_a_rerun_after_a_kill_ends_with_the_same_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stage: str
) -> None:
    corpus = Corpus.make(tmp_path / "data")
    undisturbed = content(corpus.extract(tmp_path / "undisturbed").root)
    root = tmp_path / "killed"
    monkeypatch.setenv("RAYMTL_FAULT", stage)
    assert _ended(_forked(lambda: corpus.extract(root))) == -signal.SIGKILL
    monkeypatch.delenv("RAYMTL_FAULT")
    store = FeatureStore(root)
    for address in corpus.addresses:  # whole or absent
        if store.complete(address):
            store.open(address, verify=True)
        for row in store.finished(address).values():
            assert undisturbed[f"{address}/{row.file}"] == (root / address / row.file).read_bytes()
    finished = {a: set(store.finished(a)) for a in corpus.addresses}
    times = {path: path.stat().st_mtime_ns for path in root.rglob("part-*.json")}
    corpus.extract(root)
    assert content(root) == undisturbed
    for address, keys in finished.items():  # and what was finished was not done again
        for key in keys:
            path = root / address / f"part-{key}.json"
            assert path.stat().st_mtime_ns == times[path]
    assert not list(root.rglob(".part-*"))


def test_two_processes_at_once(tmp_path: Path) -> None:
    corpus = Corpus.make(tmp_path / "data")
    undisturbed = content(corpus.extract(tmp_path / "alone").root)
    root = tmp_path / "both"
    children = [_forked(lambda: corpus.extract(root)) for _ in range(2)]
    assert [_ended(child) for child in children] == [0, 0]
    assert content(root) == undisturbed


def test_a_late_writer_without_a_lease_does_no_harm(tmp_path: Path) -> None:
    """It writes what is there already; who reads meanwhile keeps what was mapped."""
    corpus = Corpus.make(tmp_path / "data")
    store = corpus.extract(tmp_path / "store")
    address, before = corpus.addresses[0], content(store.root)
    features = store.open(address)
    kept = features.matrix(5).copy()
    for path in store.folder(address).glob("part-*.json"):
        path.unlink()  # as if it had begun before the other finished
    (store.folder(address) / "manifest.json").unlink()
    assert _ended(_forked(lambda: corpus.extract(store.root))) == 0
    assert content(store.root) == before
    assert features.matrix(5).tobytes() == kept.tobytes()


def test_the_lease_of_a_killed_process_is_free(tmp_path: Path) -> None:
    store = FeatureStore(tmp_path)
    ready, begun = os.pipe()

    def hold() -> None:
        with store.lease("address"):
            os.write(begun, b"x")
            signal.pause()

    child = _forked(hold)
    os.read(ready, 1)
    with store.lease("address", wait=0) as held:
        assert not held
    os.kill(child, signal.SIGKILL)
    assert _ended(child) == -signal.SIGKILL
    with store.lease("address", wait=0) as held:
        assert held


def test_only_one_process_dies_with_a_mark(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    corpus = Corpus.make(tmp_path / "data")
    monkeypatch.setenv("RAYMTL_FAULT", "shard:before-rename")
    monkeypatch.setenv("RAYMTL_FAULT_MARK", str(tmp_path / "mark"))
    ends = [_ended(_forked(lambda: corpus.extract(tmp_path / "store"))) for _ in range(2)]
    assert ends == [-signal.SIGKILL, 0]

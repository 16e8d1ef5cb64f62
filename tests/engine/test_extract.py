"""Extraction through Ray: complete sets, kept work, named failures, crashed processes."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import ray.cloudpickle
import soundfile

from raymtl.engine.extract import Told, extract_all, refuse_bad, skipped_clips
from raymtl.engine.isolate import REASON, isolate
from raymtl.engine.resources import Share
from raymtl.errors import DecodingError, Interrupted, StoreError
from raymtl.extraction.audio import ClipRow, Signal, decode
from raymtl.extraction.features import LogMel, Mfcc
from raymtl.extraction.inspection import inspect
from raymtl.extraction.store import Chunk, FeatureStore, chunks, extract_chunk, feature_address
from raymtl.plan import FeatureJob

pytestmark = [
    pytest.mark.ray,
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),  # Ray Data's own use of others
    pytest.mark.filterwarnings("ignore::FutureWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),  # files Ray leaves to the collector
]

SIGNAL = Signal(rate=8_000)
QUIET = Told(says=lambda text: None)


@pytest.fixture(scope="module", autouse=True)
def _travel() -> Iterator[None]:
    """Workers need not be able to import the tests."""
    import sys

    module = sys.modules[__name__]
    ray.cloudpickle.register_pickle_by_value(module)
    yield
    ray.cloudpickle.unregister_pickle_by_value(module)


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> tuple[ClipRow, ...]:
    folder = tmp_path_factory.mktemp("clips")
    generator = np.random.default_rng(0)
    rows = []
    for number in range(24):
        path = folder / f"{number:02}.wav"
        soundfile.write(path, generator.normal(0, 0.1, 4_000).astype(np.float32), 8_000)
        rows.append(ClipRow(f"c/{number:02}", str(path)))
    return tuple(rows)


def _jobs(rows: Sequence[ClipRow], *extractions: Any, work: float = 0.0004) -> list[FeatureJob]:
    facts = inspect([Path(row.path) for row in rows], None)
    parts = tuple(chunks(rows, facts, work=work))
    assert len(parts) >= 3
    return [
        FeatureJob(
            feature_address(SIGNAL, e, rows, facts), SIGNAL, e, ("s",), tuple(rows), parts, False
        )
        for e in extractions
    ]


def test_sets_are_complete_and_hold_what_one_process_computes(
    cluster: Share, clips: tuple[ClipRow, ...], tmp_path: Path
) -> None:
    jobs = _jobs(clips, LogMel(), Mfcc())
    begun, done = [], []
    extract_all(
        jobs,
        tmp_path,
        replace(QUIET, begins=lambda amount, clips: begun.append(amount), more=done.append),
    )
    assert sum(done) == pytest.approx(begun[0])
    assert begun[0] == pytest.approx(24 * 0.5)  # both sets from one decoding
    for job in jobs:
        features = FeatureStore(tmp_path).open(job.address, verify=True)
        assert features.ids == sorted(row.id for row in clips)
        for row in (clips[0], clips[-1]):
            wave, rate = decode(Path(row.path), SIGNAL)
            alone = job.extraction([wave], rate)[0]
            np.testing.assert_array_equal(features.matrix(int(features.row([row.id])[0])), alone)


def test_a_second_time_nothing_is_extracted(
    cluster: Share, clips: tuple[ClipRow, ...], tmp_path: Path
) -> None:
    jobs = _jobs(clips, LogMel())
    extract_all(jobs, tmp_path, QUIET)
    done: list[float] = []
    extract_all(jobs, tmp_path, replace(QUIET, more=done.append), extract=_never)
    assert done == []


def _never(*given: Any) -> Any:
    raise AssertionError("extracted again")


def _fails_once(root: Path, addresses: Any, signal_: Any, extractions: Any, chunk: Chunk) -> Any:
    if chunk.rows[0].id == "c/00" and not (root / "failed").exists():
        (root / "failed").touch()
        raise StoreError("disk is full. Free some.")
    return extract_chunk(root, addresses, signal_, extractions, chunk)


def test_an_error_keeps_what_is_finished_and_the_next_time_does_the_rest(
    cluster: Share, clips: tuple[ClipRow, ...], tmp_path: Path
) -> None:
    jobs = _jobs(clips, LogMel())
    with pytest.raises(StoreError, match="disk is full"):
        extract_all(jobs, tmp_path, QUIET, extract=_fails_once)
    store, total = FeatureStore(tmp_path), len(jobs[0].chunks)
    assert len(store.finished(jobs[0].address)) == total - 1
    assert not store.complete(jobs[0].address)
    done: list[float] = []
    extract_all(jobs, tmp_path, replace(QUIET, more=done.append))
    assert len(done) == 1
    assert store.complete(jobs[0].address)


def _dies(root: Path, addresses: Any, signal_: Any, extractions: Any, chunk: Chunk) -> Any:
    if any(row.id == "c/05" for row in chunk.rows):
        os.kill(os.getpid(), signal.SIGKILL)
    return extract_chunk(root, addresses, signal_, extractions, chunk)


def _dies_once(root: Path, *given: Any) -> Any:
    if not (root / "died").exists():
        (root / "died").touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return extract_chunk(root, *given)


def test_a_worker_that_dies_is_replaced(
    cluster: Share, clips: tuple[ClipRow, ...], tmp_path: Path
) -> None:
    jobs = _jobs(clips, LogMel())
    extract_all(jobs, tmp_path, QUIET, extract=_dies_once)
    assert len(FeatureStore(tmp_path).open(jobs[0].address)) == len(clips)


def test_a_recording_that_kills_every_worker_is_found_and_named_or_skipped(
    cluster: Share, clips: tuple[ClipRow, ...], tmp_path: Path
) -> None:
    jobs = _jobs(clips[2:8], LogMel(), Mfcc(), work=0.0001)
    with pytest.raises(DecodingError, match="1 clip cannot be used") as refused:
        extract_all(jobs, tmp_path, QUIET, extract=_dies)
    assert f"05.wav: {REASON}" in str(refused.value)
    store = FeatureStore(tmp_path)
    for job in jobs:  # nothing is stored of it, and the rest is kept
        deadly = {c.key for c in job.chunks if "c/05" in {row.id for row in c.rows}}
        assert set(store.finished(job.address)) == {c.key for c in job.chunks} - deadly

    extract_all(jobs, tmp_path, QUIET, extract=_dies, bad_files="skip")

    for job in jobs:
        assert store.open(job.address).skipped == {"c/05": REASON}
        assert len(store.open(job.address, verify=True)) == 5
    assert {job.address for job in jobs} | {".locks"} == {path.name for path in tmp_path.iterdir()}
    extract_all(jobs, tmp_path, QUIET, extract=_never)


@pytest.mark.parametrize("killers", [set(), {0}, {3, 4}, {0, 7, 12}, set(range(13))])
def test_halving_finds_the_killers_and_proves_them_alone(killers: set[int]) -> None:
    rows = tuple(ClipRow(str(number), f"{number}.wav") for number in range(13))
    tried: list[Sequence[Sequence[ClipRow]]] = []

    def survive(parts: Sequence[Sequence[ClipRow]]) -> list[bool]:
        tried.append(parts)
        return [not killers & {int(row.id) for row in part} for part in parts]

    found = isolate(rows, survive)
    assert found == tuple(rows[number] for number in sorted(killers))
    assert tried[len(tried) - len(killers) :] == [[(row,)] for row in found]
    assert len(tried) <= 4 + len(killers)  # rounds, and one trial each


def test_a_part_that_dies_only_among_others_is_nobodys_fault_and_too_many_are_not_theirs() -> None:
    rows = tuple(ClipRow(str(number), "x.wav") for number in range(40))
    assert isolate(rows[:2], lambda parts: [len(parts) == 1] * len(parts)) == ()
    assert isolate(rows, lambda parts: [False] * len(parts)) is None


def test_told_to_stop_it_stops_and_keeps_what_it_has(
    cluster: Share, clips: tuple[ClipRow, ...], tmp_path: Path
) -> None:
    jobs = _jobs(clips, LogMel())
    with pytest.raises(Interrupted, match="finished shards are kept"):
        extract_all(jobs, tmp_path, replace(QUIET, stop=lambda: True))
    assert FeatureStore(tmp_path).finished(jobs[0].address)


def test_unreadable_recordings_are_listed_with_their_reason(
    cluster: Share, clips: tuple[ClipRow, ...], tmp_path: Path
) -> None:
    bad = tmp_path / "nan.wav"
    soundfile.write(bad, np.full(4_000, np.nan, np.float32), 8_000, subtype="FLOAT")
    jobs = _jobs((*clips, ClipRow("c/nan", str(bad))), LogMel())
    extract_all(jobs, tmp_path / "features", QUIET)
    skipped = skipped_clips(jobs, tmp_path / "features")
    assert [entry.id for _, entry in skipped] == ["c/nan"]
    with pytest.raises(DecodingError, match=r"1 clip cannot be used[\s\S]*nan\.wav"):
        refuse_bad(skipped)
    assert len(FeatureStore(tmp_path / "features").open(jobs[0].address)) == len(clips)

"""Facts of files, and their cache."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import soundfile

from raymtl.extraction import inspection
from raymtl.extraction.inspection import changed, inspect
from tests.extraction.sounds import riff, voice, write


@pytest.mark.parametrize("suffix", [".wav", ".flac", ".ogg", ".aiff"])
def test_facts_equal_libsndfile(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a{suffix}"
    soundfile.write(path, voice(5_000, 22_050, 2), 22_050)
    fact, info = inspect([path])[path], soundfile.info(path)
    assert (fact.frames, fact.rate, fact.channels) == (info.frames, info.samplerate, info.channels)
    assert fact.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert fact.size == path.stat().st_size
    assert fact.error is None


@pytest.mark.real
def test_real_recordings(recordings: Path) -> None:
    paths = [p for p in sorted(recordings.rglob("*")) if p.suffix in (".wav", ".ogg", ".flac")]
    facts = inspect(paths)
    assert len(facts) == len(paths) > 1_000
    for path in paths[::37]:
        info = soundfile.info(path)
        found = facts[path]
        assert (found.frames, found.rate, found.channels) == (
            info.frames,
            info.samplerate,
            info.channels,
        )
        sound, _ = soundfile.read(path)
        assert found.silent in (not np.any(sound), None)
    assert sum(fact.silent is True for fact in facts.values()) >= 1  # one is said to be all zero


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "0 bytes"),
        (b"<html>", "not a recording"),
        (riff(b""), "no samples"),
        (riff(b"\1\0" * 900)[:1_000], "truncated"),
        (riff(b"\1\0" * 900, rate=7), "rate 7 Hz"),
    ],
)
def test_errors_are_facts(tmp_path: Path, content: bytes, reason: str) -> None:
    path = tmp_path / "a.wav"
    path.write_bytes(content)
    fact = inspect([path])[path]
    assert reason in str(fact.error)
    assert (fact.frames, fact.rate, fact.seconds) == (0, 0, 0.0)
    assert fact.sha256 == hashlib.sha256(content).hexdigest()


def test_missing_files_and_folders(tmp_path: Path) -> None:
    facts = inspect([tmp_path / "gone.wav", tmp_path])
    assert facts[tmp_path / "gone.wav"].error == "no such file"
    assert "cannot be read" in str(facts[tmp_path].error)


def test_files_in_the_cache_are_not_read_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = [write(tmp_path / f"{n}.wav", seed=n) for n in range(5)]
    paths.append(tmp_path / "bad.wav")
    paths[-1].write_bytes(b"no sound")
    cache = tmp_path / "cache" / "inspected.parquet"
    first = inspect(paths, cache)
    assert [path.name for path in cache.parent.iterdir()] == [cache.name]
    monkeypatch.setattr(inspection, "_facts", None)
    assert inspect(paths, cache) == first


def test_a_changed_file_is_read_again(tmp_path: Path) -> None:
    paths = [write(tmp_path / f"{n}.wav", seed=n) for n in range(3)]
    cache = tmp_path / "inspected.parquet"
    first = inspect(paths, cache)
    assert changed(first, cache) == []
    write(paths[1], seed=99)
    os.utime(paths[1], ns=(1, 1))  # same size, another time
    assert changed(first, cache) == [paths[1]]
    paths[2].unlink()
    assert changed(first, cache) == paths[1:]
    assert pq.read_table(cache).num_rows == 3  # one entry a path


@pytest.mark.parametrize("content", [b"", b"not parquet" * 50])
def test_a_damaged_cache_is_rebuilt(tmp_path: Path, content: bytes) -> None:
    path, cache = write(tmp_path / "a.wav"), tmp_path / "inspected.parquet"
    cache.write_bytes(content)
    assert inspect([path], cache) == inspect([path])
    assert pq.read_table(cache).num_rows == 1


def test_a_cache_of_another_format_is_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, cache = write(tmp_path / "a.wav"), tmp_path / "inspected.parquet"
    inspect([path], cache)
    monkeypatch.setattr(inspection, "_FORMAT", b"other")
    assert inspection._load(cache) == {}


def test_a_cache_that_cannot_be_written_is_left_alone(tmp_path: Path) -> None:
    path = write(tmp_path / "a.wav")
    (tmp_path / "file").write_bytes(b"")
    facts = inspect([path], tmp_path / "file" / "inspected.parquet")
    assert facts[path].error is None

"""Artefacts of others: what is damaged, or none, is refused in words and before it fills memory."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Mapping
from pathlib import Path

import pytest

import raymtl
from raymtl.deploy import loading
from raymtl.deploy.recipe import RECIPE
from raymtl.errors import StoreError
from raymtl.kept import BEST_WEIGHTS


def packed(run: Path, path: Path, others: Mapping[str, bytes]) -> Path:
    """A run as a zip file, with other files in place of its own."""
    files = {name: (run / name).read_bytes() for name in ("record.json", RECIPE, BEST_WEIGHTS)}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in {**files, **others}.items():
            archive.writestr(name, content)
    return path


def test_a_run_that_was_packed_by_hand(runs: list[Path], tmp_path: Path) -> None:
    best = raymtl.load(runs[0]).epoch
    assert raymtl.load(packed(runs[0], tmp_path / "own.zip", {})).epoch == best


@pytest.mark.parametrize("facts", [b"{", b"[1]", b'{"epoch": [1]}', b'{"epoch": "first"}'])
def test_facts_that_are_none(facts: bytes, runs: list[Path], tmp_path: Path) -> None:
    path = packed(runs[0], tmp_path / "facts.zip", {"artefact.json": facts})
    with pytest.raises(StoreError, match=r"facts\.zip: artefact\.json is not what"):
        raymtl.load(path)


def test_an_epoch_that_is_not_there(runs: list[Path], tmp_path: Path) -> None:
    facts = json.dumps({"epoch": 99}).encode()
    path = packed(runs[0], tmp_path / "epoch.zip", {"artefact.json": facts})
    with pytest.raises(StoreError, match="epoch 99 was not kept"):
        raymtl.load(path)


def test_what_would_fill_memory(
    runs: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loading, "_SMALL", 1 << 16)
    path = packed(runs[0], tmp_path / "bomb.zip", {"record.json": bytes(1 << 20)})
    with pytest.raises(StoreError, match="bytes become 1,048,576: no network"):
        raymtl.load(path)


def test_packed_bytes_that_are_damaged(runs: list[Path], tmp_path: Path) -> None:
    """What zlib says of them is said as of any other damage."""
    path = packed(runs[0], tmp_path / "damaged.zip", {})
    content = bytearray(path.read_bytes())
    with zipfile.ZipFile(path) as archive:
        at = archive.getinfo("record.json").header_offset + 30 + len("record.json")
    content[at : at + 16] = b"\xff" * 16
    path.write_bytes(content)
    with pytest.raises(StoreError, match=r"record\.json cannot be read \(Error -3"):
        raymtl.load(path)

"""Feature sets on disk: ``<store>/features/<address>/`` with shards, ``skipped.json`` and, last of
all, ``manifest.json``.

What has no manifest is not there. A feature set never changes: two processes that write the same
one write the same bytes, so a late writer does no harm; the lease only saves the work.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from filelock import FileLock

from raymtl.durable import open_sealed, seal, sync, write_durably
from raymtl.errors import StoreError
from raymtl.extraction.addresses import FORMAT, feature_address
from raymtl.extraction.aside import abandoned
from raymtl.extraction.chunks import Chunk, chunks
from raymtl.extraction.featureset import FeatureSet
from raymtl.extraction.shards import (
    ShardRow,
    extract_chunk,
    finished_shard,
    verified,
)
from raymtl.faults import fault_point

__all__ = [
    "Chunk",
    "FeatureSet",
    "FeatureStore",
    "ShardRow",
    "chunks",
    "extract_chunk",
    "feature_address",
]

_log = logging.getLogger(__name__)


class FeatureStore:
    """All feature sets below `root`, which is ``<store>/features``."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def folder(self, address: str) -> Path:
        return self.root / address

    def complete(self, address: str) -> bool:
        """Whether a feature set can be opened: its manifest is sound and all files have their size.

        Cheap: reads no shard. `damaged` and `open(verify=True)` do.
        """
        manifest = self._manifest(address)
        return manifest is not None and all(
            _size(self.folder(address) / row.file) == row.bytes for row in _shards(manifest)
        )

    def finished(self, address: str) -> dict[str, ShardRow]:
        """Chunk key to row, of every shard that is there and whole (its digest is checked)."""
        keys = (p.stem.removeprefix("part-") for p in self.folder(address).glob("part-*.json"))
        rows = {key: finished_shard(self.folder(address), key) for key in sorted(keys)}
        return {key: row for key, row in rows.items() if row is not None}

    def commit(self, address: str, spec: Mapping[str, Any], shards: Sequence[ShardRow]) -> None:
        """Makes a feature set complete; nothing happens if it is.

        Args:
            spec: what the manifest shall say of the recipe: JSON data, free of times and machines.
            shards: one row for every chunk.

        Raises:
            StoreError: when shards are missing, contradict each other or cannot be written.
        """
        if self.complete(address):
            return
        folder = self.folder(address)
        rows = sorted(shards, key=lambda row: row.file)
        _check(folder, rows)
        for path in abandoned(folder):
            with suppress(OSError):
                path.unlink()
        skipped = sorted((s.id, s.path, s.reason) for row in rows for s in row.skipped)
        write_durably(folder / "skipped.json", seal({"skipped": skipped}))
        fault_point("commit:before-manifest")
        write_durably(folder / "manifest.json", seal(_described(address, spec, rows)))
        fault_point("commit:after-manifest")

    def open(self, address: str, verify: bool = False) -> FeatureSet:
        """A complete feature set, memory-mapped.

        Args:
            verify: compare every shard with its digest first (once a process and file).

        Raises:
            StoreError: when it is not complete or, as far as looked at, damaged.
        """
        manifest = self._manifest(address)
        if manifest is None or not self.complete(address):
            raise StoreError(
                f"{self.folder(address)}: no complete feature set here. "
                "Run the sweep again to extract it."
            )
        damaged = self.damaged(address) if verify else []
        if damaged:
            raise StoreError(
                f"{self.folder(address)}: {', '.join(damaged)} changed after writing. "
                "Run the sweep again: it sets them aside and extracts them anew."
            )
        skipped = open_sealed(self.folder(address) / "skipped.json")["skipped"]
        reasons = {clip: reason for clip, _, reason in skipped}
        paths = [self.folder(address) / row.file for row in _shards(manifest) if row.clips]
        return FeatureSet(address, paths, reasons)

    def damaged(self, address: str) -> list[str]:
        """Shards of a complete feature set whose bytes are not those written."""
        manifest = self._manifest(address)
        rows = _shards(manifest) if manifest is not None else []
        return [row.file for row in rows if not verified(self.folder(address) / row.file, row)]

    def quarantine(self, address: str, reason: str) -> list[Path]:
        """Withdraws the manifest and sets damaged shards aside; what is whole is kept for re-use.

        Returns the files set aside, as ``damaged-<n>-<name>``.
        """
        folder = self.folder(address)
        damaged = self.damaged(address)
        _log.warning("%s: set aside (%s): %s", folder, reason, ", ".join(damaged) or "manifest")
        moved = []
        try:
            for name in ["manifest.json", *damaged]:
                if (folder / name).exists():
                    moved.append((folder / name).rename(_unused(folder, name)))
            sync(folder)
        except OSError as error:
            raise StoreError(
                f"{folder}: damaged ({reason}) and cannot be set aside "
                f"({error.strerror}). Mend its permissions."
            ) from error
        return moved

    @contextmanager
    def lease(self, address: str, wait: float = -1) -> Iterator[bool]:
        """Holds the right to extract a feature set; yields whether it was had.

        Waits for another process of any sweep that has it (`wait` seconds, below 0 for ever); the
        system frees it when that process ends, however it ends. Look again whether the set is
        complete once you have it. False (not had in time, or a store that cannot lock) is no
        danger: work may be done twice, with the same outcome.
        """
        folder = self.root / ".locks"
        lock = FileLock(folder / f"{address}.lock", timeout=wait)
        held = False
        with suppress(OSError):  # TimeoutError is one
            folder.mkdir(parents=True, exist_ok=True)
            lock.acquire(poll_interval=0.2)
            held = True
        try:
            yield held
        finally:
            if held:
                lock.release()

    def _manifest(self, address: str) -> dict[str, Any] | None:
        path = self.folder(address) / "manifest.json"
        if not path.is_file():
            return None
        try:
            manifest = open_sealed(path)
        except StoreError as error:
            _log.warning("%s", error)
            return None
        if manifest.get("format") != FORMAT or manifest.get("address") != address:
            _log.warning(
                "%s: format %s of %s is not read by this version (format %s); ignored.",
                path,
                manifest.get("format"),
                str(manifest.get("address"))[:12],
                FORMAT,
            )
            return None
        return manifest


def _described(address: str, spec: Mapping[str, Any], rows: Sequence[ShardRow]) -> dict[str, Any]:
    full = [row for row in rows if row.clips]
    listed = [{k: v for k, v in row.to_json().items() if k != "cpu_seconds"} for row in rows]
    return {
        "format": FORMAT,
        "address": address,
        "spec": dict(spec),
        "clips": sum(row.clips for row in rows),
        "frames": sum(row.frames for row in rows),
        "channels": full[0].channels if full else 0,
        "features": full[0].features if full else 0,
        "shards": listed,
    }


def _shards(manifest: Mapping[str, Any]) -> list[ShardRow]:
    return [ShardRow.from_json(row) for row in manifest["shards"]]


def _check(folder: Path, rows: Sequence[ShardRow]) -> None:
    missing = [row.file for row in rows if _size(folder / row.file) != row.bytes]
    if missing or not rows:
        raise StoreError(
            f"{folder}: {', '.join(missing) or 'no shards'}: missing or cut short. "
            "Run the sweep again."
        )
    shapes = {(row.channels, row.features) for row in rows if row.clips}
    if len(shapes) > 1:
        raise StoreError(
            f"{folder}: clips with {sorted(shapes)} (channels, features) in one "
            "source. Set Signal(channels='mono')."
        )


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return -1


def _unused(folder: Path, name: str) -> Path:
    number = 1
    while (folder / f"damaged-{number}-{name}").exists():
        number += 1
    return folder / f"damaged-{number}-{name}"

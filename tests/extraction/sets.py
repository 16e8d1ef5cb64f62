"""A small corpus and its feature set, for the tests of the store."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from raymtl.extraction.audio import ClipRow, Signal
from raymtl.extraction.features import Extraction, LogMel, Mfcc
from raymtl.extraction.inspection import FileFacts, inspect
from raymtl.extraction.store import Chunk, FeatureStore, chunks, extract_chunk, feature_address
from tests.extraction.sounds import write

SIGNAL = Signal(rate=16_000)
EXTRACTIONS: tuple[Extraction, ...] = (LogMel(bands=20), Mfcc(bands=20, coefficients=5))


@dataclass(frozen=True)
class Corpus:
    """Clips of different lengths and rates; the last file is no recording."""

    rows: list[ClipRow]
    facts: dict[Path, FileFacts]

    @staticmethod
    def make(folder: Path, clips: int = 12, channels: int = 1) -> Corpus:
        paths = [
            write(folder / f"{n:02d}.wav", 3_000 + 517 * n, [8_000, 16_000][n % 2], channels, n)
            for n in range(clips)
        ]
        (folder / "zz.wav").write_bytes(b"no sound")
        rows = [ClipRow(f"toy/{p.stem}", str(p)) for p in [*paths, folder / "zz.wav"]]
        return Corpus(rows, inspect(Path(row.path) for row in rows))

    @property
    def addresses(self) -> list[str]:
        return [feature_address(SIGNAL, e, self.rows, self.facts) for e in EXTRACTIONS]

    @property
    def chunks(self) -> list[Chunk]:
        """About four of them."""
        return chunks(self.rows, self.facts, work=2e-4)

    def extract(self, root: Path, addresses: Sequence[str] | None = None) -> FeatureStore:
        """All of it, in one process, under a lease."""
        store, addresses = FeatureStore(root), addresses or self.addresses
        with store.lease(addresses[0]):
            done = [extract_chunk(root, addresses, SIGNAL, EXTRACTIONS, c) for c in self.chunks]
            for at, address in enumerate(addresses):
                store.commit(address, {"extraction": at}, [shards[at] for shards in done])
        return store


def content(root: Path) -> dict[str, bytes]:
    """What has to be the same in two runs: shards, manifests, skipped; not the timings."""
    return {
        str(path.relative_to(root)): path.read_bytes()
        for path in sorted(root.rglob("*"))
        if path.suffix == ".arrow" or path.name in ("manifest.json", "skipped.json")
    }

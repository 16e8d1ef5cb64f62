"""Random padded batches of 32 from the feature store, against one torch file a clip.

Run: python -m tests.benchmarks.bench_store [rounds]

Also: private memory of a fresh process that has read every clip, for a set and one four times as
large: what the process has written itself; the pages of a mapped file belong to the page cache.
"""

from __future__ import annotations

import os

os.environ["OMP_NUM_THREADS"] = "1"

import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch

from raymtl.extraction.shards import ShardWriter
from raymtl.extraction.store import FeatureSet, FeatureStore

CLIPS, FRAMES, FEATURES, BATCH = 4_000, 100, 64, 32
LIMIT = 8.0  # microseconds a clip


def fill(root: Path, clips: int) -> list[str]:
    """A feature set "a" with clips of 50 to 150 frames; their ids."""
    rng = np.random.default_rng(0)
    ids = [f"clip/{number:06d}" for number in range(clips)]
    writer = ShardWriter(root / "a", "0")
    for at in range(0, clips, 500):
        sizes = rng.integers(FRAMES // 2, FRAMES * 3 // 2, len(ids[at : at + 500]))
        writer.add(
            ids[at : at + 500],
            [rng.normal(size=(1, n, FEATURES)).astype(np.float32) for n in sizes],
        )
    FeatureStore(root).commit("a", {}, [writer.finish((), 1.0, 0.0)])
    return ids


def batches(clips: int, seed: int) -> np.ndarray:  # type: ignore[type-arg]
    order = np.random.default_rng(seed).permutation(clips)
    return order[: clips // BATCH * BATCH].reshape(-1, BATCH)


def ours(features: FeatureSet, seed: int) -> float:
    buffer = np.empty((BATCH, 1, FRAMES * 2, FEATURES), np.float32)
    began = time.process_time()
    for rows in batches(len(features), seed):
        features.gather(rows, out=buffer)
    return time.process_time() - began


def one_file_a_clip(folder: Path, clips: int, seed: int) -> float:
    began = time.process_time()
    for rows in batches(clips, seed):
        loaded = [torch.load(folder / f"{row}.pt", weights_only=True) for row in rows]
        torch.nn.utils.rnn.pad_sequence(loaded, batch_first=True)
    return time.process_time() - began


_READER = """
import sys, numpy as np
from pathlib import Path
from raymtl.extraction.store import FeatureStore
def private():
    lines = Path("/proc/self/smaps_rollup").read_text().splitlines()
    return sum(int(line.split()[1]) for line in lines if line.startswith("Private_Dirty")) / 1024
features_of = FeatureStore(Path(sys.argv[1]))
before = private()
features = features_of.open("a")
total = sum(float(features.gather(np.arange(at, min(at + 32, len(features))))[0].sum())
            for at in range(0, len(features), 32))
print(private() - before)
"""


def private_memory(root: Path) -> float:
    """MiB that opening and reading the whole set adds to a process."""
    ran = subprocess.run(
        [sys.executable, "-c", _READER, str(root)], check=True, capture_output=True, text=True
    )
    return float(ran.stdout)


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 7
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        fill(folder / "small", CLIPS)
        features = FeatureStore(folder / "small").open("a")
        (folder / "files").mkdir()
        for row in range(CLIPS):
            torch.save(
                torch.from_numpy(features.matrix(row)[0].copy()), folder / "files" / f"{row}.pt"
            )
        fast, slow = [], []
        for seed in range(rounds + 1):  # the first warms both up
            fast.append(ours(features, seed) / CLIPS * 1e6)
            slow.append(one_file_a_clip(folder / "files", CLIPS, seed) / CLIPS * 1e6)
        a, b = statistics.median(slow[1:]), statistics.median(fast[1:])
        print(
            f"random padded batches of {BATCH}, clips of about {FRAMES} x {FEATURES}: "
            f"{b:.1f} us a clip (at most {LIMIT}); "
            f"one torch file a clip {a:.0f} us, {a / b:.0f} x"
        )
        fill(folder / "large", 4 * CLIPS)
        for size in ("small", "large"):
            data = sum(p.stat().st_size for p in (folder / size).rglob("*.arrow")) / 2**20
            print(
                f"private memory after reading {data:.0f} MiB: "
                f"{private_memory(folder / size):.1f} MiB"
            )


if __name__ == "__main__":
    main()

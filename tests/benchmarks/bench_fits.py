"""Fitting standardisation for all combinations of eight sources.

    OMP_NUM_THREADS=1 python -m tests.benchmarks.bench_fits

Ours measures each source once and merges; the reference refits scikit-learn's StandardScaler for
every combination, on large chunks already in memory. CPU seconds of one process, medians.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from itertools import combinations
from statistics import median

import numpy as np
from sklearn.preprocessing import StandardScaler

from raymtl.loading.fits import FitMember, FitRequest, fit_all, measure_with
from raymtl.loading.stages import Standardise
from tests.loading.memory import MemoryFeatures

SOURCES, CLIPS, FRAMES, FEATURES = "abcdefgh", 1500, 100, 64
STAGES = (Standardise(scope="combination"),)


class Packed(MemoryFeatures):
    """Blocks without copies, as neighbours in a shard are read."""

    def __init__(self, name: str, seed: int) -> None:
        rng = np.random.default_rng(seed)
        self.flat = rng.normal(seed, 2, (1, CLIPS * FRAMES, FEATURES)).astype(np.float32)
        parts = np.split(self.flat, CLIPS, axis=1)
        super().__init__({f"{name}/{i:05d}": part for i, part in enumerate(parts)})

    def blocks(self, rows):
        step = 40 * FRAMES
        for start in range(0, len(rows) * FRAMES, step):
            yield self.flat[:, start : start + step]


def seconds(work: Callable[[], object]) -> float:
    began = time.process_time()
    work()
    return time.process_time() - began


def main() -> None:
    sets = {name: Packed(name, seed) for seed, name in enumerate(SOURCES)}
    measure = measure_with(sets.__getitem__)

    def requests(sizes: range) -> list[FitRequest]:
        members = {name: FitMember(name, tuple(held.ids)) for name, held in sets.items()}
        return [
            FitRequest(STAGES, members[own], tuple(members[n] for n in names if n != own))
            for size in sizes
            for names in combinations(SOURCES, size)
            for own in names
        ]

    def refit(names: tuple[str, ...]) -> None:
        scaler = StandardScaler()
        for name in names:
            scaler.partial_fit(sets[name].flat[0])

    eight, every, ours = [], [], []
    for _ in range(7):
        eight.append(seconds(lambda: fit_all(requests(range(1, 2)), measure)))
        every.append(seconds(lambda: fit_all(requests(range(1, 9)), measure)))
        ours.append(every[-1] / eight[-1])
    sample = [names for size in (1, 4, 8) for names in list(combinations(SOURCES, size))[:3]]
    passes = sum(map(len, sample))
    whole = sum(size * len(list(combinations(SOURCES, size))) for size in range(1, 9))
    sklearn = median(seconds(lambda: [refit(n) for n in sample]) for _ in range(3))
    sklearn *= whole / passes
    print(f"8 sources x {CLIPS} clips x {FRAMES} frames x {FEATURES} features, 255 combinations")
    print(f"fit the eight alone            {median(eight):8.3f} s")
    print(
        f"fit all 255 combinations       {median(every):8.3f} s   {median(ours):.2f} x the eight"
        "   (target <= 1.2)"
    )
    print(
        f"scikit-learn, refit every one  {sklearn:8.1f} s   {sklearn / median(every):.0f} x ours"
        f"   (extrapolated from {len(sample)} combinations)"
    )


if __name__ == "__main__":
    main()

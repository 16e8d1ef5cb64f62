"""Time of the metrics of one (source, task, part), and of scikit-learn's for the same numbers.

python -m tests.benchmarks.bench_metrics
"""

from __future__ import annotations

import os

os.environ["OMP_NUM_THREADS"] = "1"

from collections.abc import Callable
from statistics import median
from time import perf_counter

import numpy as np
from sklearn import metrics as sk

from raymtl.tasks import AnyOf, OneOf, Targets, YesNo

CLIPS, LABELS, ROUNDS = 100, 10, 300


def seconds(call: Callable[[], object]) -> float:
    times = []
    for _ in range(ROUNDS):
        start = perf_counter()
        call()
        times.append(perf_counter() - start)
    return median(times)


def main() -> None:
    rng = np.random.default_rng(0)
    names = tuple(f"label {k}" for k in range(LABELS))
    scores = rng.random((CLIPS, LABELS)).astype(np.float32)
    classes = rng.integers(0, LABELS, CLIPS)
    flags = (rng.random((CLIPS, LABELS)) < 0.3).astype(np.float32)
    yes = flags[:, :1]
    cases = [
        (OneOf("one", names), scores, Targets(classes, np.ones(CLIPS, np.bool_)),
         lambda: sk.balanced_accuracy_score(classes, scores.argmax(axis=1))),
        (AnyOf("any", names), scores, Targets(flags, np.ones(flags.shape, np.bool_)),
         lambda: sk.average_precision_score(flags, scores)),
        (YesNo("yes"), scores[:, :1], Targets(yes, np.ones(yes.shape, np.bool_)),
         lambda: sk.balanced_accuracy_score(yes[:, 0] > 0, scores[:, 0] >= 0.5)),
    ]  # fmt: skip
    print(f"{CLIPS} clips, {LABELS} labels, median of {ROUNDS}, microseconds")
    print(f"{'task':8}{'quick':>10}{'measure':>10}{'sklearn, primary metric':>26}{'ratio':>8}")
    for task, given, targets, reference in cases:
        quick = seconds(lambda t=task, g=given, y=targets: t.quick(g, y))
        full = seconds(lambda t=task, g=given, y=targets: t.measure(g, y))
        theirs = seconds(reference)
        print(
            f"{type(task).__name__:8}{quick * 1e6:10.0f}{full * 1e6:10.0f}"
            f"{theirs * 1e6:26.0f}{theirs / quick:8.1f}"
        )


if __name__ == "__main__":
    main()

"""How often "helps" is said where nothing can help: 200 studies whose partners learn noise.

What is trained: every network of every study, 105 a study, thousands side by side in batched
products: each on the training clips of its own fold, from its own initial weights, and tested on
the rest. What is made up: the clips (points of a normal distribution), and records instead of a
sweep's folder; `tabulate`, `transfer_table` and `control_table` take them as a user's.

The main task tells the two sides of a plane; so does each of three partners, on clips of their own
whose labels are then shuffled. A cell is compared with the main task alone (beside which the
partner is a nuisance: networks may get worse) and with its control, another shuffle (nothing tells
those two apart: that null is exact). Folds share training clips, seeds of a fold all of them and
the test clips, as in a study: what depends on one another there does here.

The level: at most 5 % of studies claim anything, for all comparisons of a study together (Holm).
Claims are counted against it by a one-sided binomial test: so few are found that a rate above the
level would give them with a probability below 5 %.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pytest
import torch
from scipy import stats
from torch.nn import functional

from raymtl.results.records import Record
from raymtl.results.state import SweepState
from raymtl.results.table import tabulate
from raymtl.results.transfer.answers import control_table, transfer_table
from raymtl.tasks.metrics import confusion, hits_of_confusion, uar
from tests.results.transfer.batched import layers, optimiser, said

Doubles = npt.NDArray[np.float64]
STUDIES, AT_ONCE, LEVEL = 200, 20, 0.05
CLIPS, BESIDE, INPUTS, HIDDEN, STEPS = 40, 80, 10, 6, 40  # clips: of the main task, of a partner
FOLDS, SEEDS, PARTNERS = 5, 3, ("x", "y", "z")
ARMS = (("", ""), *((name, kind) for kind in ("", "shuffled") for name in PARTNERS))
RUNS, TEST = FOLDS * SEEDS, CLIPS // FOLDS


def clips(studies: range) -> tuple[torch.Tensor, torch.Tensor]:
    """Points (studies, arms, BESIDE, INPUTS) and sides of the partner of each arm; of the main task
    first, which has the first CLIPS of them. Sides of partners are shuffled, anew for each arm."""
    points, sides = [], []
    for number in studies:
        rng = np.random.default_rng(number)
        plane = rng.normal(size=INPUTS)
        found = rng.normal(size=(1 + len(PARTNERS), BESIDE, INPUTS))
        told = found @ plane + rng.normal(0, 1.0, found.shape[:2]) > 0
        of = [("", *PARTNERS).index(name) for name, _ in ARMS]
        points.append(found[of])
        sides.append(np.concatenate([told[:1], rng.permuted(told[of[1:]], axis=1)]))
    return torch.tensor(np.stack(points)).float(), torch.tensor(np.stack(sides)).float()


def trained(studies: range) -> Doubles:
    """UAR on the test clips of every run, (studies, arms, FOLDS × SEEDS)."""
    points, sides = clips(studies)
    order = np.random.default_rng(studies.start).permuted(
        np.tile(np.arange(CLIPS), (len(studies), 1)), axis=1
    )
    places = [(fold, seed) for fold in range(FOLDS) for seed in range(SEEDS)]
    rows = torch.tensor(np.stack([np.roll(order, -TEST * fold, axis=1) for fold, _ in places], 1))
    each = torch.arange(len(studies))[:, None, None]
    x = points[each, 0, rows][:, None].expand(-1, len(ARMS), -1, -1, -1).flatten(0, 2)
    y = sides[each, 0, rows][:, None].expand(-1, len(ARMS), -1, -1).flatten(0, 2)
    beside = points[:, :, None].expand(-1, -1, RUNS, -1, -1).flatten(0, 2)
    theirs = sides[:, :, None].expand(-1, -1, RUNS, -1).flatten(0, 2)
    alone = torch.tensor([not name for name, _ in ARMS])[None, :, None]
    alone = alone.expand(len(studies), -1, RUNS).flatten()
    # each run has weights of its own, in both arms the same, as a seed gives in a study
    starts = torch.arange(len(studies) * RUNS).view(len(studies), 1, RUNS)
    parts = fitted(starts.expand(-1, len(ARMS), -1).flatten().tolist(), x, y, beside, theirs, alone)
    with torch.no_grad():
        decided = said(parts, x[:, :TEST])[..., 0] > 0
    found = [
        uar(hits_of_confusion(confusion(truth, word, 2)))
        for truth, word in zip(y[:, :TEST].long().numpy(), decided.long().numpy(), strict=True)
    ]
    return np.array(found, np.float64).reshape(len(studies), len(ARMS), RUNS)


def fitted(
    starts: list[int],
    x: torch.Tensor,
    y: torch.Tensor,
    beside: torch.Tensor,
    theirs: torch.Tensor,
    alone: torch.Tensor,
) -> list[torch.Tensor]:
    """Networks trained on what is not test, with the partner's clips unless alone."""
    parts = layers(len(starts), (INPUTS, HIDDEN, 2), starts)
    step, inputs = optimiser(parts, 0.05, 0.0), torch.cat([x[:, TEST:], beside], dim=1)
    targets = torch.cat([y[:, TEST:], theirs], dim=1)
    weight = torch.ones_like(targets) / (CLIPS - TEST)
    weight[:, CLIPS - TEST :] = 1 / BESIDE
    weight[alone, CLIPS - TEST :] = 0.0
    for _ in range(STEPS):
        both = said(parts, inputs)
        found = torch.cat([both[:, : CLIPS - TEST, 0], both[:, CLIPS - TEST :, 1]], dim=1)
        step.zero_grad()
        functional.binary_cross_entropy_with_logits(
            found, targets, weight, reduction="sum"
        ).backward()
        step.step()
    return parts


def study(scores: Doubles) -> SweepState:
    """What a sweep's folder would be read as: (arms, FOLDS × SEEDS) scores of the main task."""
    records = [
        Record(f"{name}-{kind}-{at}", content(name, kind, at, float(scores[arm, at])))
        for arm, (name, kind) in enumerate(ARMS)
        for at in range(RUNS)
    ]
    results = tabulate(records)
    of = {record.run: record for record in records}
    return SweepState(Path("null"), {}, {}, dict.fromkeys(of, ""), of, results, {}, {}, [])


def content(name: str, kind: str, at: int, score: float) -> dict[str, Any]:
    facts = {"train": CLIPS - TEST, "validation": 0, "test": TEST, "passes": float(STEPS)}
    cell = {"name": f"{name}-{kind}", "combination": ["main", name] if name else ["main"],
            "extraction": "e", "model": "m"}  # fmt: skip
    return {
        "cell": cell | ({"control": kind, "main": "main"} if kind else {}),
        "fold": at // SEEDS,
        "seed": at % SEEDS,
        "sources": {"main": facts},
        "tasks": {"side": {"kind": "YesNo", "labels": ["no", "yes"], "primary": "uar"}},
        "scores": [{"source": "main", "task": "side", "part": "test", "per_label": {},
                    "scalars": {"uar": score}, "confusion": None}],
    }  # fmt: skip


def studies(count: int) -> Iterator[SweepState]:
    for start in range(0, count, AT_ONCE):
        for scores in trained(range(start, start + AT_ONCE)):
            yield study(scores)


@pytest.fixture(scope="module")
def null() -> list[SweepState]:
    return list(studies(STUDIES))


def claims(tables: list[pa.Table], controls: bool) -> int:
    """Tables that say of any cell that it helps; of controls those that say so of any of them."""
    return sum(
        any(row["verdict"] == "helps" and bool(row["control"]) == controls for row in t.to_pylist())
        for t in tables
    )


def below(count: int) -> bool:
    """Whether a rate at the level or above would give so few claims less than once in 20."""
    return bool(stats.binomtest(count, STUDIES, LEVEL, "less").pvalue < 0.05)


def test_partners_of_noise_are_not_said_to_help(null: list[SweepState]) -> None:
    """Each family apart: cells over the task alone, and controls over it."""
    tables = [transfer_table(state) for state in null]
    assert {(len(t), *set(t["method"].to_pylist())) for t in tables} == {(6, "corrected t")}
    assert below(claims(tables, controls=False))
    assert below(claims(tables, controls=True))


def test_one_shuffle_is_not_said_to_beat_another(null: list[SweepState]) -> None:
    assert below(claims([control_table(state) for state in null], controls=True))


def test_what_helps_is_found(null: list[SweepState]) -> None:
    """So that silence is worth something: the networks alone made up to be 30 points worse."""
    found = [transfer_table(replace(state, results=worse(state.results))) for state in null[:20]]
    assert claims(found, controls=False) > 15


def worse(results: pa.Table) -> pa.Table:
    """`results` with scores of runs without a partner less 0.3."""
    alone = [0.3 if name == "main" else 0.0 for name in results["combination"].to_pylist()]
    at = results.schema.get_field_index("value")
    return results.set_column(at, "value", pc.subtract(results["value"], pa.array(alone)))

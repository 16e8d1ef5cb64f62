"""Partners whose relation to the main task is set by a knob: does the verdict follow it?

Unit vectors u1 and u2 at right angles in 16 dimensions; the main task's weights are u1, a
partner's are p u1 + sqrt(1 - p^2) u2, targets are w.x + sin(2 w.x) + noise of deviation 0.1: the
generator of Ma et al. 2018, 10.1145/3219819.3220007, section 3.2. The main task has 60 training
examples, a partner 1,000. Every draw of the data is a fold of its own, with nothing in common with
others, so the paired t test needs no correction here.

All knobs on 20 draws are learnt by networks trained side by side (`batched`: the reference, whose
gains are known); what a study's own training makes of the ends of the scale, on four draws.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch

from raymtl.controls import SameUpdates, ShuffledPartners
from raymtl.experiment import Experiment, combinations
from raymtl.extraction.features import Values
from raymtl.extraction.rows import Columns
from raymtl.loading.batches import Balanced
from raymtl.loading.splits import Splitter, Validation
from raymtl.loading.splits.view import OUT, TEST, TRAIN, Sides, View
from raymtl.models.dnn import SharedDnn
from raymtl.reading.clips import Clip, ClipTable
from raymtl.reading.reader import Reader
from raymtl.results.state import read_sweep
from raymtl.results.transfer.gains import gains
from raymtl.results.transfer.inference import corrected_t, holm
from raymtl.results.transfer.verdicts import verdict
from raymtl.tasks import Number, Task
from raymtl.training.optimise import AdamW
from raymtl.training.training import Training
from tests import inprocess
from tests.corpora import plan_of
from tests.results.transfer.batched import layers, optimiser, said

Doubles = npt.NDArray[np.float64]

DRAWS, INPUTS, WIDTH = 4, 16, 64
MANY, STEPS, OFTEN = 20, 1_500, 50  # draws, steps, steps between looks at validation clips
ARMS: tuple[tuple[float | None, bool], ...] = (
    (None, False), (1.0, False), (0.9, False), (0.5, False), (0.0, False), (1.0, True),
)  # p (None: no partner), and whether its labels are shuffled  # fmt: skip
COLUMNS = tuple(f"x{i}" for i in range(INPUTS))
INDEPENDENT = 1e-12  # test over training clips: draws share none


def examples(p: float, main: bool, draw: int, count: int) -> tuple[Doubles, Doubles]:
    """(count, INPUTS) and their targets (count,)."""
    u = np.linalg.qr(np.random.default_rng(draw).normal(size=(INPUTS, 2)))[0].T
    w = u[0] if main else p * u[0] + np.sqrt(1 - p**2) * u[1]
    rng = np.random.default_rng([draw, round(100 * p), main])
    x = rng.normal(size=(count, INPUTS))
    return x, x @ w + np.sin(2 * x @ w) + rng.normal(0, 0.1, count)


@dataclass(frozen=True)
class Knob(Reader):
    """`p` 1 stands for the main task itself when `main` is set."""

    p: float
    main: bool = False
    media: ClassVar[str] = "table"

    @property
    def corpus(self) -> str:
        return "main" if self.main else f"p{round(100 * self.p):03}"

    @property
    def folder(self) -> str:
        return self.corpus

    @property
    def tasks(self) -> tuple[Task, ...]:
        return (Number(f"y-{self.corpus}"),)

    def read(self, root: Path) -> ClipTable:
        rows = pq.read_table(root / "rows.parquet", columns=["id", "draw", "split", "y"])
        clips = [
            Clip(f"{self.corpus}/{row['id']}", "rows.parquet", (), {self.tasks[0].name: row["y"]},
                 split=row["split"], fold=row["draw"])
            for row in rows.to_pylist()
        ]  # fmt: skip
        return ClipTable.of(clips, root, self.tasks)

    def write(self, root: Path, train: int, test: int) -> None:
        parts = [self._draw(draw, train, test) for draw in range(1, DRAWS + 1)]
        root.mkdir(parents=True)
        pq.write_table(pa.concat_tables(parts), root / "rows.parquet")

    def _draw(self, draw: int, train: int, test: int) -> pa.Table:
        x, y = examples(self.p, self.main, draw, train + test)
        columns = {
            "id": [f"{draw}-{i:04}" for i in range(len(x))],
            "draw": pa.array([draw] * len(x), pa.int32()),
            "split": ["train"] * train + ["test"] * test,
            "y": y,
        }
        return pa.table(columns | dict(zip(COLUMNS, x.T, strict=True)))


@dataclass(frozen=True)
class EachDraw(Splitter):
    """One split a draw, of the clips of that draw alone."""

    first: ClassVar[bool] = True

    def splits(self, view: View) -> int:
        return DRAWS

    def assign(self, view: View, taken: Sides, seed: int) -> Sides:
        side = np.array([TRAIN if part == "train" else TEST for part in view.split])
        draw = np.array(view.fold)[:, None]
        here = draw == np.arange(1, DRAWS + 1)
        return np.where(here, side[:, None], OUT).astype(np.int8)


MAIN, PARTNER = Knob(1.0, main=True), Knob(1.0)
STUDY = Experiment(
    name="knob",
    sources=[reader.source(label=reader.corpus) for reader in (MAIN, PARTNER)],
    combinations=combinations(["main"], ["main", PARTNER.corpus]),
    signal=Columns(columns=COLUMNS, key="id"),
    extractions=[Values()],
    models=[SharedDnn(width=WIDTH, depth=2)],
    folds=EachDraw(),
    validation=Validation(0.25),
    training=Training(epochs=48, batches=Balanced(64), optimiser=AdamW(1e-3, weight_decay=1e-2)),
    controls=[ShuffledPartners(), SameUpdates()],
)


def judged(found: Sequence[Sequence[float]]) -> list[str]:
    """The verdict on each list of paired differences, all of one family."""
    intervals = [corrected_t(differences, INDEPENDENT) for differences in found]
    adjusted = holm([interval.p or 0.0 for interval in intervals])
    return [verdict(i, p, 0.005, 0.05) for i, p in zip(intervals, adjusted, strict=True)]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Control to the verdict on the main task, of runs as a sweep trains them."""
    folder = tmp_path_factory.mktemp("knob")
    MAIN.write(folder / "data" / "main", 60, 500)
    PARTNER.write(folder / "data" / PARTNER.corpus, 1_000, 20)
    plan = plan_of(STUDY, folder / "data", folder / "store")
    bench = inprocess.prepare(plan)
    for job in plan.missing:
        if job.cell.main in ("", "main"):
            assert inprocess.run(plan, job, bench).status == "done"
    state = read_sweep(plan.sweep)
    found = [gain for gain in gains(state.results, {"y-main": "r2"}) if gain.what.source == "main"]
    words = judged([gain.differences for gain in found])
    return {gain.how.control: word for gain, word in zip(found, words, strict=True)}


def test_runs_of_a_study_say_what_is_known(trained: dict[str, str]) -> None:
    assert trained[""] == "helps"
    assert trained["shuffled"] in ("hurts", "inconclusive")


@pytest.fixture(scope="module")
def errors() -> Doubles:
    """Mean squared test errors of the main task where validation's is least, (arms, MANY)."""
    seeds = [draw for _ in ARMS for draw in range(MANY)]
    parts = layers(len(seeds), (INPUTS, WIDTH, WIDTH, 2), seeds)
    step = optimiser(parts, 1e-3, 1e-2)
    (x, y), (beside, theirs) = mains(), partners()
    alone = torch.tensor([p is None for p, _ in ARMS for _ in range(MANY)])
    best = torch.full((len(seeds),), torch.inf)
    tested = torch.full((len(seeds),), torch.nan)
    generator = torch.Generator().manual_seed(0)
    for at in range(1, STEPS + 1):
        ours = torch.randint(45, (32,), generator=generator)
        other = torch.randint(1_000, (32,), generator=generator)
        found = said(parts, torch.cat([x[:, ours], beside[:, other]], dim=1))
        miss = (found[:, :32, 0] - y[:, ours]).square().mean(dim=1)
        miss_beside = (found[:, 32:, 1] - theirs[:, other]).square().mean(dim=1)
        step.zero_grad()
        (miss + miss_beside.masked_fill(alone, 0.0)).sum().backward()
        step.step()
        if at % OFTEN == 0:
            with torch.no_grad():
                miss = (said(parts, x[:, 45:])[..., 0] - y[:, 45:]).square()
            valid, test = miss[:, :15].mean(dim=1), miss[:, 15:].mean(dim=1)
            tested = torch.where(valid < best, test, tested)
            best = torch.minimum(valid, best)
    return tested.double().numpy().reshape(len(ARMS), MANY)


def mains() -> tuple[torch.Tensor, torch.Tensor]:
    """45 examples to train, 15 to stop, the rest to test, of each draw, for each arm."""
    return stacked([examples(1.0, True, draw, 1_060) for _ in ARMS for draw in range(MANY)])


def partners() -> tuple[torch.Tensor, torch.Tensor]:
    found = []
    for p, shuffled in ARMS:
        for draw in range(MANY):
            x, y = examples(1.0 if p is None else p, False, draw, 1_000)
            found.append((x, np.random.default_rng(draw).permutation(y) if shuffled else y))
    return stacked(found)


def stacked(found: Sequence[tuple[Doubles, Doubles]]) -> tuple[torch.Tensor, torch.Tensor]:
    x, y = (torch.tensor(np.stack(part), dtype=torch.float32) for part in zip(*found, strict=True))
    return x, y


def test_gains_are_those_known(errors: Doubles) -> None:
    """Relative reductions of the mean squared error, %, within what 20 other draws may give: three
    times the half-widths of both 95 % intervals, taken as equal, over 1.96."""
    relative = 100 * (1 - errors[1:] / errors[0])
    known = np.array([[58.8, 3.3], [30.9, 5.0], [2.6, 4.8], [-5.4, 4.7], [-4.0, 4.2]])
    apart = np.abs(relative.mean(axis=1) - known[:, 0])
    assert (apart < 3 * np.sqrt(2) * known[:, 1] / 1.96).all(), relative.mean(axis=1)
    assert errors[0].mean() == pytest.approx(0.759, rel=0.15)


def test_verdicts_follow_the_knob(errors: Doubles) -> None:
    """Of gains in mean squared error, whose half points are as small beside its 0.76."""
    words = judged([(errors[0] - one).tolist() for one in errors[1:]])
    assert words[:2] == ["helps", "helps"]
    assert words[2] == "inconclusive"
    assert set(words[3:]) <= {"hurts", "inconclusive"}

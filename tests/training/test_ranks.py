"""Two processes training one network against one process, over gloo."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from safetensors.torch import load_file, save_file

from raymtl.errors import Diverged, Interrupted
from raymtl.loading.batches import Alternating, Mixed
from raymtl.models import SharedDnn
from raymtl.training.optimise import Sgd
from raymtl.training.ranks import Ranks
from raymtl.training.training import Training
from tests.training.toys import run

MODEL, DROPOUT = SharedDnn(16, 2), SharedDnn(16, 2, dropout=0.5)
CASES = {
    "mixed": Training(epochs=4, batches=Mixed(7), optimiser=Sgd(0.1, momentum=0.9), clip=1.0),
    # the last batch of a source has one clip: one process has nothing to do
    "alternating": Training(epochs=4, batches=Alternating(23), optimiser=Sgd(0.1, momentum=0.9)),
}


def work(rank: int, folder: Path) -> None:
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{folder}/meet", rank=rank, world_size=2)
    group = dist.group.WORLD
    for name, training in CASES.items():
        outcome = run(MODEL, training, folder / name, group=group)
        save_file(outcome.weights, folder / f"{name}.{rank}.safetensors")
        (folder / f"{name}.{rank}.txt").write_text(repr(outcome.history))
    straight = run(DROPOUT, CASES["mixed"], folder / "straight", group=group)
    save_file(straight.weights, folder / f"straight.{rank}.safetensors")
    asked = iter([False, True])
    try:  # only one process is asked to stop; both do, and both go on
        run(
            DROPOUT,
            CASES["mixed"],
            folder / "stop",
            group=group,
            stop=lambda: rank == 1 and next(asked),
        )
    except Interrupted:
        outcome = run(DROPOUT, CASES["mixed"], folder / "stop", group=group)
        save_file(outcome.weights, folder / f"stop.{rank}.safetensors")
    wild = replace(CASES["mixed"], optimiser=Sgd(1e30), clip=None)
    try:
        run(MODEL, wild, folder / "wild", group=group)
    except Diverged:
        (folder / f"diverged.{rank}").touch()
    dist.destroy_process_group()


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("ranks")
    mp.spawn(work, (folder,), nprocs=2)
    return folder


@pytest.mark.parametrize("case", CASES)
def test_two_processes_train_what_one_does(case: str, trained: Path, tmp_path: Path) -> None:
    alone = run(MODEL, CASES[case], tmp_path)
    found = [load_file(trained / f"{case}.{rank}.safetensors") for rank in (0, 1)]
    for name, value in alone.weights.items():
        torch.testing.assert_close(found[0][name], value, rtol=0, atol=1e-6)
        assert torch.equal(found[0][name], found[1][name])
    histories = [(trained / f"{case}.{rank}.txt").read_text() for rank in (0, 1)]
    assert histories[0] == histories[1]
    assert len(alone.history) == histories[0].count("HistoryRow")


def test_a_stop_of_one_process_stops_both_and_resumes_exactly(trained: Path) -> None:
    straight = load_file(trained / "straight.0.safetensors")
    for rank in (0, 1):
        resumed = load_file(trained / f"stop.{rank}.safetensors")
        assert all(torch.equal(resumed[name], value) for name, value in straight.items())


def test_both_processes_learn_of_a_divergence(trained: Path) -> None:
    assert all((trained / f"diverged.{rank}").exists() for rank in (0, 1))


def test_one_process_takes_every_row_and_sends_nothing() -> None:
    ranks = Ranks()
    rows = {"a": torch.arange(5).numpy()}
    assert ranks.share(rows)["a"].tolist() == [0, 1, 2, 3, 4]
    assert (ranks.rank, ranks.size, ranks.any(False), ranks.first("x")) == (0, 1, False, "x")

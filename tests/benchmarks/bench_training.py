"""Training steps against the bare compute of the same steps, and against stock torch.

    OMP_NUM_THREADS=1 python -m tests.benchmarks.bench_training

DNN: 168 inputs, 4 x 512, batch 64. CNN: 64 x 100 log-mels, four blocks of 64.

- ours: the steps of `Run`, batches drawn from the feature map or from resident inputs;
- bare: forward, backward and the same optimiser on tensors already in memory, same network;
- files: the same network fed by a DataLoader from one torch file a clip;
- stock (a process of its own): no allocator setting, contiguous memory, unfused Adam.

CPU seconds of one thread; the cases take turns, the figure is the median of the ratios.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset

from raymtl.kept import Keep
from raymtl.loading.batches import Alternating
from raymtl.loading.fitted import FittedStages
from raymtl.loading.inputs import Inputs, PartData
from raymtl.loading.stages import FixedLength, Standardise
from raymtl.models import Model, SharedCnn, SharedDnn
from raymtl.models.heads import distinct
from raymtl.models.model import isolated
from raymtl.tasks import OneOf, Targets
from raymtl.training.keeping import Keeper
from raymtl.training.memory import settle_allocator
from raymtl.training.optimise import Adam
from raymtl.training.outcome import RunData
from raymtl.training.ranks import Ranks
from raymtl.training.running import Run
from raymtl.training.training import Training

TASK = OneOf("scene", tuple(f"s{i}" for i in range(15)))
BATCH = 64


@dataclass(frozen=True)
class Case:
    model: Model
    shape: tuple[int, int]  # frames, features
    clips: int
    rounds: int


CASES = {
    "DNN 168 -> 4 x 512": Case(SharedDnn(512, 4), (1, 168), 1280, 9),
    "CNN 4 x 64, 100 x 64": Case(SharedCnn(64, 4), (100, 64), 192, 5),
    "CNN 16-32-32, 100 x 64": Case(SharedCnn((16, 32, 32), 3, 3), (100, 64), 384, 5),
}


def part(case: Case, budget: int, folder: Path) -> PartData:
    """A stored, memory-mapped feature set of `case` behind fitted stages."""
    features = stored(case, folder)
    rows = np.arange(len(features.ids))
    stages = (Standardise(), FixedLength(case.shape[0]))
    fitted = FittedStages(
        tuple(s.fit(s.measure(features, rows) if s.measured else None) for s in stages)
    )
    values = np.arange(case.clips, dtype=np.int64) % 15
    targets = {TASK.name: Targets(values, np.ones(case.clips, bool))}
    return PartData("one", features.ids, Inputs(features, features.ids, fitted, budget), targets)


def stored(case: Case, folder: Path):
    rng = np.random.default_rng(0)
    matrices = {
        f"c/{i:05d}": rng.normal(0, 1, (1, *case.shape)).astype(np.float32)
        for i in range(case.clips)
    }
    for name, matrix in matrices.items():
        torch.save(torch.from_numpy(matrix), folder / f"{name[2:]}.pt")
    return mapped(matrices, folder)


def mapped(matrices, folder: Path):
    """Through the real store's shard format and memory map."""
    import pyarrow as pa

    from raymtl.extraction.featureset import FeatureSet

    flat = np.concatenate([m.ravel() for m in matrices.values()])
    sizes = [m.size for m in matrices.values()]
    offsets = pa.array(np.concatenate([[0], np.cumsum(sizes)]), pa.int64())
    batch = pa.record_batch(
        {
            "id": pa.array(list(matrices)),
            "frames": pa.array([m.shape[1] for m in matrices.values()], pa.int64()),
            "values": pa.LargeListArray.from_arrays(offsets, pa.array(flat)),
        }
    )
    width = next(iter(matrices.values())).shape[2]
    schema = batch.schema.with_metadata({"channels": "1", "features": str(width)})
    with pa.ipc.new_file(str(folder / "part.arrow"), schema) as writer:
        writer.write_batch(batch.replace_schema_metadata(schema.metadata))
    return FeatureSet("bench", [folder / "part.arrow"], {})


def ours(case: Case, data: PartData) -> Callable[[], int]:
    training = Training(epochs=10**6, batches=Alternating(BATCH), select="last")
    held = RunData({"one": data}, {}, {})
    keeper = Keeper(Path(), Keep())  # which writes nothing
    run = Run(case.model, training, held, distinct((TASK,)), 0, "cpu", Ranks(), keeper)

    def epoch() -> int:
        for ended in run.steps():
            if ended:
                run.epoch, run.position = run.epoch + 1, 0
        return case.clips

    return epoch


def loop(
    network: nn.Module,
    optimiser: torch.optim.Optimizer,
    batches: Callable[[], Iterator[tuple[torch.Tensor, torch.Tensor]]],
) -> Callable[[], int]:
    network.train()

    def epoch() -> int:
        clips = 0
        for values, targets in batches():
            optimiser.zero_grad()
            lengths = torch.full((len(values),), values.shape[2])
            output = network({"features": values, "lengths": lengths})[TASK.name]
            nn.functional.cross_entropy(output, targets).backward()
            optimiser.step()
            clips += len(values)
        return clips

    return epoch


def bare(case: Case, data: PartData) -> Callable[[], int]:
    network = case.model.build(data.inputs.shape, (TASK,), 0)
    rows = np.array_split(np.arange(case.clips), case.clips // BATCH)
    held = [
        (
            data.inputs.batch(r)["features"].contiguous(),
            torch.from_numpy(data.targets[TASK.name].values[r]),
        )
        for r in rows
    ]
    return loop(network, Adam(1e-3).build(network.parameters()), lambda: iter(held))


class Files(Dataset):
    def __init__(self, folder: Path, targets: np.ndarray) -> None:
        self.paths, self.targets = sorted(folder.glob("*.pt")), targets

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, row: int):
        return torch.load(self.paths[row]), self.targets[row]


def files(case: Case, data: PartData, folder: Path) -> Callable[[], int]:
    network = case.model.build(data.inputs.shape, (TASK,), 0)
    loader = DataLoader(Files(folder, data.targets[TASK.name].values), BATCH, shuffle=True)
    return loop(network, Adam(1e-3).build(network.parameters()), lambda: iter(loader))


def stock(case: Case, data: PartData) -> Callable[[], int]:
    network = case.model.build(data.inputs.shape, (TASK,), 0)
    if isinstance(case.model, SharedCnn):
        network = Plain(network)
    rows = np.array_split(np.arange(case.clips), case.clips // BATCH)
    held = [
        (
            data.inputs.batch(r)["features"].contiguous(),
            torch.from_numpy(data.targets[TASK.name].values[r]),
        )
        for r in rows
    ]
    return loop(network, torch.optim.Adam(network.parameters(), 1e-3), lambda: iter(held))


class Plain(nn.Module):
    """The same CNN as one writes it down: contiguous, modules of torch."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        trunk = network.trunk
        layers: list[nn.Module] = []
        for convolution, norm in zip(trunk.convolutions, trunk.norms, strict=True):
            layers += [
                nn.Conv2d(
                    convolution.in_channels,
                    convolution.out_channels,
                    convolution.kernel_size,
                    padding=1,
                    bias=False,
                ),
                nn.BatchNorm2d(norm.num_features),
                nn.ReLU(),
                nn.MaxPool2d(2),
            ]
        self.layers = nn.Sequential(
            *layers,
            nn.AdaptiveMaxPool2d(1),
            nn.Flatten(),
            nn.Linear(norm.num_features, TASK.outputs),
        )

    def forward(self, inputs):
        return {TASK.name: self.layers(inputs["features"])}


def rate(epoch: Callable[[], int]) -> float:
    """CPU seconds a clip."""
    began = time.process_time()
    clips = epoch()
    return (time.process_time() - began) / clips


def measure_stock(name: str) -> float:
    text = subprocess.run(
        [sys.executable, "-m", "tests.benchmarks.bench_training", "stock", name],
        check=True,
        text=True,
        capture_output=True,
    ).stdout
    return float(text)


def main() -> None:
    torch.set_num_threads(1)
    if sys.argv[1:2] == ["stock"]:
        case = CASES[sys.argv[2]]
        with tempfile.TemporaryDirectory() as folder, isolated(0):
            epoch = stock(case, part(case, 1 << 30, Path(folder)))
            rate(epoch)
            print(median(rate(epoch) for _ in range(3)))
        return
    print(
        f"{'clips/s of CPU':24}{'bare':>8}{'ours':>8}{'map':>8}{'files':>8}{'stock':>8}"
        f"{'ours/bare':>11}{'map/bare':>10}{'files/bare':>11}{'stock/ours':>11}"
    )
    settle_allocator()
    for name, case in CASES.items():
        with tempfile.TemporaryDirectory() as folder, isolated(0):
            report(name, case, Path(folder))


def report(name: str, case: Case, folder: Path) -> None:
    resident, gathered = part(case, 1 << 30, folder), part(case, 0, folder)
    epochs = [
        bare(case, resident),
        ours(case, resident),
        ours(case, gathered),
        files(case, resident, folder),
    ]
    for epoch in epochs:
        epoch()
    rounds, plain = [], []
    for number in range(case.rounds):
        rounds.append([rate(epoch) for epoch in epochs])
        if number % 2 == 0:
            plain.append(measure_stock(name))
    seconds = [median(r[i] for r in rounds) for i in range(4)] + [median(plain)]
    ratios = [median(r[i] / r[0] for r in rounds) for i in (1, 2, 3)] + [seconds[4] / seconds[1]]
    print(
        f"{name:24}"
        + "".join(f"{1 / s:8.0f}" for s in seconds)
        + "".join(f"{r:{w}.2f}" for r, w in zip(ratios, (11, 10, 11, 11), strict=True)),
        flush=True,
    )


if __name__ == "__main__":
    main()

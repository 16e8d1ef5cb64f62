"""Cost of a network against counts by hand."""

from __future__ import annotations

import pytest
import torch

from raymtl.models.cnn import SharedCnn
from raymtl.models.dnn import SharedDnn
from raymtl.models.model import InputShape
from raymtl.tasks import OneOf
from raymtl.training.cost import cost
from raymtl.training.steps import Feeder
from tests.training.toys import COLOUR, toy_parts

TASKS = [OneOf("a", ("x", "y", "z")), OneOf("b", tuple("0123456789"))]


def inputs(frames: int, features: int) -> dict[str, torch.Tensor]:
    return {
        "features": torch.zeros(1, 1, frames, features),
        "lengths": torch.full((1,), frames, dtype=torch.int64),
    }


def test_macs_of_a_dense_network_are_the_sizes_of_its_matrices() -> None:
    network = SharedDnn(width=32, depth=2).build(InputShape(1, 10, 8), TASKS, 0)
    found = cost(network, inputs(10, 8), "cpu")
    assert found["macs"] == 80 * 32 + 32 * 32 + 32 * 3 + 32 * 10
    assert found["latency_ms"] > 0
    assert "gpu_bytes" not in found


def test_macs_of_convolutions_are_those_seen_by_hooks() -> None:
    network = SharedCnn(width=8, depth=2, kernel=3).build(InputShape(1, 40, 16), TASKS, 0)
    seen: list[int] = []

    def count(module: torch.nn.Module, _: object, output: torch.Tensor) -> None:
        weight = module.weight
        assert isinstance(weight, torch.Tensor)
        places = output[0, 0].numel() if output.ndim > 2 else 1
        seen.append(weight.numel() * places)

    layers = [m for m in network.modules() if type(m).__name__ in ("Conv1d", "Conv2d", "Linear")]
    for layer in layers:
        layer.register_forward_hook(count)
    with torch.no_grad():
        network(inputs(40, 16))
    by_hand = sum(seen)
    assert len(seen) == len(layers) > 3
    assert cost(network, inputs(40, 16), "cpu")["macs"] == by_hand


def test_counting_leaves_the_random_state_and_the_weights() -> None:
    network = SharedDnn(width=8, depth=1, dropout=0.5).build(InputShape(1, 4, 4), TASKS, 0)
    before, state = torch.get_rng_state(), {k: v.clone() for k, v in network.state_dict().items()}
    cost(network, inputs(4, 4), "cpu")
    assert torch.equal(before, torch.get_rng_state())
    assert all(torch.equal(state[name], value) for name, value in network.state_dict().items())


class Layer(torch.nn.Module):
    """One layer over (B, frames, features) as a network of one head."""

    def __init__(self, layer: torch.nn.Module) -> None:
        super().__init__()
        self.layer = layer

    def forward(self, inputs: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        found = self.layer(inputs["features"][:, 0])
        return {"a": found[0] if isinstance(found, tuple) else found}


@pytest.mark.parametrize(
    ("layer", "macs"),
    [
        (torch.nn.LSTM(16, 8, batch_first=True), 20 * 4 * 8 * (16 + 8)),
        (torch.nn.GRU(16, 8, batch_first=True), 20 * 3 * 8 * (16 + 8)),
        (
            torch.nn.TransformerEncoderLayer(16, 4, 32, batch_first=True),
            20 * 4 * 16 * 16 + 2 * 20 * 20 * 16 + 2 * 20 * 16 * 32,
        ),
        (torch.nn.Conv1d(20, 20, 3, padding=1, groups=20), 20 * 16 * 3),
    ],
    ids=["lstm", "gru", "transformer", "depthwise"],
)
def test_macs_of_layers_that_are_one_kernel_are_those_of_their_equations(
    layer: torch.nn.Module, macs: int
) -> None:
    """LSTM: 4 gates of inputs and state; attention: 4 projections, two products, two layers."""
    flags = torch.backends.mha.get_fastpath_enabled(), torch.backends.mkldnn.enabled
    found = cost(Layer(layer), inputs(20, 16), "cpu")
    assert (found["macs"], found["frames"]) == (macs, 20)
    assert (torch.backends.mha.get_fastpath_enabled(), torch.backends.mkldnn.enabled) == flags


def test_the_clip_that_is_counted_is_of_middle_length_over_all_sources() -> None:
    parts = {
        name: toy_parts(name, [COLOUR], seed, frames=span)["train"]
        for name, seed, span in (("long", 0, (40, 60)), ("short", 1, (2, 8)))
    }
    lengths = sorted(n for part in parts.values() for n in part.inputs.lengths.tolist())
    clip = Feeder(parts, "cpu").middle()
    assert clip["features"].shape[2] == int(clip["lengths"][0]) == lengths[(len(lengths) - 1) // 2]
    alone = {"long": parts["long"]}
    assert int(Feeder(alone, "cpu").middle()["lengths"][0]) == lengths[len(lengths) // 2 + 11]

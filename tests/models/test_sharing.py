"""Who shares what, against published sharing schemes, torch.autograd.grad, and laws."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from copy import deepcopy

import pytest
import torch
from torch import Tensor, nn

from raymtl.models import InputShape, SharedCnn, SharedDnn
from raymtl.models.sharing import Block, Sharing, sharing
from raymtl.tasks import OneOf

HEADS = ("a", "b", "c")
WIDTHS = (6, 5, 4, 3, 2)


class Layered(nn.Module):
    """Four layers and a head a task; the layers in `shared` (from 1) are one for all tasks."""

    def __init__(self, shared: set[int]) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            linear(i)
            if i in shared
            else nn.ModuleDict({f"own_{task}": linear(i) for task in HEADS})
            for i in (1, 2, 3, 4)
        )
        self.outputs = nn.ModuleDict({task: nn.Linear(WIDTHS[4], 2) for task in HEADS})

    def forward(self, inputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
        found = {}
        for task in HEADS:
            hidden = inputs["features"].flatten(1)
            for layer in self.layers:
                one = layer[f"own_{task}"] if isinstance(layer, nn.ModuleDict) else layer
                hidden = torch.relu(one(hidden))
            found[task] = self.outputs[task](hidden)
        return found


def linear(layer: int) -> nn.Linear:
    return nn.Linear(WIDTHS[layer - 1], WIDTHS[layer])


class Made(nn.Module):
    """Parts by name, and outputs by a function of them and the features (B, 6)."""

    def __init__(
        self,
        parts: Mapping[str, nn.Module],
        outputs: Callable[[Made, Tensor], dict[str, Tensor]],
    ) -> None:
        super().__init__()
        self.parts = nn.ModuleDict(parts)
        self.outputs = outputs

    def forward(self, inputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
        return self.outputs(self, inputs["features"].flatten(1))


def inputs(clips: int = 2, frames: int = 2, features: int = 3) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(0)
    return {
        "features": torch.randn((clips, 1, frames, features), generator=generator),
        "lengths": torch.full((clips,), frames),
    }


def tasks(found: Sharing) -> dict[str, str]:
    assert not found.problem
    return {block.name: "".join(block.tasks) for block in found.blocks}


def by_backward(network: nn.Module, batch: Mapping[str, Tensor]) -> dict[str, set[str]]:
    """Parameter -> heads, as torch tells which gradients were not used."""
    network = deepcopy(network).eval()
    named = dict(network.named_parameters())
    for parameter in named.values():
        parameter.requires_grad_(True)
    found: dict[str, set[str]] = {name: set() for name in named}
    for head, output in network(batch).items():
        grads = torch.autograd.grad(
            output.sum(), list(named.values()), retain_graph=True, allow_unused=True
        )
        for name, grad in zip(named, grads, strict=True):
            if grad is not None:
                found[name].add(head)
    return found


def agrees(network: nn.Module, batch: Mapping[str, Tensor], heads: tuple[str, ...]) -> None:
    """Every parameter lies in one block, with the tasks and the count that backward gives."""
    found = sharing(network, batch, heads)
    expected = by_backward(network, batch)
    sizes = {name: p.numel() for name, p in network.named_parameters()}
    for block in found.blocks:
        inside = [n for n in expected if n == block.name or n.startswith(f"{block.name}.")]
        assert [expected.pop(name) for name in inside] == [set(block.tasks)] * len(inside)
        assert sum(sizes[name] for name in inside) == block.parameters
    assert expected == {}


@pytest.mark.parametrize(
    ("scheme", "shared"),
    [("low", {1, 2}), ("high", {3, 4}), ("interspersed", {1, 4}), ("single", set())],
)
def test_published_schemes_share_exactly_their_layers(scheme: str, shared: set[int]) -> None:
    """The four schemes of the representation-music study: layers shared are those named."""
    network = Layered(shared)
    found = sharing(network, inputs(), HEADS)
    served = tasks(found)
    whole = {name for name, who in served.items() if who == "abc"}
    assert whole == {f"layers.{layer - 1}" for layer in shared}
    own = {name: who for name, who in served.items() if name not in whole}
    assert own == {
        **{f"layers.{i - 1}.own_{t}": t for i in {1, 2, 3, 4} - shared for t in HEADS},
        **{f"outputs.{task}": task for task in HEADS},
    }
    again = {block.name for block in found.blocks if block.reused}
    assert again == {f"layers.{i - 1}" for i in shared if {*range(1, i)} - shared}
    agrees(network, inputs(), HEADS)


def test_a_module_under_two_names_is_one_block() -> None:
    first, last = nn.Linear(6, 6), nn.Linear(6, 6)
    nets = {t: nn.Sequential(first, nn.Linear(6, 6), last, nn.Linear(6, 2)) for t in "ab"}
    network = Made(nets, lambda m, x: {t: m.parts[t](x) for t in "ab"})
    assert tasks(sharing(network, inputs(), ("a", "b"))) == {
        "parts.a.0": "ab",
        "parts.a.1": "a",
        "parts.a.2": "ab",
        "parts.a.3": "a",
        "parts.b.1": "b",
        "parts.b.3": "b",
    }


def test_parameter_accounting_of_hard_sharing() -> None:
    """168 inputs, 3 x 512, heads 8/2/15/23: 636,464 shared, 2,471,984 apart."""
    heads = {"emotion": 8, "stress": 2, "scene": 15, "speaker": 23}
    made = [OneOf(name, tuple(map(str, range(count)))) for name, count in heads.items()]
    network = SharedDnn(512, depth=3).build(InputShape(1, 1, 168), made, 0)
    found = sharing(network, inputs(1, 1, 168), tuple(heads)).blocks
    assert [block.name for block in found] == ["trunk", *(f"heads.{i}" for i in range(4))]
    assert found[0].parameters == 611_840
    assert sum(block.parameters for block in found) == 636_464
    assert sum(block.parameters * len(block.tasks) for block in found) == 2_471_984


@pytest.mark.parametrize("frames", [40, None])
def test_it_agrees_with_backward_on_networks_of_every_kind(frames: int | None) -> None:
    made = [OneOf("a", ("x", "y")), OneOf("b", ("x", "y", "z"))]
    network = SharedCnn(4, depth=2, kernel=3).build(InputShape(1, frames, 16), made, 0)
    agrees(network, inputs(1, 40, 16), ("a", "b"))
    lstm = nn.LSTM(6, 4, batch_first=True)
    parts = {"rnn": lstm, "mix": nn.Linear(4, 4), "a": nn.Linear(4, 2), "b": nn.Linear(4, 2)}
    network = Made(
        parts,
        lambda m, x: {
            "a": m.parts["a"](m.parts["rnn"](x[:, None])[0][:, -1]),
            "b": m.parts["b"](m.parts["mix"](m.parts["rnn"](x[:, None])[0][:, -1])),
        },
    )
    agrees(network, inputs(), ("a", "b"))
    assert tasks(sharing(network, inputs(), ("a", "b"))) == {
        "parts.rnn": "ab",
        "parts.mix": "b",
        "parts.a": "a",
        "parts.b": "b",
    }


def test_weights_with_adapters_of_each_task_are_used_on_different_inputs() -> None:
    """A shared matrix plus a matrix a task, twice: the second does not see what all tasks have."""

    class Adapted(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.shared = nn.ParameterList(torch.randn(6, 6) for _ in range(2))
            self.own = nn.ModuleDict(
                {t: nn.ParameterList(torch.randn(6, 6) for _ in range(2)) for t in "ab"}
            )

        def forward(self, inputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
            found = {}
            for task in "ab":
                hidden = inputs["features"].flatten(1)
                for shared, own in zip(self.shared, self.own[task], strict=True):
                    hidden = torch.relu(hidden @ (shared + own))
                found[task] = hidden
            return found

    found = sharing(Adapted(), inputs(), ("a", "b"))
    assert tasks(found) == {"shared": "ab", "own.a": "a", "own.b": "b"}
    assert [block.reused for block in found.blocks] == [True, False, False]


def test_what_feeds_another_head_serves_both_and_a_cut_gradient_ends_it() -> None:
    parts = {"trunk": nn.Linear(6, 4), "a": nn.Linear(4, 2), "b": nn.Linear(2, 2)}

    def cascade(cut: bool) -> Sharing:
        def outputs(m: Made, x: Tensor) -> dict[str, Tensor]:
            first = m.parts["a"](m.parts["trunk"](x))
            return {"a": first, "b": m.parts["b"](first.detach() if cut else first)}

        return sharing(Made(parts, outputs), inputs(), ("a", "b"))

    served = {"parts.trunk": "ab", "parts.a": "ab", "parts.b": "b"}
    assert tasks(cascade(cut=False)) == served
    assert tasks(cascade(cut=True)) == {"parts.trunk": "a", "parts.a": "a", "parts.b": "b"}
    assert not any(block.reused for block in cascade(cut=False).blocks)


def test_what_no_task_uses_and_what_is_frozen_is_said() -> None:
    parts = {"trunk": nn.Linear(6, 4), "idle": nn.Linear(3, 3), "a": nn.Linear(4, 2)}
    parts["trunk"].requires_grad_(False)
    network = Made(parts, lambda m, x: {"a": m.parts["a"](m.parts["trunk"](x))})
    assert sharing(network, inputs(), ("a",)).blocks == (
        Block("parts.trunk", 28, ("a",), frozen=28),
        Block("parts.idle", 12, ()),
        Block("parts.a", 10, ("a",)),
    )
    assert [p.requires_grad for p in network.parameters()] == [False] * 2 + [True] * 4


def test_nothing_of_the_network_and_of_torch_is_changed() -> None:
    class Noisy(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.norm, self.head = nn.BatchNorm1d(6), nn.Linear(6, 2)

        def forward(self, inputs: Mapping[str, Tensor]) -> dict[str, Tensor]:
            hidden = inputs["features"].flatten(1).mul_(2)
            return {"a": self.head(self.norm(hidden) + torch.randn(6))}

    network, batch = Noisy().train(), inputs()
    network.norm.eval()
    before, state = deepcopy(network.state_dict()), torch.get_rng_state()
    features = batch["features"].clone()
    assert tasks(sharing(network, batch, ("a",))) == {"norm": "a", "head": "a"}
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.equal(batch["features"], features)
    assert not batch["features"].requires_grad
    assert all(torch.equal(before[name], value) for name, value in network.state_dict().items())
    assert (network.training, network.norm.training, network.head.training) == (True, False, True)
    assert all(p.grad is None for p in network.parameters())


def test_networks_that_cannot_be_looked_into_say_why() -> None:
    def blind(m: Made, x: Tensor) -> dict[str, Tensor]:
        with torch.inference_mode():
            return {"a": m.parts["a"](x)}

    parts = {"a": nn.Linear(6, 2)}
    assert "without a gradient" in sharing(Made(parts, blind), inputs(), ("a",)).problem
    arrays = Made(parts, lambda m, x: {"a": m.parts["a"](torch.from_numpy(x.numpy()))})
    assert "numpy" in sharing(arrays, inputs(), ("a",)).facts()["problem"]


def test_hundreds_of_blocks_become_one_for_each_set_of_tasks() -> None:
    heads = tuple(f"t{i}" for i in range(3))
    layers = {f"{t}-{i}": nn.Linear(6, 6) for i in range(80) for t in ("all", *heads)}

    def outputs(m: Made, x: Tensor) -> dict[str, Tensor]:
        found = {}
        for task in heads:
            found[task] = x
            for i in range(80):
                found[task] = m.parts[f"{task}-{i}"](m.parts[f"all-{i}"](found[task]))
        return found

    found = sharing(Made(layers, outputs), inputs(), heads).blocks
    assert [(block.name, block.tasks) for block in found] == [
        ("parts.all-0", heads),
        *((f"parts.{t}-0 and 79 more", (t,)) for t in heads),
        ("parts.all-1 and 78 more", heads),
    ]
    assert sum(block.parameters for block in found) == 4 * 80 * 42

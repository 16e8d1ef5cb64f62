"""Networks against published parameter counts, plain torch, and their own contract."""

from __future__ import annotations

from copy import deepcopy

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from raymtl.errors import StudyError
from raymtl.models import InputShape, SharedCnn, SharedDnn
from raymtl.models.cnn import block_shapes
from raymtl.models.heads import distinct
from raymtl.models.model import isolated, parameters
from raymtl.tasks import AnyOf, OneOf, YesNo


def one_of(name: str, count: int) -> OneOf:
    return OneOf(name, tuple(f"{name}{i}" for i in range(count)))


THESIS = (one_of("emotion", 8), one_of("stress", 2), one_of("scene", 15), one_of("speaker", 23))
SUMMARY = InputShape(1, 1, 168)
MELS = InputShape(1, 100, 64)


def inputs(shape: InputShape, clips: int = 3, frames: int | None = None, seed: int = 0):
    generator = torch.Generator().manual_seed(seed)
    size = (clips, shape.channels, shape.frames or frames or 20, shape.features)
    return {
        "features": torch.randn(size, generator=generator),
        "lengths": torch.full((clips,), size[2]),
    }


def test_parameters_of_sharing_and_of_separate_networks() -> None:
    """168 inputs, 3 x 512, heads 8/2/15/23: 636,464 against 2,471,984, a ratio of 3.884."""
    model = SharedDnn(512, depth=3)
    shared = parameters(model.build(SUMMARY, THESIS, 0))
    separate = sum(parameters(model.build(SUMMARY, (task,), 0)) for task in THESIS)
    assert (shared, separate) == (636_464, 2_471_984)
    assert round(separate / shared, 3) == 3.884


def test_dnn_is_the_stack_it_says() -> None:
    network = SharedDnn(16, depth=2).build(InputShape(2, 3, 4), THESIS[:2], 1).eval()
    batch = inputs(InputShape(2, 3, 4))
    w = dict(network.named_parameters())
    hidden = batch["features"].flatten(1)
    for layer in (1, 3):
        weight, bias = (w[f"trunk.layers.{layer}.{part}"] for part in ("weight", "bias"))
        hidden = torch.relu(hidden @ weight.T + bias)
    outputs = network(batch)
    for number, task in enumerate(THESIS[:2]):
        expected = hidden @ w[f"heads.{number}.weight"].T + w[f"heads.{number}.bias"]
        torch.testing.assert_close(outputs[task.name], expected)


def test_cnn_is_the_thesis_rebuild() -> None:
    """Four times conv 5x5 with 64 channels, padding 1, no bias, BN, ReLU, pool 2; global max."""
    network = SharedCnn().build(MELS, THESIS[:1], 1).eval()
    layers: list[nn.Module] = []
    for channels in (1, 64, 64, 64):
        layers += [
            nn.Conv2d(channels, 64, 5, padding=1, bias=False),
            nn.BatchNorm2d(64),
            nn.ReLU(),
            nn.MaxPool2d(2),
        ]
    plain = nn.Sequential(*layers, nn.AdaptiveMaxPool2d(1), nn.Flatten(), nn.Linear(64, 8)).eval()
    own = network.state_dict()
    weights = [v for k, v in own.items() if "convolutions" in k]
    norms = [[v for k, v in own.items() if f"norms.{i}." in k] for i in range(4)]
    with torch.no_grad():
        for i in range(4):
            plain[4 * i].weight.copy_(weights[i])
            for mine, theirs in zip(norms[i], plain[4 * i + 1].state_dict().values(), strict=True):
                theirs.copy_(mine)
        plain[-1].weight.copy_(own["heads.0.weight"])
        plain[-1].bias.copy_(own["heads.0.bias"])
    batch = inputs(MELS)
    torch.testing.assert_close(
        network(batch)["emotion"], plain(batch["features"]), rtol=1e-4, atol=1e-5
    )  # another memory layout, another summing order
    assert parameters(network) == sum(p.numel() for p in plain.parameters())


@settings(max_examples=30)
@given(
    frames=st.integers(1, 40),
    features=st.integers(1, 40),
    kernel=st.sampled_from([3, 5]),
    depth=st.integers(1, 3),
)
def test_announced_shapes_are_those_of_torch(frames, features, kernel, depth) -> None:
    model = SharedCnn(2, depth, kernel)
    shape = InputShape(1, frames, features)
    hidden = torch.zeros(1, 1, frames, features)
    try:
        expected = []
        for block in range(depth):
            hidden = nn.Conv2d(1 if block == 0 else 2, 2, kernel, padding=1)(hidden)
            hidden = nn.MaxPool2d(2)(hidden)
            expected.append((2, hidden.shape[2], hidden.shape[3]))
    except RuntimeError:
        with pytest.raises(StudyError, match="too small: block"):
            model.build(shape, THESIS[:1], 0)
        return
    assert block_shapes(shape, model) == expected
    assert model.build(shape, THESIS[:1], 0)(inputs(shape, 2))["emotion"].shape == (2, 8)


def test_an_input_too_small_is_named_with_its_shape_and_block() -> None:
    with pytest.raises(
        StudyError,
        match=r"10 frames x 64 features is too small: block 3 of 4 gets "
        r"1 frames x 14 features",
    ):
        SharedCnn().build(InputShape(1, 10, 64), THESIS, 0)


def test_a_dnn_asks_for_a_fixed_length() -> None:
    with pytest.raises(StudyError, match=r"Add FixedLength\(\.\.\.\) or Windows"):
        SharedDnn().build(InputShape(1, None, 64), THESIS, 0)


@pytest.mark.parametrize("pool", ["max", "mean"])
@pytest.mark.parametrize("training", [False, True])
def test_a_clip_scores_the_same_alone_and_padded_beside_longer_ones(pool, training) -> None:
    network = SharedCnn(4, 2, 3, pool=pool).build(InputShape(1, None, 12), THESIS[:1], 0)
    network.train(training)
    for norm in network.trunk.norms:
        norm.running_mean.uniform_(-1, 1, generator=torch.Generator().manual_seed(1))
        nn.init.uniform_(norm.bias, -1, 1, generator=torch.Generator().manual_seed(2))
    lengths = [9, 20, 4, 13]
    clips = [inputs(InputShape(1, n, 12), 1, seed=n)["features"] for n in lengths]
    if training:  # statistics of the batch: padding must not be counted among them
        clips[1:] = [clips[0].clone() for _ in lengths[1:]]
        lengths = [9] * 4
    padded = torch.full((4, 1, 24, 12), 7.0)
    for row, clip in zip(padded, clips, strict=True):
        row[:, : clip.shape[2]] = clip[0]
    twin = deepcopy(network)
    together = network({"features": padded, "lengths": torch.tensor(lengths)})["emotion"]
    if training:
        twin({"features": torch.cat(clips), "lengths": torch.tensor(lengths)})
        for mine, theirs in zip(network.buffers(), twin.buffers(), strict=True):
            torch.testing.assert_close(mine, theirs)
    for row, clip in enumerate(clips):
        alone = network({"features": clip, "lengths": torch.tensor([clip.shape[2]])})["emotion"]
        torch.testing.assert_close(together[row], alone[0], rtol=1e-4, atol=1e-5)


def test_varying_clips_shorter_than_the_network_needs_are_padded() -> None:
    network = SharedCnn(4, 3, 3).build(InputShape(1, None, 16), THESIS[:1], 0).eval()
    short = inputs(InputShape(1, 2, 16))
    assert torch.isfinite(network(short)["emotion"]).all()


@pytest.mark.parametrize("model", [SharedDnn(8, 2, 0.5), SharedCnn(4, 1, 3, 0.5)])
def test_building_is_a_function_of_its_arguments_and_leaves_no_trace(model) -> None:
    shape = InputShape(1, 8, 8)
    first = model.build(shape, THESIS, 7).state_dict()
    torch.manual_seed(99)
    torch.set_default_dtype(torch.float64)
    try:
        before = torch.get_rng_state()
        again = model.build(shape, THESIS, 7)
        assert torch.equal(before, torch.get_rng_state())
        assert torch.get_default_dtype() is torch.float64
    finally:
        torch.set_default_dtype(torch.float32)
    for name, value in again.state_dict().items():
        assert torch.equal(value, first[name]), name
    other = model.build(shape, THESIS, 8).state_dict()
    assert any(not torch.equal(value, first[name]) for name, value in other.items())


def test_a_trunk_starts_alike_whatever_it_is_trained_for() -> None:
    few, many = (SharedDnn(8, 2).build(SUMMARY, tasks, 3) for tasks in (THESIS[:1], THESIS[::-1]))
    for name, value in few.trunk.state_dict().items():
        assert torch.equal(value, many.trunk.state_dict()[name])
    assert torch.equal(few.heads[0].weight, many.heads[3].weight)  # a head is seeded by its name


def test_equal_tasks_share_a_head_and_unlike_ones_may_not_share_a_name() -> None:
    word = OneOf("word", ("yes", "no"), aliases=(("ja", "yes"),))
    plain = OneOf("word", ("yes", "no"))
    assert list(distinct((word, plain, YesNo("loud")))) == ["word", "loud"]
    network = SharedDnn(4, 1).build(SUMMARY, (word, plain, YesNo("a.b"), AnyOf("tag", ("x",))), 0)
    outputs = network(inputs(SUMMARY))
    assert {name: value.shape[1] for name, value in outputs.items()} == {
        "word": 2,
        "a.b": 1,
        "tag": 1,
    }
    assert list(network(inputs(SUMMARY), ["tag"])) == ["tag"]
    with pytest.raises(StudyError, match="two different tasks are called 'word'"):
        distinct((word, OneOf("word", ("no", "yes"))))


def test_isolation_puts_the_default_dtype_and_generator_back_after_an_error() -> None:
    before = torch.get_rng_state()

    def fails() -> None:
        with isolated(1):
            torch.rand(3)
            torch.set_default_dtype(torch.float64)
            raise ZeroDivisionError("nothing")

    with pytest.raises(ZeroDivisionError, match="nothing"):
        fails()
    assert torch.get_default_dtype() is torch.float32
    assert torch.equal(before, torch.get_rng_state())


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: SharedCnn((8, 8), 3), "2 widths for depth 3"),
        (lambda: SharedCnn(pool="sum"), "expected max or mean"),
    ],
)
def test_parameters_out_of_range_are_refused(make, message: str) -> None:
    with pytest.raises(StudyError, match=message):
        make()

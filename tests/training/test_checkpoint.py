"""Checkpoints: exact, two kept, never trusted unread."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
import torch
from torch import nn

from raymtl.errors import StoreError
from raymtl.training.checkpoint import (
    State,
    clear,
    load_newest,
    optimiser_tensors,
    restore_optimiser,
    save_state,
)


def state(number: int) -> State:
    tensors = {
        "a": torch.full((3, 2), number / 3),
        "b": torch.arange(4, dtype=torch.uint8),
        "c": torch.tensor(float(number), dtype=torch.float64),
    }
    return State(tensors, {"identity": "me", "number": number, "third": number / 3})


def number(folder: Path) -> int | None:
    found = load_newest(folder, "me")
    return None if found is None else found.progress["number"]


def test_state_comes_back_bit_for_bit(tmp_path: Path) -> None:
    save_state(tmp_path, state(7))
    found = load_newest(tmp_path, "me")
    assert found.progress == state(7).progress
    for name, value in state(7).tensors.items():
        assert found.tensors[name].dtype == value.dtype
        assert torch.equal(found.tensors[name], value)


def test_two_are_kept_and_the_newest_is_loaded(tmp_path: Path) -> None:
    assert number(tmp_path) is None
    for i in range(12):
        save_state(tmp_path, state(i))
        assert number(tmp_path) == i
    assert len(list((tmp_path / "checkpoint").iterdir())) == 2
    clear(tmp_path)
    assert number(tmp_path) is None


def test_another_runs_state_is_not_taken(tmp_path: Path) -> None:
    save_state(tmp_path, state(1))
    assert load_newest(tmp_path, "somebody else") is None


@pytest.mark.parametrize("file", ["tensors.safetensors", "progress.json"])
@pytest.mark.parametrize("harm", ["truncate", "empty", "flip", "remove"])
def test_any_damage_falls_back_to_the_one_before(file: str, harm: str, tmp_path: Path) -> None:
    save_state(tmp_path, state(1))
    save_state(tmp_path, state(2))
    path = tmp_path / "checkpoint" / "000002" / file
    content = path.read_bytes()
    if harm == "remove":
        path.unlink()
    else:
        middle = len(content) // 2
        flipped = content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]
        path.write_bytes({"truncate": content[:-5], "empty": b"", "flip": flipped}[harm])
    assert number(tmp_path) == 1
    save_state(tmp_path, state(3))
    assert number(tmp_path) == 3


def test_what_a_killed_writer_left_is_never_read(tmp_path: Path) -> None:
    save_state(tmp_path, state(1))
    half = tmp_path / "checkpoint" / ".2.999"
    half.mkdir()
    (half / "tensors.safetensors").write_bytes(b"half")
    assert number(tmp_path) == 1


def test_progress_holds_no_number_that_json_has_not(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="JSON compliant"):
        save_state(tmp_path, State({}, {"identity": "me", "loss": math.nan}))
    assert number(tmp_path) is None


def test_progress_is_plain_json(tmp_path: Path) -> None:
    save_state(tmp_path, state(1))
    content = json.loads((tmp_path / "checkpoint" / "000001" / "progress.json").read_text())
    assert content["progress"]["number"] == 1


def test_a_folder_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "checkpoint").write_text("a file where the folder should be")
    with pytest.raises(StoreError, match="checkpoint cannot be written"):
        save_state(tmp_path, state(1))


def test_optimiser_state_keeps_the_layout_of_its_parameter() -> None:
    """A fused step walks memory: state in another layout would be mixed up silently."""
    torch.manual_seed(0)
    layers = [nn.Conv2d(3, 4, 3).to(memory_format=torch.channels_last) for _ in range(2)]
    layers[1].load_state_dict(layers[0].state_dict())
    one, other = (torch.optim.Adam(layer.parameters(), fused=True) for layer in layers)
    batch = torch.randn(2, 3, 6, 6).contiguous(memory_format=torch.channels_last)

    def step(layer, optimiser) -> None:
        optimiser.zero_grad()
        layer(batch).square().sum().backward()
        optimiser.step()

    step(layers[0], one)
    layers[1].load_state_dict(layers[0].state_dict())
    saved = {k: v.contiguous() for k, v in optimiser_tensors(one).items()}
    restore_optimiser(other, list(layers[1].parameters()), saved)
    moment = other.state[layers[1].weight]["exp_avg"]
    assert moment.stride() == layers[1].weight.stride() != moment.contiguous().stride()
    for _ in range(3):
        step(layers[0], one)
        step(layers[1], other)
    assert torch.equal(layers[0].weight, layers[1].weight)

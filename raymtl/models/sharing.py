"""Who shares what: the parts of any network, and the tasks whose outputs depend on each."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import reduce
from operator import or_
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.graph import Node, get_gradient_edge

_DATA = 1  # the bit of the inputs; those of the parameters follow
_MOST = 200  # blocks that are told apart; above it, those of the same tasks are one

Named = Mapping[str, nn.Parameter]
Masks = Mapping[Node, int]


@dataclass(frozen=True)
class Block:
    """The largest part of a network all of whose parameters serve the same tasks.

    name: its path among the modules. parameters: values in it. tasks: heads whose output depends
    on them, in the order of the heads; none: no task's gradient comes here. frozen: of the values,
    those that are not trained. reused: its weights are used in several places, behind parts that
    not all of its tasks have, so that no tree of tasks can show it.
    """

    name: str
    parameters: int
    tasks: tuple[str, ...]
    frozen: int = 0
    reused: bool = False

    def facts(self) -> dict[str, Any]:
        """As plain data; what is 0 or false is left out."""
        found = {"name": self.name, "parameters": self.parameters, "tasks": list(self.tasks)}
        return found | {k: v for k in ("frozen", "reused") if (v := getattr(self, k))}


@dataclass(frozen=True)
class Sharing:
    """All blocks of a network, in the order of its modules; `problem`: why there are none."""

    blocks: tuple[Block, ...] = ()
    problem: str = ""

    def facts(self) -> dict[str, Any]:
        """As plain data: ``blocks``, or ``problem``."""
        if self.problem:
            return {"problem": self.problem}
        return {"blocks": [block.facts() for block in self.blocks]}


def sharing(network: nn.Module, inputs: Mapping[str, Tensor], heads: Sequence[str]) -> Sharing:
    """Which heads depend on which parameters, read off autograd's graph of one forward pass.

    Exact for whole parameters: one that enters an output counts for it, whatever its values are.
    What is computed without gradients (``no_grad``, ``detach``) is not seen through. Weights,
    modes, gradients and random states are afterwards as before; no backward pass is made.

    In: `inputs` of one clip or more, see `models.model.Model.build`. `heads`: names of outputs, in
    the order that `Block.tasks` keeps.
    """
    named = {n: p for n, p in network.named_parameters() if p.is_floating_point()}
    frozen = {name for name, p in named.items() if not p.requires_grad}
    leaves = {name: _leaf(value) for name, value in inputs.items()}
    try:
        with _observed(network, inputs):
            outputs = network({name: _unowned(value) for name, value in leaves.items()})
    except RuntimeError as error:  # a network that takes no gradients in evaluation; any reason
        return Sharing(problem=f"a forward pass with gradients fails: {error}".split("\n")[0])
    blind = [head for head in heads if not outputs[head].requires_grad]
    if blind:
        return Sharing(problem=f"without a gradient in evaluation: {', '.join(blind)}")
    bits = {id(p): _DATA << i for i, p in enumerate(named.values(), start=1)}
    bits |= {id(leaf): _DATA for leaf in leaves.values()}
    roots = {head: get_gradient_edge(outputs[head]).node for head in heads}
    return Sharing(_bounded(_blocks(network, named, frozen, bits, roots)))


def _blocks(
    network: nn.Module,
    named: Named,
    frozen: set[str],
    bits: Mapping[int, int],
    roots: Mapping[str, Node],
) -> list[Block]:
    reach = _reach(roots.values(), bits)
    at = {name: bits[id(p)] for name, p in named.items()}
    served = {n: tuple(h for h, root in roots.items() if reach[root] & at[n]) for n in named}
    groups = list(_groups(network, "", list(named), served))
    masks = [reduce(or_, (at[n] for n in names)) for _, names in groups]
    tasks = [served[names[0]] for _, names in groups]
    reused = _reused(reach, masks, tasks)
    return [
        Block(
            name,
            sum(named[n].numel() for n in names),
            tasks[i],
            sum(named[n].numel() for n in names if n in frozen),
            i in reused,
        )
        for i, (name, names) in enumerate(groups)
    ]


def _groups(
    network: nn.Module, path: str, names: list[str], served: Mapping[str, tuple[str, ...]]
) -> Iterator[tuple[str, list[str]]]:
    """(path, parameters) of the largest modules below `path` that serve the same tasks."""
    parts: dict[str, list[str]] = {}
    for name in names:
        step = name[len(path) :].removeprefix(".").partition(".")[0]
        parts.setdefault(f"{path}.{step}" if path else step, []).append(name)
    for part, inside in parts.items():
        wrapped = not path and len(parts) == 1 and any("." in n[len(part) + 1 :] for n in inside)
        alike = len({served[name] for name in inside}) == 1
        if inside == [part] or (alike and not wrapped and _names(network, part, inside)):
            yield part, inside
        else:
            yield from _groups(network, part, inside, served)


def _names(network: nn.Module, path: str, names: list[str]) -> bool:
    """Whether the module's path says best what these parameters are.

    It does not where others of its parameters were counted under another path, or where it is a
    list of which one entry has parameters.
    """
    module = network.get_submodule(path)
    steps = {name[len(path) + 1 :].partition(".")[0] for name in names}
    if isinstance(module, nn.ModuleList | nn.ModuleDict) and len(steps) == 1:
        return False
    return sum(p.is_floating_point() for p in module.parameters()) == len(names)


def _reach(roots: Iterable[Node], bits: Mapping[int, int]) -> dict[Node, int]:
    """The bits of all parameters and inputs that each node of the graph depends on."""
    reach: dict[Node, int] = {}
    left = list(roots)
    while left:
        node = left[-1]
        below = [child for child, _ in node.next_functions if child is not None]
        ahead = [child for child in below if child not in reach]
        if ahead and node not in reach:
            left += ahead
            continue
        own = bits.get(id(getattr(node, "variable", None)), 0)
        reach[node] = reduce(or_, (reach[child] for child in below), own)
        left.pop()
    return reach


def _reused(reach: Masks, masks: list[int], tasks: list[tuple[str, ...]]) -> set[int]:
    """Blocks that serve a task behind parts which that task does not have.

    A block that is used once serves at most the tasks of what feeds it.
    """
    narrow: dict[int, int] = {}  # block -> bits of the blocks that lack one of its tasks
    for i, own in enumerate(tasks):
        lacking = [m for m, others in zip(masks, tasks, strict=True) if set(own) - set(others)]
        narrow[i] = reduce(or_, lacking, 0)
    found: set[int] = set()
    for node, mask in reach.items():
        if not mask & _DATA:
            continue
        for child, _ in node.next_functions:
            weights = reach[child] if child is not None else 0
            if weights and not weights & _DATA:  # where parameters meet the data
                found |= {i for i, m in enumerate(masks) if m & weights and mask & narrow[i]}
    return found


def _bounded(blocks: list[Block]) -> tuple[Block, ...]:
    """As they are, or one block for each set of tasks where there are too many."""
    if len(blocks) <= _MOST:
        return tuple(blocks)
    alike: dict[tuple[tuple[str, ...], bool], list[Block]] = {}
    for block in blocks:
        alike.setdefault((block.tasks, block.reused), []).append(block)
    return tuple(
        Block(
            found[0].name + (f" and {len(found) - 1} more" if len(found) > 1 else ""),
            sum(block.parameters for block in found),
            tasks,
            sum(block.frozen for block in found),
            reused,
        )
        for (tasks, reused), found in alike.items()
    )


def _leaf(value: Tensor) -> Tensor:
    return value.detach().requires_grad_() if value.is_floating_point() else value


def _unowned(value: Tensor) -> Tensor:
    """A copy that a network may change in place."""
    with torch.enable_grad():
        return value.clone()


@contextmanager
def _observed(network: nn.Module, inputs: Mapping[str, Tensor]) -> Iterator[None]:
    """Evaluation mode and gradients for all parameters inside; outside all is as before."""
    modes = [(module, module.training) for module in network.modules()]
    frozen = [p for p in network.parameters() if p.is_floating_point() and not p.requires_grad]
    devices = {value.device for value in inputs.values() if value.device.type == "cuda"}
    with torch.random.fork_rng(devices=list(devices)), torch.enable_grad():
        network.eval()
        try:
            for p in frozen:
                p.requires_grad_(True)
            yield
        finally:
            for p in frozen:
                p.requires_grad_(False)
            for module, mode in modes:
                module.training = mode

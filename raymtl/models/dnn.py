"""A fully connected network shared by all tasks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from torch import Tensor, nn

from raymtl.errors import StudyError
from raymtl.models.heads import hard_sharing
from raymtl.models.model import InputShape, Model
from raymtl.tasks import Task


@dataclass(frozen=True)
class SharedDnn(Model):
    """`depth` × [linear, ReLU, dropout] of `width` units over the flattened clip.

    Georgiev, Bhattacharya, Lane & Mascolo 2017, 10.1145/3131895.
    """

    width: int = 512
    depth: int = 4
    dropout: float = 0.0

    def build(self, shape: InputShape, tasks: Sequence[Task], seed: int) -> nn.Module:
        if shape.frames is None:
            raise StudyError(
                "SharedDnn: clips have different numbers of frames, but its first layer needs one "
                "fixed number. Add FixedLength(...) or Windows(...) to the stages, or use an "
                "extraction that gives one frame a clip."
            )
        inputs = shape.channels * shape.frames * shape.features
        return hard_sharing(
            lambda: Stack(inputs, self.width, self.depth, self.dropout), self.width, tasks, seed
        )


class Stack(nn.Module):
    """(B, channels, frames, features) -> (B, width)."""

    def __init__(self, inputs: int, width: int, depth: int, dropout: float) -> None:
        super().__init__()
        layers: list[nn.Module] = [nn.Flatten()]
        for layer in range(depth):
            layers += [nn.Linear(inputs if layer == 0 else width, width), nn.ReLU()]
            layers += [nn.Dropout(dropout)] if dropout else []
        self.layers = nn.Sequential(*layers)

    def forward(self, inputs: Mapping[str, Tensor]) -> Tensor:
        hidden: Tensor = self.layers(inputs["features"])
        return hidden

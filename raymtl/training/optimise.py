"""Optimisers and learning-rate schedules as values."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import nn

from raymtl.errors import StudyError
from raymtl.spec import Spec


@dataclass(frozen=True)
class Optimiser(Spec, ABC):
    """An update rule. `rate` is the learning rate that a schedule scales."""

    rate: float = 1e-3

    def __post_init__(self) -> None:
        if not self.rate > 0:
            raise StudyError(f"{type(self).__name__}: learning rate {self.rate}, expected > 0.")

    @abstractmethod
    def build(self, parameters: Iterable[nn.Parameter]) -> torch.optim.Optimizer:
        """The torch optimiser over `parameters`, in its fastest form."""


@dataclass(frozen=True)
class Adam(Optimiser):
    """Kingma & Ba 2015, arXiv 1412.6980. `weight_decay` is added to the gradient."""

    weight_decay: float = 0.0
    beta1: float = 0.9
    beta2: float = 0.999
    epsilon: float = 1e-8

    def build(self, parameters: Iterable[nn.Parameter]) -> torch.optim.Optimizer:
        return torch.optim.Adam(
            parameters,
            lr=self.rate,
            betas=(self.beta1, self.beta2),
            eps=self.epsilon,
            weight_decay=self.weight_decay,
            fused=True,
        )


@dataclass(frozen=True)
class AdamW(Optimiser):
    """Loshchilov & Hutter 2019, arXiv 1711.05101: Adam with decoupled weight decay."""

    weight_decay: float = 0.01
    beta1: float = 0.9
    beta2: float = 0.999
    epsilon: float = 1e-8

    def build(self, parameters: Iterable[nn.Parameter]) -> torch.optim.Optimizer:
        return torch.optim.AdamW(
            parameters,
            lr=self.rate,
            betas=(self.beta1, self.beta2),
            eps=self.epsilon,
            weight_decay=self.weight_decay,
            fused=True,
        )


@dataclass(frozen=True)
class Sgd(Optimiser):
    """Stochastic gradient descent, with momentum as torch defines it."""

    weight_decay: float = 0.0
    momentum: float = 0.0
    nesterov: bool = False

    def build(self, parameters: Iterable[nn.Parameter]) -> torch.optim.Optimizer:
        return torch.optim.SGD(
            parameters,
            lr=self.rate,
            momentum=self.momentum,
            nesterov=self.nesterov,
            weight_decay=self.weight_decay,
            foreach=True,  # fused: fails on heads that join later
        )


@dataclass(frozen=True)
class Schedule(Spec, ABC):
    """The learning rate as a pure function of the step, so that resuming needs no state."""

    @abstractmethod
    def factor(self, step: int, steps: int, epoch_steps: int) -> float:
        """What the rate is multiplied by.

        In: step from 0; steps of the whole run; steps of one epoch.
        """


@dataclass(frozen=True)
class Cosine(Schedule):
    """Half a cosine from 1 to `floor`, step by step (arXiv 1608.03983, without restarts)."""

    floor: float = 0.0

    def factor(self, step: int, steps: int, epoch_steps: int) -> float:
        return self.floor + (1 - self.floor) * (1 + math.cos(math.pi * step / max(steps, 1))) / 2


@dataclass(frozen=True)
class Step(Schedule):
    """Multiplied by `gamma` after every `epochs` epochs."""

    epochs: int
    gamma: float = 0.1

    def factor(self, step: int, steps: int, epoch_steps: int) -> float:
        return float(self.gamma ** (step // max(epoch_steps, 1) // self.epochs))


@dataclass(frozen=True)
class WarmUp(Schedule):
    """Linear from near 0 to 1 over the first `epochs`, then `then` over the rest (or constant)."""

    epochs: int = 1
    then: Schedule | None = None

    def factor(self, step: int, steps: int, epoch_steps: int) -> float:
        warm = self.epochs * epoch_steps
        if step < warm:
            return (step + 1) / warm
        return self.then.factor(step - warm, steps - warm, epoch_steps) if self.then else 1.0


@dataclass(frozen=True)
class OneCycle(Schedule):
    """Cosine from 1/`start` up to 1 over the share `rise`, then down to 1/(`start`·`end`).

    The optimiser's rate is the peak. Smith & Topin 2019, arXiv 1708.07120; momentum stays.
    """

    rise: float = 0.3
    start: float = 25.0
    end: float = 1e4

    def factor(self, step: int, steps: int, epoch_steps: int) -> float:
        low, bottom = 1 / self.start, 1 / (self.start * self.end)
        top = self.rise * steps - 1
        if step <= top:
            return _anneal(low, 1.0, step / max(top, 1e-9))
        return _anneal(1.0, bottom, (step - top) / max(steps - 1 - top, 1e-9))


def _anneal(first: float, last: float, share: float) -> float:
    """Half a cosine from `first` to `last`."""
    return last + (first - last) * (1 + math.cos(math.pi * share)) / 2

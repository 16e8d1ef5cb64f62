"""Optimisers and schedules against torch's own."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn
from torch.optim import lr_scheduler

from raymtl.errors import StudyError
from raymtl.training.balance import Sum
from raymtl.training.optimise import (
    Adam,
    AdamW,
    Cosine,
    OneCycle,
    Optimiser,
    Schedule,
    Sgd,
    Step,
    WarmUp,
)

STEPS, PER_EPOCH = 60, 6


@pytest.mark.parametrize(
    ("own", "reference"),
    [
        (Adam(1e-2, weight_decay=0.1), lambda p: torch.optim.Adam(p, 1e-2, weight_decay=0.1)),
        (AdamW(1e-2), lambda p: torch.optim.AdamW(p, 1e-2, weight_decay=0.01)),
        (
            Sgd(0.1, momentum=0.9, nesterov=True),
            lambda p: torch.optim.SGD(p, 0.1, momentum=0.9, nesterov=True),
        ),
        (Sgd(0.1), lambda p: torch.optim.SGD(p, 0.1)),
    ],
)
def test_optimisers_step_like_the_unfused_ones_of_torch(own: Optimiser, reference) -> None:
    torch.manual_seed(0)
    one = nn.Sequential(nn.Linear(5, 7), nn.Tanh(), nn.Linear(7, 2))
    other = copy.deepcopy(one)
    optimisers = own.build(one.parameters()), reference(other.parameters())
    for _ in range(10):
        batch = torch.randn(8, 5)
        for network, optimiser in zip((one, other), optimisers, strict=True):
            optimiser.zero_grad()
            network(batch).square().mean().backward()
            optimiser.step()
    for mine, theirs in zip(one.parameters(), other.parameters(), strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-4, atol=1e-6)


def reference(make) -> list[float]:
    optimiser = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=1.0)
    schedule = make(optimiser)
    rates = []
    for _ in range(STEPS):
        rates.append(optimiser.param_groups[0]["lr"])
        optimiser.step()
        schedule.step()
    return rates


@pytest.mark.parametrize(
    ("own", "make"),
    [
        (Cosine(), lambda o: lr_scheduler.CosineAnnealingLR(o, STEPS)),
        (Cosine(0.1), lambda o: lr_scheduler.CosineAnnealingLR(o, STEPS, eta_min=0.1)),
        (Step(3, 0.5), lambda o: lr_scheduler.StepLR(o, 3 * PER_EPOCH, 0.5)),
        (WarmUp(2), lambda o: lr_scheduler.LinearLR(o, 1 / 12, 1.0, 11)),
        (OneCycle(), lambda o: lr_scheduler.OneCycleLR(o, 1.0, STEPS, cycle_momentum=False)),
        (
            OneCycle(0.5, 10.0, 100.0),
            lambda o: lr_scheduler.OneCycleLR(
                o,
                1.0,
                STEPS,
                pct_start=0.5,
                div_factor=10.0,
                final_div_factor=100.0,
                cycle_momentum=False,
            ),
        ),
    ],
)
def test_schedules_are_those_of_torch(own: Schedule, make) -> None:
    factors = [own.factor(step, STEPS, PER_EPOCH) for step in range(STEPS)]
    assert factors == pytest.approx(reference(make), abs=1e-9)


def test_warm_up_hands_over_to_the_next_schedule() -> None:
    own = WarmUp(2, Cosine())
    factors = [own.factor(step, STEPS, PER_EPOCH) for step in range(STEPS)]
    assert factors[:12] == pytest.approx([(i + 1) / 12 for i in range(12)])
    assert factors[12:] == [Cosine().factor(i, STEPS - 12, PER_EPOCH) for i in range(STEPS - 12)]


@pytest.mark.parametrize("steps", [1, 2, 3])
@pytest.mark.parametrize("own", [Cosine(), Step(1), WarmUp(3, Cosine()), OneCycle()])
def test_schedules_are_sane_for_the_shortest_runs(own: Schedule, steps: int) -> None:
    assert all(0 <= own.factor(step, steps, 1) <= 1 for step in range(steps))


def test_a_rate_that_is_not_positive_is_refused() -> None:
    with pytest.raises(StudyError, match="learning rate 0, expected > 0"):
        Adam(0)


def test_the_sum_of_losses_counts_weights() -> None:
    losses = {"a": torch.tensor(2.0), "b": torch.tensor(3.0, requires_grad=True)}
    total = Sum().combine(losses, {"b": 0.5, "elsewhere": 9.0})
    assert total.item() == 3.5
    total.backward()
    assert losses["b"].grad == 0.5

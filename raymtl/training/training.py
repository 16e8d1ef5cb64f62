"""How a network is trained, as one value."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from raymtl.errors import StudyError
from raymtl.loading.batches import Alternating, Batches
from raymtl.spec import Spec
from raymtl.training.balance import Balance, Sum
from raymtl.training.optimise import Adam, Optimiser, Schedule


@dataclass(frozen=True)
class Training(Spec):
    """Everything about training that can change a number.

    epochs: at most this many; what an epoch is says `batches`.
    schedule: scales the optimiser's rate step by step; None keeps it.
    clip: largest 2-norm of all gradients together; None does not clip.
    patience: stop after this many epochs without a better one on validation; None never stops.
    weights: (task, weight) pairs for the sum of losses; other tasks count once.
    select: which epoch is the best one, on validation only. ``metric``: highest mean over
        (source, task) of the task's primary metric, ties go to the lower mean loss; ``loss``:
        lowest mean loss; ``last``: the last epoch, for studies without validation.
    precision: ``bfloat16`` runs forward passes under autocast: faster, other numbers.
    """

    epochs: int = 50
    batches: Batches = field(default=Alternating(32))
    optimiser: Optimiser = field(default=Adam(1e-3))
    schedule: Schedule | None = None
    clip: float | None = None
    patience: int | None = None
    weights: tuple[tuple[str, float], ...] = ()
    balance: Balance = field(default=Sum())
    select: Literal["metric", "loss", "last"] = "metric"
    precision: Literal["float32", "bfloat16"] = "float32"

    def __post_init__(self) -> None:
        if self.epochs < 1:
            raise StudyError(f"Training: {self.epochs} epochs, expected at least 1.")
        if self.select not in ("metric", "loss", "last"):
            raise StudyError(f"Training: select={self.select!r}, expected metric, loss or last.")
        if self.precision not in ("float32", "bfloat16"):
            raise StudyError(
                f"Training: precision={self.precision!r}, expected float32 or bfloat16."
            )
        if self.patience is not None and (self.select == "last" or self.patience < 1):
            raise StudyError(
                f"Training: patience={self.patience} with select={self.select!r}. "
                "Stopping early needs a patience of 1 or more and select='metric' "
                "or 'loss'."
            )
        if self.clip is not None and not self.clip > 0:
            raise StudyError(f"Training: clip={self.clip}, expected a number above 0 or None.")

    @property
    def validates(self) -> bool:
        """Whether a validation part is needed."""
        return self.patience is not None or self.select != "last"

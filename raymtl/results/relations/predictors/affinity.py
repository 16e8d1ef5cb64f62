"""What gradients of two tasks say of each other, and how far it may be trusted."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

USABLE, NOISE = 0.4, 0.3  # overlap above and below, Zhang & Cheng, arXiv 2604.07848


@dataclass(frozen=True)
class Affinity:
    """One ordered pair.

    cosine: of the two gradients of the shared weights; None where one is zero.
    lookahead: 1 - loss of `main` after a step on `partner` over its loss before; above 0 helps.
    overlap: shared recordings over all recordings of both.
    epochs: in whose weights both were taken, and averaged where there are several.
    """

    main: str
    partner: str
    cosine: float | None
    lookahead: float | None
    overlap: float
    epochs: str = "best"

    @property
    def note(self) -> str:
        """How far it may be trusted."""
        if self.overlap == 0:
            return "not interpretable"
        return "noisy" if self.overlap < NOISE else "" if self.overlap > USABLE else "doubtful"


def overlap(one: Collection[str], other: Collection[str]) -> float:
    """Share of recordings that both have, of those that either has; 0 for none at all."""
    both, either = set(one) & set(other), set(one) | set(other)
    return len(both) / len(either) if either else 0.0

"""raymtl: multi-task, multi-dataset learning experiments, and the networks that come of them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from raymtl.deploy import Predictor
    from raymtl.kept import Epoch

__all__ = ["load"]


def load(
    path: Path | str, code: Sequence[str | Path] = (), epoch: Epoch | None = None
) -> Predictor:
    """The network of a run's folder, or of an exported artefact, ready to predict.

    epoch: whose weights to take: its number, ``best`` (the default) or ``last``.

    See `raymtl.deploy.load`; torch is imported with it, not with raymtl.
    """
    from raymtl.deploy import load as opened

    return opened(path, code, epoch)

"""What a run is given and what it gives back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor

from raymtl.loading.inputs import PartData
from raymtl.tasks import Floats, Scores, Targets, Task


@dataclass(frozen=True, eq=False)
class RunData:
    """The three parts of every source of a run, by source name.

    A source without validation clips is left out of `validation` or has an empty part there.
    """

    train: dict[str, PartData]
    validation: dict[str, PartData]
    test: dict[str, PartData]


@dataclass(frozen=True)
class HistoryRow:
    """One number of one epoch (from 1).

    part ``train``: metric ``loss`` per task (source empty: all that share the head) and ``rate``
    (source and task empty). part ``validation``: ``loss`` and the task's primary metric.
    """

    epoch: int
    source: str
    task: str
    part: str
    metric: str
    value: float


@dataclass(frozen=True)
class Point:
    """Validation of one (source, task): mean loss in nats and the primary metric.

    Either is None where it is undefined: no valid target, or no clip of a class.
    """

    loss: float | None
    metric: float | None


Points = dict[tuple[str, str], Point]  # by (source, task)


def history_rows(
    epoch: int, rate: float, losses: Mapping[str, float], points: Points, tasks: Mapping[str, Task]
) -> list[HistoryRow]:
    """All rows of one epoch; what is undefined is left out."""
    rows = [HistoryRow(epoch, "", "", "train", "rate", rate)]
    rows += [HistoryRow(epoch, "", task, "train", "loss", loss) for task, loss in losses.items()]
    for (source, task), at in points.items():
        found = {"loss": at.loss, tasks[task].primary: at.metric}
        rows += [
            HistoryRow(epoch, source, task, "validation", metric, value)
            for metric, value in found.items()
            if value is not None
        ]
    return rows


@dataclass(frozen=True)
class EpochReport:
    """What a run says after every epoch.

    losses: task -> mean training loss of the epoch, nats; tasks without a valid target left out.
    validation: (source, task) -> `Point`.
    rate: learning rate of the epoch's last step.
    passes: source -> times its clips were seen in this epoch.
    seconds: wall time of this epoch, validation included.
    """

    epoch: int
    epochs: int
    losses: dict[str, float]
    validation: dict[tuple[str, str], Point]
    rate: float
    passes: dict[str, float]
    seconds: float
    best_epoch: int


@dataclass(frozen=True, eq=False)
class Predictions:
    """Test predictions of one (source, task): ids, probabilities (N, outputs) and targets."""

    ids: list[str]
    scores: Floats
    targets: Targets


@dataclass(frozen=True, eq=False)
class Outcome:
    """A finished run.

    history: one row a number, epochs in order.
    best_epoch: from 1; its weights gave `scores` and `predictions`.
    scores: (source, task, ``validation`` | ``test``) -> `Scores`, with the mean loss as ``loss``.
    predictions: (source, task) -> test predictions.
    passes: source -> times its clips were seen, over all epochs run.
    seconds: wall time of training and scoring, over all interruptions.
    weights: the best epoch's weights and buffers, on the CPU.
    cost: of one clip through the network; see `training.cost.cost`.
    sharing: which tasks share which parts of it; see `models.sharing.Sharing.facts`.
    """

    history: list[HistoryRow]
    best_epoch: int
    epochs_run: int
    scores: dict[tuple[str, str, str], Scores]
    predictions: dict[tuple[str, str], Predictions]
    passes: dict[str, float]
    steps: int
    seconds: float
    parameters: int
    weights: dict[str, Tensor]
    cost: dict[str, float] = field(default_factory=dict)
    sharing: dict[str, Any] = field(default_factory=dict)

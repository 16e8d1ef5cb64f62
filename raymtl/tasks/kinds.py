"""The kinds of task: one of many labels, any of many, yes or no."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, Self

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import torch.nn.functional as F
from torch import Tensor

from raymtl.errors import TaskError
from raymtl.tasks import metrics
from raymtl.tasks.labels import Aliases, check_labels, check_name, codes_of, typed
from raymtl.tasks.task import Column, Floats, Scores, Targets, Task


@dataclass(frozen=True)
class OneOf(Task):
    """One of several labels.

    aliases: other names a corpus uses for the labels, as (found, label) pairs; a label of None
        means missing. They do not change the head.
    """

    labels: tuple[str, ...]
    aliases: Aliases = ()

    primary: ClassVar[str] = "uar"

    def __post_init__(self) -> None:
        check_labels(self.name, self.labels, self.aliases, least=2)

    @property
    def labels_(self) -> tuple[str, ...]:
        return self.labels

    @property
    def column(self) -> pa.DataType:
        return pa.string()

    @property
    def head(self) -> Self:
        return replace(self, aliases=())

    def encode(self, column: Column) -> Targets:
        codes = codes_of(
            self.name, typed(self.name, self.column, column), self.labels, self.aliases
        )
        valid = codes >= 0
        return Targets(np.where(valid, codes, 0), valid)

    def loss_sum(self, output: Tensor, values: Tensor, valid: Tensor) -> tuple[Tensor, Tensor]:
        known = values.masked_fill(~valid, -1)
        return F.cross_entropy(output, known, ignore_index=-1, reduction="sum"), valid.sum()

    def scores(self, output: Tensor) -> Tensor:
        return output.softmax(dim=-1)

    def decide(self, scores: Floats) -> npt.NDArray[np.int64]:
        decided: npt.NDArray[np.int64] = scores.argmax(axis=-1)
        return decided

    def measure(self, scores: Floats, targets: Targets) -> Scores:
        return _of_confusion(self._confusion(scores, targets), self.labels)

    def quick(self, scores: Floats, targets: Targets) -> float | None:
        return metrics.uar(metrics.hits_of_confusion(self._confusion(scores, targets)))

    def _confusion(self, scores: Floats, targets: Targets) -> npt.NDArray[np.int64]:
        valid = targets.valid
        return metrics.confusion(
            targets.values[valid], self.decide(scores)[valid], len(self.labels)
        )


@dataclass(frozen=True)
class AnyOf(Task):
    """Any number of several labels, none included.

    aliases: as in `OneOf`; a label of None leaves the found name out.
    """

    labels: tuple[str, ...]
    aliases: Aliases = ()

    primary: ClassVar[str] = "map"

    def __post_init__(self) -> None:
        check_labels(self.name, self.labels, self.aliases, least=1)

    @property
    def labels_(self) -> tuple[str, ...]:
        return self.labels

    @property
    def column(self) -> pa.DataType:
        return pa.list_(pa.string())

    @property
    def head(self) -> Self:
        return replace(self, aliases=())

    def encode(self, column: Column) -> Targets:
        column = typed(self.name, self.column, column)
        rows = pc.list_parent_indices(column).to_numpy(zero_copy_only=False)
        found = pc.list_flatten(column)
        codes = codes_of(self.name, found, self.labels, self.aliases, rows)
        if found.null_count:
            row = rows[found.is_null().to_numpy(zero_copy_only=False)][0]
            raise TaskError(
                f"task {self.name!r}, row {row}: null among the labels of a clip. "
                "Leave it out, or make the clip's whole target null."
            )
        values = np.zeros((len(column), self.outputs), np.float32)
        values[rows[codes >= 0], codes[codes >= 0]] = 1
        known = column.is_valid().to_numpy(zero_copy_only=False)
        return Targets(values, np.repeat(known[:, None], self.outputs, axis=1))

    def loss_sum(self, output: Tensor, values: Tensor, valid: Tensor) -> tuple[Tensor, Tensor]:
        return _flag_loss(output, values, valid)

    def scores(self, output: Tensor) -> Tensor:
        return output.sigmoid()

    def decide(self, scores: Floats) -> Floats:
        return (scores >= 0.5).astype(np.float32)

    def measure(self, scores: Floats, targets: Targets) -> Scores:
        truth, valid, decided = targets.values > 0.5, targets.valid, scores >= 0.5
        hits = metrics.hits_of_flags(truth, decided, valid)
        whole = valid.all(axis=1)  # only clips whose labels are all known can be wholly right
        right = (truth == decided).all(axis=1)[whole]
        scalars = _known(
            map=metrics.mean_average_precision(scores, truth, valid),
            lwlrap=metrics.lwlrap(scores, truth, valid),
            accuracy=float(right.mean()) if len(right) else None,
        )
        return Scores(scalars | metrics.averages(hits), metrics.per_label(hits, self.labels))

    def quick(self, scores: Floats, targets: Targets) -> float | None:
        return metrics.mean_average_precision(scores, targets.values > 0.5, targets.valid)


@dataclass(frozen=True)
class YesNo(Task):
    """Whether something holds: one output, the log-odds of yes."""

    primary: ClassVar[str] = "uar"

    def __post_init__(self) -> None:
        check_name(self.name)

    @property
    def labels_(self) -> tuple[str, ...]:
        return ("no", "yes")

    @property
    def outputs(self) -> int:
        return 1

    @property
    def column(self) -> pa.DataType:
        return pa.bool_()

    def encode(self, column: Column) -> Targets:
        column = typed(self.name, self.column, column)
        valid = column.is_valid().to_numpy(zero_copy_only=False)[:, None]
        yes = column.fill_null(False).to_numpy(zero_copy_only=False)[:, None]
        return Targets(yes.astype(np.float32), valid)

    def loss_sum(self, output: Tensor, values: Tensor, valid: Tensor) -> tuple[Tensor, Tensor]:
        return _flag_loss(output, values, valid)

    def scores(self, output: Tensor) -> Tensor:
        return output.sigmoid()

    def decide(self, scores: Floats) -> Floats:
        return (scores >= 0.5).astype(np.float32)

    def measure(self, scores: Floats, targets: Targets) -> Scores:
        measured = _of_confusion(self._confusion(scores, targets), self.labels_)
        valid = targets.valid[:, 0]
        rate = metrics.equal_error_rate(scores[valid, 0], targets.values[valid, 0] > 0.5)
        return replace(measured, scalars=measured.scalars | _known(eer=rate))

    def quick(self, scores: Floats, targets: Targets) -> float | None:
        return metrics.uar(metrics.hits_of_confusion(self._confusion(scores, targets)))

    def _confusion(self, scores: Floats, targets: Targets) -> npt.NDArray[np.int64]:
        valid = targets.valid[:, 0]
        truth = (targets.values[valid, 0] > 0.5).astype(np.int64)
        return metrics.confusion(truth, (scores[valid, 0] >= 0.5).astype(np.int64), 2)


def _flag_loss(output: Tensor, values: Tensor, valid: Tensor) -> tuple[Tensor, Tensor]:
    """Binary cross-entropy over valid entries; all (B, outputs)."""
    weight = valid.to(output.dtype)
    loss = F.binary_cross_entropy_with_logits(output, values, weight, reduction="sum")
    return loss, valid.sum()


def _of_confusion(matrix: npt.NDArray[np.int64], labels: Sequence[str]) -> Scores:
    hits, count = metrics.hits_of_confusion(matrix), int(matrix.sum())
    scalars = _known(
        accuracy=float(hits.right.sum() / count) if count else None, uar=metrics.uar(hits)
    )
    return Scores(scalars | metrics.averages(hits), metrics.per_label(hits, labels), matrix)


def _known(**values: float | None) -> dict[str, float]:
    return {name: value for name, value in values.items() if value is not None}

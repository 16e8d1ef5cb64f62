"""What a network scores on other clips: intervals, and one tidy table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import pyarrow as pa
import pyarrow.compute as pc

from raymtl.errors import StudyError
from raymtl.results.predictions import predictions_table
from raymtl.results.transfer.drawn import Draws
from raymtl.results.transfer.fixed import resampled
from raymtl.results.transfer.inference import Doubles, cluster_bootstrap
from raymtl.tasks import Floats, Scores, Targets, Task

SCHEMA = pa.schema(
    [
        *((name, pa.string()) for name in ("run", "source")),
        ("epoch", pa.int64()),
        *((name, pa.string()) for name in ("task", "metric", "label")),
        *((name, pa.float64()) for name in ("value", "low", "high")),
        *((name, pa.int64()) for name in ("clips", "groups")),
    ]
)


class Scored(Protocol):
    """What was said of N clips on one task."""

    @property
    def task(self) -> Task: ...
    @property
    def ids(self) -> list[str]: ...
    @property
    def scores(self) -> Floats: ...
    @property
    def targets(self) -> Targets: ...
    @property
    def measured(self) -> Scores: ...


@dataclass(frozen=True)
class Spread:
    """95 % interval of the primary metric; None where it cannot be told, and `why`.

    clips: with a known truth. groups: that they form, which are drawn as a whole.
    """

    clips: int
    groups: int
    low: float | None = None
    high: float | None = None
    why: str = ""


def spread(found: Scored, clusters: Mapping[str, str]) -> Spread:
    """Bootstrap over groups of clips, as gains on one fixed test set are judged.

    clusters: clip -> what it is drawn together with; other clips are drawn alone.
    """
    name = found.task.name
    table = predictions_table({("", name): found}, {name: found.task})
    table = table.filter(pc.is_valid(table["truth"]))
    groups = [
        clusters.get(clip, clusters.get(clip.rpartition("@")[0], clip))  # a segment as its clip
        for clip in table["id"].to_pylist()
    ]
    clips, count = len(table), len(set(groups))
    score = resampled(found.task.primary, table, found.task.labels_) if clips else None
    if score is None:
        return Spread(clips, count, why=f"{found.task.primary} is not resampled")

    def one_seed(draws: Draws) -> Doubles:
        return score(draws)[None]

    try:
        interval = cluster_bootstrap(one_seed, groups)
    except StudyError as error:
        return Spread(clips, count, why=str(error))
    return Spread(clips, count, interval.low, interval.high)


def scores_table(
    run: str,
    source: str,
    epochs: Mapping[int, Mapping[str, Scored]],
    spreads: Mapping[tuple[int, str], Spread],
) -> pa.Table:
    """One row a number; columns as in `SCHEMA`. low, high: of the primary metric alone."""
    rows: list[dict[str, object]] = [
        {"run": run, "source": source, "epoch": epoch, "task": head,
         "clips": spreads[epoch, head].clips, "groups": spreads[epoch, head].groups, **row}
        for epoch, heads in epochs.items()
        for head, found in heads.items()
        for row in _rows(found, spreads[epoch, head])
    ]  # fmt: skip
    return pa.Table.from_pylist(rows, SCHEMA)


def _rows(found: Scored, interval: Spread) -> list[dict[str, object]]:
    rows: list[dict[str, object]] = [
        {"metric": metric, "value": value}
        | ({"low": interval.low, "high": interval.high} if metric == found.task.primary else {})
        for metric, value in found.measured.scalars.items()
    ]
    rows += [
        {"metric": metric, "label": label, "value": value}
        for label, values in found.measured.per_label.items()
        for metric, value in values.items()
    ]
    return rows


def said_table(source: str, epochs: Mapping[int, Mapping[str, Scored]]) -> pa.Table:
    """Predictions of every clip, with the epoch before the columns of `predictions.SCHEMA`."""
    parts: Sequence[pa.Table] = [
        (table := predictions_table({(source, head): f}, {head: f.task})).add_column(
            0, "epoch", pa.repeat(pa.scalar(epoch, pa.int64()), len(table))
        )
        for epoch, heads in epochs.items()
        for head, f in heads.items()
    ]
    return pa.concat_tables(parts)

"""Which clips of another table a run has learnt from, or shares groups with."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from raymtl.deploy import Predictor
from raymtl.deploy.checks import PREDICTIONS
from raymtl.errors import StoreError
from raymtl.extraction.segments import whole_clip
from raymtl.extraction.store import FeatureStore
from raymtl.reading.clips import ClipTable
from raymtl.wording import counted

_CLIPS = "clips.parquet"  # of a sweep: source, id


@dataclass(frozen=True, eq=False)
class Seen:
    """used: clips of the table that the run used otherwise than to be tested on; None: unknown.

    near: other clips that share a group with one of those. kinds: of the groups shared.
    """

    table: ClipTable
    used: frozenset[str] | None = frozenset()
    near: frozenset[str] = frozenset()
    kinds: tuple[str, ...] = ()

    def dropped(self) -> ClipTable:
        """The table without them."""
        used = self.used or frozenset()
        return self.table.select([clip for clip in self.table.ids if clip not in used])

    def notes(self, drop: bool) -> Iterator[str]:
        """What a person should know before the scores."""
        if self.used is None:
            yield (
                "Some of these clips may be those that the network learnt from: its run's clips "
                "are no longer known."
            )
        elif self.used:
            done = "are left out: they" if drop else "are scored though they"
            count = f"{len(self.used):,} of {counted(len(self.table), 'clip')}"
            yield f"{count} {done} are not among the run's test clips."
        if self.near:
            kinds = " or ".join(self.kinds)
            yield (
                f"{len(self.near)} of the others share a {kinds} with clips that the network "
                "learnt from: expect less of unknown ones."
            )

    def facts(self) -> dict[str, Any]:
        """As JSON data."""
        used = None if self.used is None else len(self.used)
        return {"used": used, "sharing groups": len(self.near), "kinds": list(self.kinds)}


def seen_of(predictor: Predictor, run: Path, table: ClipTable) -> Seen:
    """What the run has to do with the clips of a table, by their ids and groups.

    Clips of another corpus have other ids, and groups of another name.
    """
    corpora = {front.corpus.get("corpus") for front in predictor.recipe.fronts.values()}
    if not corpora & {name.split("/")[0] for name in table.ids}:
        return Seen(table)
    used = _used(predictor, run)
    if used is None:
        return Seen(table, None)
    own = frozenset(used & set(table.ids))
    groups = dict(zip(table.ids, table.groups(), strict=True))
    learnt = {group for clip in own for group in groups[clip]}
    near = {clip: learnt & set(of) for clip, of in groups.items() if clip not in own}
    shared = {group.split(":")[0] for found in near.values() for group in found}
    return Seen(table, own, frozenset(c for c, f in near.items() if f), tuple(sorted(shared)))


def _used(predictor: Predictor, run: Path) -> set[str] | None:
    """Whole clips of the run's sources that are not its test clips; None where it is not known."""
    if not (run / PREDICTIONS).is_file():
        return None
    said = pq.read_table(run / PREDICTIONS, columns=["id", "source"]).to_pylist()
    used: set[str] = set()
    for source, facts in predictor.record["sources"].items():
        ids = _ids(run, source, facts["features"])
        if ids is None:
            return None
        ids -= {row["id"] for row in said if row["source"] == source}
        cut = getattr(predictor.recipe.fronts[source].signal, "segments", None) is not None
        used |= {whole_clip(name) for name in ids} if cut else ids
    return used


def _ids(run: Path, source: str, features: str) -> set[str] | None:
    """Clips of a source: of its feature set, else as the sweep's plan had them."""
    sweep = run.resolve().parents[1]
    store = FeatureStore(sweep.parents[1] / "features")
    try:
        if store.complete(features):
            return set(store.open(features).ids)
        table = pq.read_table(sweep / _CLIPS, filters=[("source", "=", source)])
    except (OSError, pa.ArrowException, StoreError):
        return None
    return set(table["id"].to_pylist())

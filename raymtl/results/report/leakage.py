"""What training and test share, counted for every combination and fold, from the records."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pyarrow as pa

from raymtl.results.report.panels import Row
from raymtl.results.report.shown import shown
from raymtl.results.state import SweepState
from raymtl.results.table import TOGETHER

_SCHEMA = pa.schema(
    [
        ("combination", pa.string()),
        ("fold", pa.int64()),
        ("train", pa.int64()),
        ("validation", pa.int64()),
        ("test", pa.int64()),
        ("groups", pa.int64()),
        ("recordings", pa.int64()),
        ("allowed", pa.int64()),
        ("concerned", pa.int64()),
        ("left_out", pa.bool_()),
        ("runs", pa.int64()),
    ]
)
_HEADS = {
    "combination": "Combination", "fold": "Fold", "train": "Training clips",
    "validation": "Validation", "test": "Test", "groups": "Shared groups",
    "recordings": "Shared recordings", "allowed": "Groups allowed to be shared",
    "concerned": "Training clips concerned", "left_out": "Left out", "runs": "Runs",
}  # fmt: skip


def leakage(state: SweepState) -> Row | None:
    """The table of counts, zeros included, and how many records do not hold any."""
    rows: dict[tuple[str, int], Row] = {}
    silent = 0
    for record in state.records.values():
        facts = record.content.get("leaks")
        if not isinstance(facts, Mapping):
            silent += 1
            continue
        names = record.content.get("cell", {}).get("combination", [])
        key = TOGETHER.join(map(str, names)), int(record.content.get("fold", 0))
        if key in rows:
            rows[key]["runs"] += 1
        else:
            rows[key] = _row(key, facts, record.content.get("sources", {}))
    if not rows:
        return None
    found = [rows[key] for key in sorted(rows, key=lambda k: (k[0].count(TOGETHER), k))]
    table = pa.Table.from_pylist(found, schema=_SCHEMA)
    return {
        "silent": silent,
        "table": shown("leakage", "Counts of every combination and fold", table, _HEADS),
    }


def _row(key: tuple[str, int], facts: Mapping[str, Any], sources: Mapping[str, Any]) -> Row:
    def clips(part: str) -> int:
        return sum(int(source.get(part) or 0) for source in sources.values())

    return {
        "combination": key[0],
        "fold": key[1],
        **{part: clips(part) for part in ("train", "validation", "test")},
        "groups": _total(facts.get("groups")),
        "recordings": int(facts.get("audio") or 0),
        "allowed": _total(facts.get("allowed")),
        "concerned": _total(facts.get("clips")),
        "left_out": bool(facts.get("dropped")),
        "runs": 1,
    }


def _total(counts: Any) -> int:
    return sum(int(v) for v in counts.values()) if isinstance(counts, Mapping) else 0

"""The proof that training and test share nothing, or of what they share, as the report shows it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa

from raymtl.results.report.shown import shown
from raymtl.results.state import SweepState
from raymtl.results.table import TOGETHER

_MOST = 200  # combinations and folds that are listed


def proof(state: SweepState) -> dict[str, Any]:
    """Counts of plan.json: those that leak, and how many do not.

    looked: combinations and folds counted; 0 for a sweep planned before they were.
    rows: those with shared groups or recordings, those with most clips concerned first.
    allowed: kinds of groups that may be on both sides, with the most of them in any.
    """
    kept = state.plan.get("leaks")
    kept = kept if isinstance(kept, Mapping) else {}
    listed = kept.get("combinations")
    found = [c for c in listed if isinstance(c, Mapping)] if isinstance(listed, list) else []
    rows = [_row(c) for c in found if c.get("audio") or c.get("groups")]
    rows.sort(key=lambda row: -row["clips"])
    allowed: dict[str, int] = {}
    for combination in found:
        for kind, count in _counts(combination, "allowed").items():
            allowed[kind] = max(allowed.get(kind, 0), count)
    return {
        "policy": str(kept.get("policy", "report")),
        "looked": len(found),
        "clean": len(found) - len(rows),
        "rows": rows[:_MOST],
        "table": shown("proof", "Training against test", _table(rows), _HEADS, None, _MOST),
        "allowed": sorted(allowed.items()),
    }


_HEADS = {"sources": "Combination", "fold": "Fold", "groups": "Groups shared",
          "audio": "Recordings shared", "clips": "Training clips", "dropped": "Left out",
          "pairs": "First pairs"}  # fmt: skip
_SCHEMA = pa.schema(
    [
        ("sources", pa.string()),
        ("fold", pa.int64()),
        ("groups", pa.string()),
        ("audio", pa.int64()),
        ("clips", pa.int64()),
        ("dropped", pa.bool_()),
        ("pairs", pa.list_(pa.string())),
    ]
)


def _table(rows: Sequence[Mapping[str, Any]]) -> pa.Table:
    whole = [
        {**row, **{n: v if isinstance(v := row[n], int) else None for n in ("fold", "audio")}}
        for row in rows
    ]
    return pa.Table.from_pylist(whole, schema=_SCHEMA)


def _row(combination: Mapping[str, Any]) -> dict[str, Any]:
    groups = [f"{count} {kind}" for kind, count in _counts(combination, "groups").items()]
    pairs = combination.get("pairs")
    return {
        "sources": TOGETHER.join(map(str, combination.get("sources", []))),
        "fold": combination.get("fold", ""),
        "groups": ", ".join(groups) or "0",
        "audio": combination.get("audio", 0),
        "clips": sum(_counts(combination, "clips").values()),
        "dropped": bool(combination.get("dropped")),
        "pairs": [
            f"{p.get('tie')}: {p.get('trained')} (trained in {p.get('trained_in')}) and "
            f"{p.get('tested')} (tested in {p.get('tested_in')})"
            for p in (pairs if isinstance(pairs, list) else [])
            if isinstance(p, Mapping)
        ],
    }


def _counts(combination: Mapping[str, Any], name: str) -> dict[str, int]:
    found = combination.get(name)
    return {str(k): int(v) for k, v in found.items()} if isinstance(found, Mapping) else {}

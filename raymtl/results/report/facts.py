"""Plain facts of a sweep for its page: what is done, failed, left out, shared and seen."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from itertools import islice
from typing import Any
from urllib.parse import quote

import pyarrow as pa

from raymtl.results.report.panels import Row
from raymtl.results.report.sections import MOST_LISTED, bounded
from raymtl.results.report.shown import shown
from raymtl.results.state import SweepState
from raymtl.results.table import TOGETHER


def status(state: SweepState) -> Row:
    ended = Counter(entry.status for entry in state.failures)
    planned = len(state.planned)
    counts = {
        "done": len(state.records),
        "failed": ended["failed"],
        "diverged": ended["diverged"],
        "missing": len(state.missing),
    }
    cells = Counter(state.planned.values())
    whole = sum(len(state.records_of(cell)) == count for cell, count in cells.items() if cell)
    return {
        "planned": planned,
        "counts": counts,
        "cells": len([c for c in cells if c]),
        "whole": whole,
        "shares": {
            name: 100 * count / planned if planned else 0.0 for name, count in counts.items()
        },
    }


def failures(state: SweepState) -> Row | None:
    """Runs that ended without a record; ``traces`` for the rows that are drawn."""
    entries = state.failures
    if not entries:
        return None
    rows = [
        {"run": e.run, "ended": e.status, "reason": e.reason, "trace": e.trace} for e in entries
    ]
    heads = {"run": "Run", "ended": "Ended", "reason": "Reason"}
    table = shown("failures", "Failures", _words(rows), heads, rows, MOST_LISTED)
    return table | {"traces": [entry.trace[-4_000:] for entry in entries]}


def missing(state: SweepState) -> Row | None:
    """Planned runs that have neither a record nor a failure."""
    rows = [{"run": run, "cell": state.planned[run]} for run in state.missing]
    heads = {"run": "Run", "cell": "Cell"}
    caption = "Planned runs that have not run"
    return shown("missing-runs", caption, _words(rows), heads, None, MOST_LISTED) if rows else None


def skipped(state: SweepState) -> Row | None:
    """Clips left out; ``reasons``: how many for each."""
    names = ("source", "id", "path", "reason")
    clips = [clip for clip in listed(state.plan.get("skipped")) if isinstance(clip, dict)]
    if not clips:
        return None
    rows = [{name: str(clip.get(name) or "") for name in names} for clip in clips]
    heads = {"source": "Source", "clip": "Clip", "reason": "Reason"}
    drawn = [row | {"clip": row["id"] or row["path"]} for row in rows]
    reasons = Counter(row["reason"] for row in rows)
    table = shown("skipped-clips", "Skipped clips", _words(rows), heads, drawn, MOST_LISTED)
    return table | {"reasons": bounded(reasons.most_common())}


def conflicts(state: SweepState) -> Row | None:
    """Groups on both sides of a split that official splits force, by the sources concerned."""
    found: dict[tuple[str, str], list[tuple[str, str, int]]] = defaultdict(list)
    for record in state.records.values():
        for conflict in listed(record.content.get("conflicts")):
            key = (str(conflict["trained"]), str(conflict["tested"]))
            found[key].append((record.run, str(conflict["group"]), int(conflict["clips"])))
    rows = [_conflict(key, hits) for key, hits in sorted(found.items())]
    heads = {"trained": "Trained in", "tested": "Tested in", "runs": "Runs", "groups": "Groups",
             "clips": "Clips, at most in a run"}  # fmt: skip
    caption = "Groups on both sides of a split"
    return shown("conflicts", caption, pa.Table.from_pylist(rows), heads) if rows else None


def _conflict(key: tuple[str, str], hits: Sequence[tuple[str, str, int]]) -> Row:
    clips: Counter[str] = Counter()
    for run, _, count in hits:
        clips[run] += count
    return {
        "trained": key[0],
        "tested": key[1],
        "runs": len(clips),
        "groups": len({group for _, group, _ in hits}),
        "clips": max(clips.values()),
    }


def passes(state: SweepState) -> Row | None:
    """How often the clips of each source were seen, by combination: mean over runs."""
    found: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for record in state.records.values():
        content = record.content
        combination = TOGETHER.join(content.get("cell", {}).get("combination", []))
        for source, facts in content.get("sources", {}).items():
            if facts.get("passes") is not None:
                found[combination][source].append(float(facts["passes"]))
    rows = [
        {"combination": combination, "source": source, "passes": sum(v) / len(v), "runs": len(v)}
        for combination, sources in sorted(found.items(), key=lambda i: (i[0].count(" "), i))
        for source, v in sorted(sources.items())
    ]
    heads = {"combination": "Combination", "source": "Source", "passes": "Passes, mean over runs",
             "runs": "Runs"}  # fmt: skip
    caption = "How often a run saw the training clips of each source"
    return (
        shown("passes", caption, pa.Table.from_pylist(rows), heads, None, MOST_LISTED)
        if rows
        else None
    )


def versions(state: SweepState) -> str:
    """Versions the records were made with, those that matter most."""
    found: dict[str, set[str]] = defaultdict(set)
    for record in state.records.values():
        for package, version in record.content.get("versions", {}).items():
            found[package].add(str(version))
    wanted = [p for p in ("raymtl", "python", "torch", "ray") if p in found]
    return ", ".join(f"{p} {' and '.join(sorted(found[p]))}" for p in wanted)


def environment(state: SweepState) -> Row | None:
    """Facts of environment.json but for its list of packages."""
    facts = flat({k: v for k, v in state.environment.items() if k != "packages"})
    rows = [{"fact": name, "value": value} for name, value in facts]
    heads = {"fact": "Fact", "value": "Value"}
    return shown("environment", "Environment", _words(rows), heads) if rows else None


def _words(rows: Sequence[Mapping[str, str]]) -> pa.Table:
    names = list(rows[0]) if rows else []
    schema = pa.schema([(name, pa.string()) for name in names])
    return pa.Table.from_pylist([dict(row) for row in rows], schema=schema)


def listed(value: Any) -> Sequence[Any]:
    return value if isinstance(value, list) else []


def flat(values: Mapping[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    """Nested JSON as (dotted name, value) pairs."""
    pairs: list[tuple[str, str]] = []
    for name, value in sorted(values.items()):
        if isinstance(value, dict):
            pairs += flat(value, f"{prefix}{name}.")
        else:
            pairs.append((prefix + name, str(value)[:2_000]))
    return list(islice(pairs, 500))


def audits(state: SweepState) -> list[tuple[str, str]]:
    """Pages of `raymtl audit` in the sweep's store: the path, and a link to it from the report."""
    folder = state.sweep.resolve().parent.parent / "audits"
    pages = sorted(folder.glob("*.html"))[:50]
    return [(str(page), f"../../../audits/{quote(page.name)}") for page in pages]

"""Which tasks help which: matrices, controls and Δm for the page."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from raymtl.results.report.matrix import counted, matrices, points
from raymtl.results.report.panels import Names, Row
from raymtl.results.report.shown import shown
from raymtl.results.state import SweepState, title
from raymtl.results.transfer.answers import (
    Rules,
    control_table,
    delta_table,
    pooled_table,
    transfer_table,
)

_TOOK = ("seconds", "base_seconds", "epochs", "base_epochs")
_COLUMNS = {
    "what": "Task", "partners": "With", "method_": "Method", "n": "n", "base": "Alone",
    "gain": "Gain, points", "low": "Low", "high": "High", "relative": "Relative, %", "p": "p",
    "p_holm": "p, Holm", "q": "q, BH", "verdict": "Verdict", "method": "Interval by",
    "seconds": "Seconds", "base_seconds": "Seconds alone", "epochs": "Epochs to 95%",
    "base_epochs": "Epochs alone",
}  # fmt: skip
_OVER = {"what": "Task", "partners": "With", "control": "Over control"} | {
    key: head for key, head in _COLUMNS.items() if key not in ("what", "partners", "relative")
} | {
    "base": "Control", "base_seconds": "Seconds, control", "base_epochs": "Epochs, control"
}  # fmt: skip


@dataclass(frozen=True)
class Judged:
    """Tables of transfer of a sweep; `labels` holds those of each label's F1.

    pooled: over all extractions and models; no row where there is one of each, which `transfer`
    tells already.
    """

    transfer: pa.Table
    pooled: pa.Table
    controls: pa.Table
    labels: pa.Table
    deltas: list[Row] = field(default_factory=list)


def judged(state: SweepState, rules: Rules) -> Judged:
    transfer = transfer_table(state, rules)
    methods = set(zip(*(transfer[n].to_pylist() for n in ("extraction", "model")), strict=True))
    return Judged(
        transfer,
        pooled_table(state, rules) if len(methods) > 1 else transfer.slice(0, 0),
        control_table(state, rules),
        transfer_table(state, rules, labels=True),
        delta_table(state),
    )


def verdicts(found: Judged, names: Names, rules: Rules) -> Row:
    """What the section on verdicts shows."""
    rows, controls = found.transfer.to_pylist(), found.controls.to_pylist()
    return {
        "rope": f"{100 * rules.rope:g}",
        "level": f"{rules.level:g}",
        "counted": counted(rows),
        "matrices": matrices(rows, found.pooled.to_pylist(), controls, names),
        "controlled": bool(controls),
        "unfair": sum(abs((row["updates"] or 1) - 1) > 0.05 for row in rows if not row["control"]),
        "fewer": sum((row["clips"] or 1) < 1 for row in rows if not row["control"]),
        "transfer": shown(
            "transfer",
            "Every comparison with the source alone; controls are compared with it too.",
            found.transfer,
            _COLUMNS,
            [_row(row, names) for row in rows],
        ),
        "controls": shown(
            "controls",
            "What a combination gains over its controls, paired by fold and seed.",
            found.controls,
            _OVER,
            [_row(row, names) for row in controls],
        ),
        "deltas": _deltas(found.deltas, names),
        "pooled": shown(
            "transfer-over-methods",
            "Every comparison, over all methods together",
            found.pooled,
            {key: head for key, head in _COLUMNS.items() if key != "method_" and key not in _TOOK},
            [_row(row, names) for row in found.pooled.to_pylist()],
        ),
        "labels": shown(
            "transfer-labels", "Every comparison, label by label", found.labels, most=0
        ),
    }


def _row(row: Row, names: Names) -> Row:
    """A row of a table of transfer as it is shown: differences in points, relative in percent."""
    changed: dict[str, Any] = {
        "what": title(row["source"], row["task"]),
        "method_": names.method(row) if row["extraction"] else "",
        "base": f"{row['base']:.3f}",
        "relative": None if row["relative"] is None else points(row["relative"]),
        **{name: points(row[name]) for name in ("gain", "low", "high")},
    }
    changed |= {name: None if row[name] is None else f"{row[name]:.1f}" for name in _TOOK}
    if row["control"]:
        changed["partners"] = f"{row['partners']} ({row['control']})"
    return row | changed


def _deltas(deltas: list[Row], names: Names) -> Row | None:
    if not deltas:
        return None
    columns = {"combination": "Combination", "method": "Method", "tasks": "Tasks", "n": "n",
               "delta": "Δm, %", "low": "Low", "high": "High", "p": "p"}  # fmt: skip
    rows = [row | {"method": names.method(row)} for row in deltas]
    return shown(
        "delta-m",
        "Δm: mean relative gain over the tasks of a combination, in percent; interval and p by the "
        "corrected t test, p not adjusted for the number of combinations.",
        pa.Table.from_pylist(deltas),
        columns,
        sorted(rows, key=lambda row: -row["delta"]),
    )

"""What the report page of a sweep says, as plain data for its templates."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa

from raymtl.results.panels import Names, Row, panel
from raymtl.results.proof import proof
from raymtl.results.relations.report import relations_report
from raymtl.results.report import facts
from raymtl.results.report.again import again, cell_command, setting
from raymtl.results.report.answers import Judged, judged, verdicts
from raymtl.results.report.costs import costs
from raymtl.results.report.leakage import leakage
from raymtl.results.report.related import related
from raymtl.results.report.scores import beside, best_cells, ranked_rows, score_rows
from raymtl.results.report.sections import attempted, bounded
from raymtl.results.report.sharing import sharing
from raymtl.results.state import SweepState, short
from raymtl.results.table import summary
from raymtl.results.transfer.answers import Rules


def page(state: SweepState) -> Row:
    """All that the templates show; ``tables`` and ``latex`` are files beside the page."""
    names = Names(
        short([str(r["extraction"]) for r in state.summed]),
        short([str(r["model"]) for r in state.summed]),
    )
    ranked, missing = ranked_rows(state), {}
    rules = Rules()
    rows = [row for _, found in ranked for row in found]
    found, missing["verdicts"] = attempted("Verdicts", judged, state, rules)
    spent, missing["costs"] = attempted("Costs", costs, state, rows, names)
    shared, missing["leakage"] = attempted("Counts of leaks", leakage, state)
    said, missing["relations"] = attempted("Relations between tasks", relations_report, state)
    parted, missing["sharing"] = attempted("Who shares what", sharing, state, names)
    shown = verdicts(found, names, rules) if found else None
    parts = related(said) if said else []
    return {
        **_facts(state),
        **_again(state),
        "missing_parts": missing,
        "verdicts": shown,
        "costs": spent,
        "leakage": shared,
        "relations": parts,
        "sharing": parted,
        "scores": score_rows(state, ranked, names),
        "best": best_cells(ranked, names, found.transfer if found else None),
        "beside": beside(state),
        "panels": [panel(state, r, names, found.labels if found else None) for _, r in ranked],
        "tables": _tables(state, found, [spent, shared], [*parts, parted or {"data": {}}]),
        "latex": _latex(shown),
    }


def _facts(state: SweepState) -> Row:
    environment = state.environment.items()
    return {
        "name": state.name,
        "question": state.plan.get("question") or "",
        "store": str(state.sweep),
        "versions": facts.versions(state),
        "status": facts.status(state),
        "problems": bounded(state.problems),
        "notes": bounded([str(note) for note in facts.listed(state.plan.get("notes"))]),
        "failures": bounded([facts.failure(state, entry) for entry in state.failures]),
        "missing": bounded(state.missing),
        "skipped": facts.skipped(state),
        "conflicts": facts.conflicts(state),
        "audits": facts.audits(state),
        "proof": proof(state),
        "passes": facts.passes(state),
        "environment": facts.flat({k: v for k, v in environment if k != "packages"}),
    }


def _again(state: SweepState) -> Row:
    found = again(state)
    first = found["cells"][0][0] if found["cells"] else ""
    found["first"] = cell_command(found["words"], first, found["store"])
    return {"setting": setting(state), "again": found}


def _tables(
    state: SweepState, found: Judged | None, parts: Sequence[Row | None], related: Sequence[Row]
) -> dict[str, pa.Table]:
    """The tables behind the page, by the name of their files."""
    tables = {"scores": summary(state.results)}
    if found:
        tables |= {
            "transfer": found.transfer,
            "transfer-over-methods": found.pooled,
            "controls": found.controls,
            "transfer-labels": found.labels,
        }
        tables |= {"delta-m": pa.Table.from_pylist(found.deltas)} if found.deltas else {}
    tables |= {part["table"]["file"]: part["data"] for part in parts if part}
    for section in related:
        tables |= section["data"]
    return tables


def _latex(verdicts: Row | None) -> dict[str, str]:
    """LaTeX of each matrix, by the name of its file."""
    return {m["id"]: m["latex"] for m in verdicts["matrices"]} if verdicts else {}

"""What the report page of a sweep says, as plain data for its templates."""

from __future__ import annotations

from raymtl.results.relations.report import relations_report
from raymtl.results.report import facts
from raymtl.results.report.again import again, cell_command, setting
from raymtl.results.report.answers import judged, verdicts
from raymtl.results.report.costs import costs
from raymtl.results.report.headline import headline
from raymtl.results.report.leakage import leakage
from raymtl.results.report.panels import Names, Row, panel
from raymtl.results.report.proof import proof
from raymtl.results.report.related import related
from raymtl.results.report.scores import best_cells, ranked_rows, score_rows
from raymtl.results.report.sections import attempted, bounded
from raymtl.results.report.sharing import sharing
from raymtl.results.state import SweepState, short
from raymtl.results.transfer.answers import Rules


def page(state: SweepState, rules: Rules | None = None) -> Row:
    """All that the templates show; its tables (see `shown`) become files too."""
    rules = rules or Rules()
    names = Names(
        short([str(r["extraction"]) for r in state.summed]),
        short([str(r["model"]) for r in state.summed]),
    )
    ranked, missing = ranked_rows(state), {}
    rows = [row for _, found in ranked for row in found]
    found, missing["verdicts"] = attempted("Verdicts", judged, state, rules)
    brief, missing["headline"] = attempted("The answer", headline, found, names)
    spent, missing["costs"] = attempted("Costs", costs, state, rows, names)
    shared, missing["leakage"] = attempted("Counts of leaks", leakage, state)
    said, missing["relations"] = attempted("Relations between tasks", relations_report, state)
    parted, missing["sharing"] = attempted("Who shares what", sharing, state, names)
    return {
        **_facts(state),
        **_again(state),
        "missing_parts": missing,
        "headline": brief,
        "verdicts": verdicts(found, names, rules) if found else None,
        "costs": spent,
        "leakage": shared,
        "relations": related(said) if said else [],
        "sharing": parted,
        "scores": score_rows(state, ranked, names),
        "best": best_cells(ranked, names, found.transfer if found else None),
        "panels": [
            panel(state, r, names, found.labels if found else None, number)
            for number, (_, r) in enumerate(ranked, start=1)
        ],
    }


def _facts(state: SweepState) -> Row:
    return {
        "name": state.name,
        "question": state.plan.get("question") or "",
        "store": str(state.sweep),
        "versions": facts.versions(state),
        "status": facts.status(state),
        "problems": bounded(state.problems),
        "notes": bounded([str(note) for note in facts.listed(state.plan.get("notes"))]),
        "failures": facts.failures(state),
        "missing": facts.missing(state),
        "skipped": facts.skipped(state),
        "conflicts": facts.conflicts(state),
        "audits": facts.audits(state),
        "proof": proof(state),
        "passes": facts.passes(state),
        "environment": facts.environment(state),
    }


def _again(state: SweepState) -> Row:
    found = again(state)
    first = found["cells"][0][0] if found["cells"] else ""
    found["first"] = cell_command(found["words"], first, found["store"])
    return {"setting": setting(state), "again": found}

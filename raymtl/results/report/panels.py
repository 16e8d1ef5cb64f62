"""What the report says of one task: gains, learning curves, confusions, labels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc
from markupsafe import Markup

from raymtl.results.curves import Curve, curve, histories
from raymtl.results.report.confusions import confusion
from raymtl.results.report.drawings import curves_chart, whisker
from raymtl.results.report.shown import Row as Row
from raymtl.results.report.shown import shown, slug, spread
from raymtl.results.state import SweepState, partners, title
from raymtl.results.table import TOGETHER

BEST = 4  # cells whose learning curves are drawn, besides that of the source alone
MOST_LABELS, MOST_GAINS = 600, 400  # rows a task


@dataclass(frozen=True)
class Names:
    """Short names of extractions and models, for display."""

    extractions: Mapping[str, str]
    models: Mapping[str, str]

    def method(self, row: Row) -> str:
        return f"{self.extractions[str(row['extraction'])]} · {self.models[str(row['model'])]}"

    def partners(self, row: Row) -> str:
        return partners(str(row["combination"]), row["source"], row.get("control") or "")

    def cell(self, row: Row) -> str:
        return f"{self.partners(row)} — {self.method(row)}"


@dataclass(frozen=True)
class About:
    """What a panel is about: its title, and the part of its files' names that is its own."""

    title: str
    file: str


def panel(
    state: SweepState,
    rows: Sequence[Row],
    names: Names,
    labels: pa.Table | None = None,
    number: int = 1,
) -> Row:
    """Everything the page says of the (source, task) that `rows` are about.

    Args:
        rows: of the summary, primary metric, best first.
        labels: verdicts on each label; see `transfer.answers.transfer_table`.
        number: of the task on the page; it tells its tables' files from those of others.
    """
    source, task = rows[0]["source"], rows[0]["task"]
    about = About(title(source, task), f"{number}-{slug(title(source, task))}")
    best = next((row for row in rows if not row.get("control")), rows[0])
    return {
        "title": about.title,
        "metric": best["metric"],
        "best": names.cell(best),
        "score": spread(best["mean"], best["deviation"]),
        "n": best["n"],
        "gains": _gains(rows, names, about),
        "curves": _curves(state, best, rows, names, about),
        "confusion": confusion(state, best, about.title, about.file),
        "labels": _labels(state, best, _alone(rows, best), labels, about),
    }


def _alone(rows: Sequence[Row], like: Row) -> Row | None:
    """The source alone under the same extraction and model."""
    return next(
        (
            r
            for r in rows
            if r["combination"] == r["source"]
            and not r.get("control")
            and all(r[name] == like[name] for name in ("extraction", "model"))
        ),
        None,
    )


def _gains(rows: Sequence[Row], names: Names, about: About) -> Row | None:
    """Partner sets × methods; None without any gain. All share the axis ± `span`."""
    found = [row for row in rows if row["pairs"]]
    if not found:
        return None
    span = max(abs(r["gain"]) + (r["gain_deviation"] or 0.0) for r in found) or 1.0
    methods = sorted({names.method(row) for row in found})
    sets: dict[str, dict[str, Markup]] = {}
    for row in sorted(found, key=lambda r: (str(r["combination"]).count(" "), r["combination"])):
        text = Markup('{}{} <small title="paired runs">{}</small>').format(
            whisker(row["gain"], row["gain_deviation"], span),
            spread(row["gain"], row["gain_deviation"], sign=True),
            row["pairs"],
        )
        sets.setdefault(names.partners(row), {})[names.method(row)] = text
    drawn = list(sets.items())[: MOST_GAINS // len(methods) or 1]
    return {
        "methods": methods,
        "span": f"{span:.3f}",
        "more": len(sets) - len(drawn),
        "rows": [(others, [cells.get(m, "") for m in methods]) for others, cells in drawn],
        "table": _gain_table(found, names, about),
    }


_GAINS = ("metric", "combination", "extraction", "model", "control", "gain", "gain_deviation",
          "pairs")  # fmt: skip


def _gain_table(found: Sequence[Row], names: Names, about: About) -> Row:
    columns = {"with": "Trained with", "method": "Method", "gain": "Gain", "pairs": "Pairs"}
    data = pa.Table.from_pylist([{name: row.get(name) for name in _GAINS} for row in found])
    rows = [
        {
            "with": names.partners(row),
            "method": names.method(row),
            "gain": spread(row["gain"], row["gain_deviation"], sign=True),
            "pairs": row["pairs"],
        }
        for row in found
    ]
    return shown(f"gains-{about.file}", f"Gain by partners, {about.title}", data, columns, rows)


def _curves(
    state: SweepState, best: Row, rows: Sequence[Row], names: Names, about: About
) -> Row | None:
    """The chart of the best cells and of the source alone, and its legend; no controls."""
    alone = _alone(rows, best)
    ordinary = [row for row in rows if not row.get("control")] or rows
    chosen = list(enumerate(row for row in ordinary[:BEST] if row is not alone))
    chosen += [(BEST, alone)] if alone else []  # the last style is that of the source alone
    found = []
    for style, row in chosen:
        tables = histories(state.sweep, state.records_of(row["cell"]))
        drawn = curve(tables, row["source"], row["task"], row["metric"])
        if drawn is not None:
            found.append((style, names.cell(row), drawn))
    if not found:
        return None
    return {
        "chart": curves_chart(found, rows[0]["metric"]),
        "legend": [(style, name, drawn.runs) for style, name, drawn in found],
        "table": _curve_table([(name, drawn) for _, name, drawn in found], rows[0], about),
    }


def _curve_table(found: Sequence[tuple[str, Curve]], row: Row, about: About) -> Row:
    data = pa.Table.from_pylist(
        [
            {
                "cell": name,
                "metric": row["metric"],
                "epoch": int(epoch),
                "mean": float(mean),
                "deviation": float(deviation),
                "runs": drawn.runs,
            }
            for name, drawn in found
            for epoch, mean, deviation in zip(
                drawn.epochs, drawn.mean, drawn.deviation, strict=True
            )
        ]
    )
    return shown(f"curves-{about.file}", f"Learning curves on validation, {about.title}", data)


_LABELS = {"label": "Label", "best": "Best cell", "alone": "Alone", "gain": "Gain",
           "pairs": "Pairs", "low": "Low, points", "high": "High", "q": "q",
           "verdict": "Verdict"}  # fmt: skip


def _labels(
    state: SweepState, best: Row, alone: Row | None, judged: pa.Table | None, about: About
) -> Row | None:
    """F1 of each label in the best cell and in that of the source alone, and the verdict."""
    said = _verdicts(best, judged)
    of_best = _of_labels(state, best)
    of_alone = _of_labels(state, alone) if alone else {}
    if not of_best:
        return None
    rows = [
        {
            "label": label,
            "best": spread(row["mean"], row["deviation"]),
            "alone": _f1(of_alone.get(label)),
            "gain": spread(row["gain"], row["gain_deviation"], sign=True),
            "pairs": row["pairs"] or "",
            **_points(said.get(label, {})),
        }
        for label, row in of_best.items()
    ]
    data = pa.Table.from_pylist(
        [
            {name: row[name] for name in ("label", "n", "mean", "deviation", "gain", "pairs")}
            | {"alone": of_alone.get(label, {}).get("mean")}
            | {name: said.get(label, {}).get(name) for name in ("low", "high", "q", "verdict")}
            for label, row in of_best.items()
        ]
    )
    caption = f"F1 of each label, {about.title}"
    return shown(f"labels-{about.file}", caption, data, _LABELS, rows, MOST_LABELS)


def _verdicts(best: Row, judged: pa.Table | None) -> dict[str, Row]:
    """Label -> row of the table of verdicts on the best cell's gain."""
    others = TOGETHER.join(
        n for n in str(best["combination"]).split(TOGETHER) if n != best["source"]
    )
    if judged is None or not others:
        return {}
    wanted = {"partners": others, "control": best.get("control") or ""}
    wanted |= {name: str(best[name]) for name in ("source", "task", "extraction", "model")}
    for name, value in wanted.items():
        judged = judged.filter(pc.equal(judged[name], value))
    return {row["label"]: row for row in judged.to_pylist()}


def _points(said: Row) -> Row:
    """Interval in points, q and verdict of a label."""
    return {
        "low": _number(said.get("low"), 100, "+.1f"),
        "high": _number(said.get("high"), 100, "+.1f"),
        "q": _number(said.get("q"), 1, ".2g"),
        "verdict": said.get("verdict") or "",
    }


def _number(value: float | None, scale: float, form: str) -> str:
    return "" if value is None else f"{scale * value:{form}}".replace("-", "−")


def _of_labels(state: SweepState, cell: Row) -> dict[str, Row]:
    names = ("cell", "source", "task")
    chosen = [pc.equal(state.labelled[name], cell[name]) for name in names]
    rows = state.labelled.filter(pc.and_(pc.and_(chosen[0], chosen[1]), chosen[2]))
    return {row["label"]: row for row in rows.to_pylist()}


def _f1(row: Row | None) -> str:
    return spread(row["mean"], row["deviation"]) if row else ""

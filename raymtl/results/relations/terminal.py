"""Relations between tasks in a terminal, in 80 columns."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table

from raymtl.results.relations.choices import WAYS
from raymtl.results.state import short

_MOST = 8  # rows of a table


def print_relations(found: Mapping[str, Any], console: Console) -> None:
    """Prints what `relations_report` gave: networks to train, predictors, gradients, consistency,
    shares of variance; and why where there is nothing."""
    reasons = found["reasons"]
    parts: dict[str, Callable[[Any, Console], None]] = {
        "grouping": _grouping,
        "predictors": print_predictors,
        "affinities": _affinities,
        "consistency": _consistency,
        "variance": _variance,
    }
    for part, show in parts.items():
        if found[part]:
            show(found[part], console)
        if part in reasons:
            _say(console, f"{_PARTS[part]}: {_lower(reasons[part])}")
        _say(console, "")
    for sentence in found["missing"]:
        _say(console, f"Missing: {_lower(sentence)}")


_PARTS = {
    "grouping": "Networks to train",
    "affinities": "Gradients",
    "consistency": "Consistency",
    "variance": "Spread of scores",
}


def _lower(sentence: str) -> str:
    return sentence[:1].lower() + sentence[1:]


def _say(console: Console, text: str) -> None:
    console.print(text, markup=False)


def _table(title: str, *columns: str, right: Sequence[str] = ()) -> Table:
    table = Table(title=title, title_justify="left", title_style="bold", box=None, pad_edge=False)
    for column in columns:
        side: Any = "right" if column in right else "left"
        table.add_column(column, justify=side, no_wrap=column in right)
    return table


def _grouping(found: Mapping[str, Any], console: Console) -> None:
    for way in WAYS:
        rows = found.get(way, [])
        notes = [note for note in found["notes"][way] if way == WAYS[0] or rows]
        if rows and way != WAYS[0] and _groups(rows) == _groups(found[WAYS[0]]):
            _say(console, f"Scores {_SCORES[way]} choose the same networks.")
            notes = [note for note in notes if note not in found["notes"][WAYS[0]]]
        elif rows:
            _networks(way, rows, console)
        for note in notes:
            _say(console, f"  {note}")
    if found.get("measured"):
        _say(console, "Scores are those that the groups were chosen by: expect less anew.")
    if found.get("surrogate error") is not None:
        _say(console, f"The surrogate is off by {100 * found['surrogate error']:.1f} points on "
             "groups left out, the mean of the other groups by "
             f"{100 * found['plain error']:.1f}.")  # fmt: skip


_SCORES = {
    "measured": "of the groups that were trained",
    "from pairs": "estimated from pairs",
    "surrogate": "of a surrogate",
}


def _networks(way: str, rows: Sequence[Mapping[str, Any]], console: Console) -> None:
    right = ("networks", "score", "points")
    title = f"Networks to train, by scores {_SCORES[way]}"
    table = _table(title, *right, "together", right=right)
    for row in rows:
        groups = "; ".join(", ".join(group) for group in row["groups"])
        gain = f"{100 * row['gain']:+.1f}"
        table.add_row(budget(row), f"{row['score']:.3f}", gain, groups)
    console.print(table)


def budget(row: Mapping[str, Any]) -> str:
    """For how many networks a choice is the best."""
    if row["most"] is None:
        return f"{row['budget']} and more"
    return (
        f"{row['budget']}" if row["most"] == row["budget"] else f"{row['budget']} to {row['most']}"
    )


def _groups(rows: Sequence[Mapping[str, Any]]) -> list[Any]:
    return [row["groups"] for row in rows]


def print_predictors(found: Mapping[str, Any], console: Console) -> None:
    """The verdict first, then features beside the baselines, each method, and single features."""
    answer = found["answer"]
    _say(console, f"Can gains be told beforehand? {answer['sentence']}")
    if answer["told"]:
        right = ("auc", "accuracy", "brier", "accuracy, random folds")
        table = _table(
            "Who gains? Told for a task held out in both roles", "by", *right, right=right
        )
        random = {row["method"]: row["accuracy"] for row in answer["random"]}
        for row in answer["told"]:
            table.add_row(row["method"], *_numbers(row), f"{random[row['method']]:.2f}")
        for row in found.get("families", ()):
            table.add_row(f"  {row['family']}", *_numbers(row), "")
        console.print(table)
    _settings(found.get("settings", ()), console)
    _columns("Single features and the gain", found.get("columns", ()), (), console)
    measures = sorted(found.get("measures", ()), key=lambda row: row["p"])
    several = ("extraction", "model")
    _columns("Measures between two tasks and the gain, one by one", measures, several, console)
    for note in found.get("notes", ()):
        _say(console, note)


def _settings(rows: Sequence[Mapping[str, Any]], console: Console) -> None:
    if not rows:
        return
    names = {kind: short([row[kind] for row in rows]) for kind in ("extraction", "model")}
    right = ("pairs", "auc", "accuracy", "p", "of it")
    columns = ("extraction", "model", *right[:-1], "baseline", "of it", "better")
    table = _table("Who gains? Under each extraction and network", *columns, right=right)
    for row in rows:
        told = [_number(row.get(name)) for name in ("auc", "accuracy", "p")]
        method = [names[kind][row[kind]] for kind in names]
        beside = (row.get("baseline", ""), _number(row.get("of baseline")))
        table.add_row(*method, str(row["pairs"]), *told, *beside, _BETTER[row["verdict"]])
    console.print(table)


_BETTER = {
    "better than baseline": "yes",
    "no better than baseline": "no",
    "too little to tell": "?",
}


def _columns(
    title: str,
    rows: Sequence[Mapping[str, Any]],
    kinds: Sequence[str],
    console: Console,
) -> None:
    if not rows:
        return
    numbers = ("pairs", "rho", "p", "q")
    names = {kind: short([row[kind] for row in rows]) for kind in kinds}
    table = _table(title, "feature", *kinds, *numbers, right=numbers)
    for row in rows[:_MOST]:
        said = [str(row["pairs"]), *(f"{row[n]:{f}}" for n, f in _FORMS.items())]
        table.add_row(row["column"], *(names[kind][row[kind]] for kind in kinds), *said)
    console.print(table)
    if len(rows) > _MOST:
        _say(console, f"  {len(rows) - _MOST} more on the page")


_FORMS = {"rho": "+.2f", "p": ".3f", "q": ".3f"}


def _numbers(row: Mapping[str, Any]) -> list[str]:
    return [_number(row["auc"]), f"{row['accuracy']:.2f}", f"{row['brier']:.3f}"]


def _number(value: float | None, digits: int = 2) -> str:
    return "" if value is None else f"{value:.{digits}f}"


def _affinities(rows: Sequence[Mapping[str, Any]], console: Console) -> None:
    usable = sorted((row for row in rows if row["overlap"] > 0), key=lambda row: -row["overlap"])
    names = _methods(rows)
    right = ("cosine", "lookahead", "overlap")
    if usable:
        columns = ("main", "partner", *names, *right, "note")
        table = _table("Gradients in trained networks of two", *columns, right=right)
        for row in usable[: 2 * _MOST]:
            table.add_row(
                row["main"],
                row["partner"],
                *(names[kind][row[kind]] for kind in names),
                *(_number(row["cosine"]), _number(row["lookahead"], 4), _number(row["overlap"])),
                row["note"],
            )
        console.print(table)
    if len(usable) > 2 * _MOST:
        _say(console, f"  {len(usable) - 2 * _MOST} more on the page")
    if len(rows) > len(usable):
        _say(console, f"Gradients of {len(rows) - len(usable)} of {len(rows)} pairs are not "
             "interpretable: their tasks share no recordings.")  # fmt: skip


def _methods(rows: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, str]]:
    """Short names of extractions and models; of those alone that differ among the rows."""
    names = {kind: short([row[kind] for row in rows]) for kind in ("extraction", "model")}
    return {kind: of for kind, of in names.items() if len(of) > 1}


def _consistency(rows: Sequence[Mapping[str, Any]], console: Console) -> None:
    if not rows:
        return
    settings = [row[side] for row in rows for side in ("one", "other")]
    names = {kind: short([s[kind] for s in settings]) for kind in ("extraction", "model")}
    right = ("rho", "p", "repeats", "ceiling")
    table = _table("Are relations the same?", "axis", "between", *right, right=right)
    ordered = sorted(rows, key=lambda row: (row["axis"] == "third task", -(row["rho"] or -1.0)))
    for row in ordered[: 2 * _MOST]:
        table.add_row(
            row["axis"],
            _between(row, names),
            *(_number(row[name]) for name in ("rho", "p", "across", "ceiling")),
        )
    console.print(table)
    if len(ordered) > 2 * _MOST:
        _say(console, f"  {len(ordered) - 2 * _MOST} more comparisons with a third task")


def _between(row: Mapping[str, Any], names: Mapping[str, Mapping[str, str]]) -> str:
    one, other = row["one"], row["other"]
    fixed = [names[k][one[k]] for k in names if k != row["axis"]]
    if row["axis"] == "third task":
        return f"with {one['third'] or other['third']} ({', '.join(fixed)})"
    of = names[row["axis"]]
    return f"{of[one[row['axis']]]}, {of[other[row['axis']]]} ({', '.join(fixed)})"


def _variance(rows: Sequence[Mapping[str, Any]], console: Console) -> None:
    axes = list(dict.fromkeys(row["axis"] for row in rows))
    if not axes:
        return
    table = _table("What explains the spread of scores, in %", "task", *axes, right=axes)
    tasks = dict.fromkeys((row["source"], row["task"]) for row in rows)
    shares = {(row["source"], row["task"], row["axis"]): row["share"] for row in rows}
    for source, task in tasks:
        found = [shares.get((source, task, axis)) for axis in axes]
        table.add_row(source, *("" if v is None else f"{100 * v:.0f}" for v in found))
    console.print(table)

"""The section on relations between tasks: what `relations_report` found, in words and tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa

from raymtl.results.relations.choices import WAYS
from raymtl.results.relations.terminal import budget
from raymtl.results.report.panels import Row
from raymtl.results.report.shown import shown, text
from raymtl.results.state import short

_METHOD = {"extraction": "Extraction", "model": "Model"}
_TOLD = {"auc": "AUC", "accuracy": "Accuracy", "f1": "F1", "brier": "Brier score"}
_ALONE = {"column": "Feature", "pairs": "Pairs", "rho": "Spearman", "p": "p", "q": "q"}
_BY = {"method": "Told by", **_TOLD}
_SCORES = {
    "measured": "groups that were trained",
    "from pairs": "scores estimated from pairs",
    "surrogate": "a surrogate's scores",
}


def related(said: Mapping[str, Any]) -> list[Row]:
    """Sections {title, words, tables, data}, data by name of file, of `relations_report`."""
    reasons = said["reasons"]
    words = {part: [reasons[part]] if part in reasons else [] for part in _PARTS}
    tables: dict[str, Sequence[_Table]] = {
        "grouping": _grouping(said["grouping"]),
        "predictors": _predictors(said["predictors"]),
        "affinities": [("affinities", "Gradients of two tasks", said["affinities"], _AFFINITY)],
        "consistency": [
            ("consistency", "Agreement between settings", said["consistency"], _AGREEMENT)
        ],
        "variance": [("variance", "Shares of variance", said["variance"], _SHARE)],
        "facts": [("facts", "Facts of the sources", _facts(said["facts"]), None)],
    }
    words["predictors"] = [said["predictors"]["answer"]["sentence"], *said["predictors"]["notes"]]
    words["grouping"] += _notes(said["grouping"])
    if said["affinities"]:
        words["affinities"].append(_AFFINITIES)
    words["missing"] = list(said["missing"])
    if said["facts"]:
        words["facts"].append(_FACTS)
    found = [_section(part, words[part], tables.get(part, [])) for part in _PARTS]
    return [section for section in found if section["words"] or section["tables"]]


_PARTS = {
    "missing": "What is missing here",
    "predictors": "Can gains be told beforehand?",
    "grouping": "Which tasks to train together",
    "consistency": "Are relations the same elsewhere?",
    "variance": "What explains scores",
    "affinities": "Affinities of gradients",
    "facts": "Facts of the sources",
}
_AFFINITIES = (
    "In the trained network of each pair, at its best epoch or averaged over the epochs named, "
    "where the sweep kept more (raymtl sweep --keep). Of tasks that share no recordings, gradients "
    "tell the recordings apart as much as the tasks: not interpretable."
)
_FACTS = (
    "Of runs alone. Labels are counted over the clips that were tested: all clips where every fold "
    "was run. Level and centroid of sounds are known under log-mel extractions alone."
)
_AFFINITY = {
    "main": "Task", "partner": "Partner", **_METHOD, "cosine": "Cosine",
    "lookahead": "Lookahead", "overlap": "Shared recordings", "epochs": "Epochs",
    "note": "Note",
}  # fmt: skip
_AGREEMENT = {
    "axis": "What differs", "one": "One", "other": "Other", "entries": "Pairs", "rho": "Spearman",
    "p": "p", "across": "One repetition and another", "ceiling": "The same, one setting",
}  # fmt: skip
_SIDES = ("one", "other")  # of an agreement, each a setting
_SHARE = {
    "source": "Source", "task": "Task", "axis": "Axis", "levels": "Levels",
    "degrees": "Degrees of freedom", "share": "Share (eta squared)", "omega": "Omega squared",
    "p": "p",
}  # fmt: skip
_NETWORKS = {
    "budget": "Networks", "score": "Mean score", "gain": "Gain, points", "networks": "Together",
}  # fmt: skip
_SETTING = {
    **_METHOD, "verdict": "Verdict", "pairs": "Pairs", "gains": "That gain", "p": "p", **_TOLD,
    "baseline": "Best baseline", "of baseline": "Its accuracy",
}  # fmt: skip

_Table = tuple[str, str, Sequence[Mapping[str, Any]], Mapping[str, str] | None]


def _predictors(found: Mapping[str, Any]) -> list[_Table]:
    answer = found["answer"]
    verdict = {n: answer[n] for n in ("verdict", "sentence", "pairs", "gains", "p")}
    heads = {"verdict": "Verdict", "pairs": "Pairs", "gains": "That gain", "p": "p"}
    held, random = "A task held out in both roles", "Random folds, which flatter"
    families = {"family": "Family", **_TOLD}
    every = {**_METHOD, **_ALONE}
    return [
        ("predictors-verdict", "Verdict", [verdict], heads),
        ("predictors-held-out", held, answer["told"], _BY),
        (
            "predictors-families",
            "Families of features, held out alike",
            found["families"],
            families,
        ),
        ("predictors-settings", "Each extraction and network", found["settings"], _SETTING),
        ("predictors-random-folds", random, answer["random"], _BY),
        ("predictors-features", "Each feature alone", found["columns"], _ALONE),
        ("predictors-measures", "Each measure between two tasks", found["measures"], every),
    ]


def _grouping(found: Mapping[str, Any]) -> list[_Table]:
    return [
        (f"networks-{way.replace(' ', '-')}", f"Networks to train, by {_SCORES[way]}",
         [_group(row) for row in found.get(way, ())], _NETWORKS)
        for way in WAYS
    ]  # fmt: skip


def _notes(found: Mapping[str, Any]) -> list[str]:
    """What is left out of each choice, said once where all leave it out."""
    notes = found.get("notes", {})
    ways: dict[str, list[str]] = {}
    for way in WAYS:
        for note in notes.get(way, ()):
            ways.setdefault(note, []).append(_SCORES[way])
    said = [
        note if len(of) == len(WAYS) else f"By {' and '.join(of)}: {note[:1].lower()}{note[1:]}"
        for note, of in ways.items()
    ]
    if found.get("measured"):
        said.append("Scores are those that the groups were chosen by: expect less anew.")
    if found.get("surrogate error") is not None:
        said.append(
            f"The surrogate is off by {100 * found['surrogate error']:.1f} points on groups left "
            f"out, the mean of the other groups by {100 * found['plain error']:.1f}."
        )
    return said


def _group(row: Mapping[str, Any]) -> Row:
    """One choice: its networks in words."""
    words = "; ".join(" + ".join(group) for group in row["groups"])
    points = 100 * row["gain"]
    return {"budget": budget(row), "score": row["score"], "gain": points, "networks": words}


def _facts(facts: Mapping[str, Mapping[str, float]]) -> list[Row]:
    return [{"source": name, **of} for name, of in facts.items()]


def _flat(rows: Sequence[Mapping[str, Any]]) -> list[Row]:
    """Settings as words: extraction, model and, where there is one, the third task."""
    return [
        {
            name: ", ".join(filter(None, value.values())) if name in _SIDES else value
            for name, value in row.items()
        }
        for row in rows
    ]


def _section(part: str, words: Sequence[str], tables: Sequence[_Table]) -> Row:
    section: Row = {"title": _PARTS[part], "words": list(words), "tables": [], "data": {}}
    for name, caption, rows, heads in tables:
        if rows:
            table = _tabled(_flat(rows))
            section["data"][f"relations-{name}"] = table
            section["tables"].append(
                shown(f"relations-{name}", caption, table, heads, _drawn(rows))
            )
    return section


def _drawn(rows: Sequence[Mapping[str, Any]]) -> list[Row]:
    """The rows with short names of extractions and models; the files have whole ones."""
    settings = [*rows, *(row[side] for row in rows for side in _SIDES if side in row)]
    names = {k: short([str(s[k]) for s in settings if k in s]) for k in _METHOD}

    def brief(of: Mapping[str, Any]) -> Row:
        return {**of, **{kind: names[kind][of[kind]] for kind in _METHOD if kind in of}}

    return _flat([{**brief(row), **{s: brief(row[s]) for s in _SIDES if s in row}} for row in rows])


def _tabled(rows: Any) -> pa.Table:
    """Rows as a table; a value that is no number and no text is spelled out."""
    plain = (str, int, float, bool, type(None))
    names = dict.fromkeys(name for row in rows for name in row)
    columns = {
        str(name): [
            value if isinstance(value := row.get(name), plain) else _spelled(value) for row in rows
        ]
        for name in names
    }
    kinds = {name: {type(v) for v in c if v is not None} for name, c in columns.items()}
    mixed = [name for name, found in kinds.items() if str in found and len(found) > 1]
    for name in mixed:
        columns[name] = [None if v is None else str(v) for v in columns[name]]
    return pa.table(columns)


def _spelled(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{k} {text(v)}" for k, v in value.items())
    return ", ".join(map(text, value)) if isinstance(value, (list, tuple, set)) else str(value)

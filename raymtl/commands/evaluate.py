"""`raymtl evaluate`: a run's network, at one epoch or several, on the clips of another source."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from rich.console import Console

from raymtl.commands.check_reader import named
from raymtl.commands.evaluated import show
from raymtl.commands.seen import Seen, seen_of
from raymtl.commands.target import Corpus, find
from raymtl.deploy import load
from raymtl.deploy.evaluation import Asked, Evaluation, evaluate
from raymtl.deploy.loading import kept_of
from raymtl.durable import write_durably
from raymtl.errors import PreflightError, StudyError
from raymtl.kept import chosen_epochs
from raymtl.loading.splits.components import connect
from raymtl.reading.clips import ClipTable
from raymtl.reading.reader import Reader, Source
from raymtl.results.records import scores_facts
from raymtl.results.runs.evaluated import Spread, said_table, scores_table, spread
from raymtl.results.tables.tidy import csv_bytes

_FORMS = (".json", ".csv", ".parquet")


@dataclass(frozen=True)
class Outputs:
    """Where an evaluation goes besides the terminal; as_json: JSON there, and nothing else."""

    scores: Path | None = None
    predictions: Path | None = None
    as_json: bool = False

    def check(self) -> None:
        """Raises:
        PreflightError: for an ending that says nothing.
        """
        for path, forms in ((self.scores, _FORMS), (self.predictions, _FORMS[1:])):
            if path is not None and path.suffix.lower() not in forms:
                raise PreflightError(
                    f"{path}: ends in {path.suffix!r}; expected {', '.join(forms)}."
                )


@dataclass(frozen=True, eq=False)
class Found:
    """Evaluations of epochs of one run, and the spread of each (epoch, head)."""

    run: str
    source: str
    best: int
    evaluations: Sequence[Evaluation]
    spreads: Mapping[tuple[int, str], Spread]

    @property
    def heads(self) -> dict[int, Any]:
        return {each.epoch: each.heads for each in self.evaluations}


def show_evaluation(
    run: Path,
    on: str,
    data: Path | None,
    store: str,
    *,
    epoch: str,
    source: str | None,
    seen: str,
    outputs: Outputs,
    code: Sequence[str],
    console: Console,
) -> int:
    """Prints every metric; 1 when clips had to be left out because they cannot be decoded.

    Args:
        epoch: numbers, best, last or all, joined by commas.
        console: for people; with `Outputs.as_json` it must not write to standard output.

    Raises:
        RaymtlError: for a run, source or labels that do not fit together.
    """
    outputs.check()
    record = kept_of(run)
    numbers = chosen_epochs(epoch, record, str(record["run"]))
    predictors = [load(run, code, number) for number in numbers]
    predictors[0].fronts(source)
    corpus = _corpus(on, data, store, console)
    known = seen_of(predictors[0], run, corpus.table)
    table = _chosen(known, on, seen == "drop", console)
    asked, learnt = _asked(on)
    evaluations = evaluate(predictors, table, corpus.facts, asked, source=source)
    spreads = _spreads(evaluations, _clusters(table, learnt))
    found = Found(str(record["run"]), corpus.name, record["best_epoch"], evaluations, spreads)
    _write(found, known, outputs)
    return _told(found, outputs, console)


def _spreads(
    evaluations: Sequence[Evaluation], clusters: Mapping[str, str]
) -> dict[tuple[int, str], Spread]:
    return {
        (each.epoch, head): spread(found, clusters)
        for each in evaluations
        for head, found in each.heads.items()
    }


def _told(found: Found, outputs: Outputs, console: Console) -> int:
    """Prints the scores, unless JSON is asked for, and the clips that gave none: then 1."""
    if not outputs.as_json:
        show(found.evaluations, found.source, found.best, found.spreads, console)
    skipped = found.evaluations[0].skipped
    for each in skipped:
        console.print(f"left out: {each.path}: {each.reason}", markup=False, soft_wrap=True)
    return int(bool(skipped))


def _chosen(known: Seen, on: str, drop: bool, console: Console) -> ClipTable:
    """The clips to be scored, after what is to be known of them has been said."""
    for line in known.notes(drop):
        console.print(line, markup=False, soft_wrap=not console.is_terminal)
    table = known.dropped() if drop else known.table
    if not len(table):
        raise StudyError(f"{on}: no clip is left; --seen keep takes those that the run used, too.")
    return table


def _corpus(on: str, data: Path | None, store: str, console: Console) -> Corpus:
    target = find(on, data, store)
    if target.experiment is not None:
        raise StudyError(f"{on}: a study. Give a reader or a source, as readers.fsdd:Fsdd.")
    if data is None:
        console.print("Without --data: a miniature with synthetic sound, not the corpus.")
    return target.corpora[0]


def _asked(on: str) -> tuple[list[Asked], frozenset[str]]:
    """Tasks of the clips, and the kinds of groups that some of them learn as classes."""
    part = named(on, "reader or source")
    if isinstance(part, Source):
        pairs = zip(part.tasks, part.chosen, strict=True)
        return [Asked(t.name, chosen.name, chosen) for t, chosen in pairs], part.learnt_groups
    assert isinstance(part, Reader)
    asked = [Asked(task.name, task.name, task) for task in part.tasks]
    return asked, frozenset(kind for _, kind in part.learns)


def _clusters(table: ClipTable, learnt: frozenset[str]) -> dict[str, str]:
    """Clip -> its component by groups and recordings, but for groups that are classes."""
    groups = [
        [group for group in each if group.split(":")[0] not in learnt] for each in table.groups()
    ]
    at = table.table.schema.get_field_index("groups")
    column = pa.array(groups, pa.list_(pa.string()))
    links = connect([replace(table, table=table.table.set_column(at, "groups", column))], [{}])
    keys = (links.keys[component] for component in links.components[0])
    return dict(zip(sorted(table.ids), keys, strict=True))


def _write(found: Found, known: Seen, outputs: Outputs) -> None:
    if outputs.as_json:
        print(_json(found, known))
    if outputs.scores is not None and outputs.scores.suffix.lower() == ".json":
        write_durably(outputs.scores, _json(found, known).encode())
    elif outputs.scores is not None:
        table = scores_table(found.run, found.source, found.heads, found.spreads)
        write_durably(outputs.scores, _bytes(table, outputs.scores))
    if outputs.predictions is not None:
        said = said_table(found.source, found.heads)
        write_durably(outputs.predictions, _bytes(said, outputs.predictions))


def _bytes(table: pa.Table, path: Path) -> bytes:
    if path.suffix.lower() == ".csv":
        return csv_bytes(table)
    sink = io.BytesIO()
    pq.write_table(table, sink, compression="zstd")
    return sink.getvalue()


def _json(found: Found, known: Seen) -> str:
    epochs = []
    for each in found.evaluations:
        scores = {(found.source, head, "test"): f.measured for head, f in each.heads.items()}
        facts = [
            {**score, "interval": asdict(found.spreads[each.epoch, score["task"]])}
            for score in scores_facts(scores)
        ]
        epochs.append({"epoch": each.epoch, "scores": facts})
    skipped = [[s.id, s.path, s.reason] for s in found.evaluations[0].skipped]
    content = {"run": found.run, "source": found.source, "best_epoch": found.best,
               "epochs": epochs, "seen": known.facts(), "skipped": skipped}  # fmt: skip
    return json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False)

"""A sweep as TensorBoard reads it best: short names, and test clips for its projector."""

from __future__ import annotations

import re
import shutil
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
import numpy.typing as npt
import pyarrow.compute as pc
import pyarrow.parquet as pq

from raymtl.results.records import PREDICTIONS, Record
from raymtl.results.state import SweepState, read_sweep, short

CLIPS = 5_000  # shown of a task


class Points(Protocol):
    """Clips in a space: a name, (N, width) coordinates, and columns of facts."""

    @property
    def name(self) -> str: ...
    @property
    def vectors(self) -> npt.NDArray[np.float32]: ...
    @property
    def facts(self) -> dict[str, list[str]]: ...


@dataclass(frozen=True, eq=False)
class _Scores:
    name: str
    vectors: npt.NDArray[np.float32]
    facts: dict[str, list[str]]


Place = Callable[[Path], Sequence[Points]]


def logdir(sweep: Path) -> Path:
    """``<store>/tensorboard/<sweep>``: within the sweep, TensorBoard would show each run twice."""
    inside = sweep.resolve().parent.name == "sweeps"
    root = sweep.resolve().parents[1] if inside else sweep.resolve()
    return root / "tensorboard" / sweep.resolve().name


def write_logdir(
    sweep: Path, embeddings: bool = False, place: Place = lambda run: []
) -> dict[str, str]:
    """Makes the folder of `logdir` anew: a folder a run with links to its events.

    embeddings: also test clips, with what is true and what was decided: where `place` puts those
        of a run or, where it has none, those of each (source, task) by their scores.

    Returns:
        Short name -> run.
    """
    state, root = read_sweep(sweep), logdir(sweep)
    shutil.rmtree(root, ignore_errors=True)
    names = short_names(state)
    for name, run in names.items():
        folder = root / name
        folder.mkdir(parents=True)
        for path in sorted((sweep / "runs" / run).glob("events.out.tfevents.*")):
            (folder / path.name).symlink_to(path.resolve())
        if embeddings:
            placed = place(sweep / "runs" / run) or _by_scores(sweep / "runs" / run / PREDICTIONS)
            _project(placed, folder)
    return names


def short_names(state: SweepState) -> dict[str, str]:
    """Short name -> run, of recorded runs: what is the same in all of them is left out."""
    records = list(state.records.values())
    cells = [record.content.get("cell", {}) for record in records]
    sources = _sources(sorted({s for cell in cells for s in cell.get("combination", [])}))
    kinds = [short([str(cell.get(part, "")) for cell in cells]) for part in ("extraction", "model")]
    several = [len(kind) > 1 for kind in kinds]
    seeds = len({record.content.get("seed") for record in records}) > 1
    found: dict[str, str] = {}
    for record, cell in zip(records, cells, strict=True):
        combination = cell.get("combination", [])
        words = [_together([sources[s] for s in combination], len(sources))]
        for part, kind, shown in zip(("extraction", "model"), kinds, several, strict=True):
            words += [kind[str(cell.get(part, ""))]] if shown else []
        if cell.get("control"):
            words.append(f"{cell['control']}-{sources.get(cell['main'], cell['main'])}")
        words.append(_repeat(record, seeds))
        name = "/".join(re.sub(r"[^A-Za-z0-9_.+=()-]+", "_", word) for word in words)
        found[f"{name}-{record.run[-6:]}" if name in found else name] = record.run
    return found


def _sources(names: Sequence[str]) -> dict[str, str]:
    """Without the corpus where what is behind it is enough."""
    last = Counter(name.rpartition(".")[2] for name in names)
    return {n: n.rpartition(".")[2] if last[n.rpartition(".")[2]] == 1 else n for n in names}


def _together(names: Sequence[str], whole: int) -> str:
    return f"all-{whole}" if len(names) == whole > 2 else "+".join(names)


def _repeat(record: Record, seeds: bool) -> str:
    fold = f"f{record.content.get('fold')}"
    return f"{fold}s{record.content.get('seed')}" if seeds else fold


def _by_scores(predictions: Path) -> Iterator[Points]:
    """The test clips of each (source, task), spread evenly; one number is no place."""
    table = pq.read_table(predictions)
    pairs = table.select(["source", "task"]).group_by(["source", "task"]).aggregate([])
    for pair in pairs.to_pylist():
        chosen = pc.and_(
            pc.equal(table["source"], pair["source"]),
            pc.equal(table["task"], pair["task"]),
        )
        rows = table.filter(chosen).to_pylist()
        rows = rows[:: max(1, -(-len(rows) // CLIPS))]
        if rows and len(rows[0]["scores"]) > 1:
            facts = {name: [_plain(row[name]) for row in rows]
                     for name in ("id", "source", "truth", "decision")}  # fmt: skip
            vectors = np.array([row["scores"] for row in rows], np.float32)
            yield _Scores(f"{pair['source']}-{pair['task']}", vectors, facts)


def _project(placed: Iterable[Points], folder: Path) -> None:
    """Vectors and facts of each cloud, and the projector's list of them."""
    entries = []
    for cloud in placed:
        name = re.sub(r"[^A-Za-z0-9_.+=()-]+", "_", cloud.name)
        vectors = ["\t".join(map(repr, row)) for row in cloud.vectors.tolist()]
        lines = zip(*(map(_plain, column) for column in cloud.facts.values()), strict=True)
        facts = ["\t".join(map(_plain, cloud.facts)), *map("\t".join, lines)]
        (folder / f"{name}.vectors.tsv").write_text("\n".join(vectors) + "\n")
        (folder / f"{name}.clips.tsv").write_text("\n".join(facts) + "\n")
        entries.append(
            f'embeddings {{\n  tensor_name: "{name}"\n  tensor_path: "{name}.vectors.tsv"\n'
            f'  metadata_path: "{name}.clips.tsv"\n}}\n'
        )
    (folder / "projector_config.pbtxt").write_text("".join(entries))


def _plain(value: str | list[str] | None) -> str:
    text = "?" if value is None else value if isinstance(value, str) else ", ".join(value)
    return re.sub(r"\s", " ", text)

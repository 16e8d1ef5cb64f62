"""Whether two records of a run say the same, number by number."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from raymtl.results.records import METRICS, PREDICTIONS, WEIGHTS, read_record

_PLAIN = ("digest", "derived_seed", "epochs", "best_epoch", "steps", "parameters")
_MISSING = "missing"


@dataclass(frozen=True)
class Difference:
    """where: the number's name, `` / `` between its parts; recorded, again: what each says."""

    where: str
    recorded: Any
    again: Any

    @property
    def size(self) -> float:
        """How far apart two numbers are; infinite for what is no number."""
        both = self.recorded, self.again
        if all(isinstance(v, int | float) and not isinstance(v, bool) for v in both):
            return float(abs(self.recorded - self.again))
        return float("inf")


def differences(recorded: Path, again: Path) -> list[Difference]:
    """What two records (folders) do not have in common, earliest in the run first: history, what
    training came to, every score, every prediction, and the weights' digest.

    Wall time, versions and machines are not compared: they are not numbers of the run.

    Raises:
        StoreError: when a record is missing or damaged.
    """
    one, other = read_record(recorded).content, read_record(again).content
    found = list(_unlike(_history(recorded), _history(again)))
    found += _unlike({n: one.get(n) for n in _PLAIN}, {n: other.get(n) for n in _PLAIN})
    found += _unlike(_scores(one), _scores(other))
    for name, label in ((PREDICTIONS, "predictions"), (WEIGHTS, "weights")):
        digests = [content["files"].get(name, {}).get("sha256") for content in (one, other)]
        same = digests[0] == digests[1] or (name == PREDICTIONS and _equal(recorded, again))
        if not same:
            found.append(Difference(label, digests[0], digests[1]))
    return found


def compared(folder: Path) -> int:
    """How many numbers of a record are compared."""
    content = read_record(folder).content
    return len(_history(folder)) + len(_PLAIN) + len(_scores(content)) + 2


def _equal(one: Path, other: Path) -> bool:
    """Whether predictions agree, however their files are compressed."""
    tables: list[pa.Table] = [pq.read_table(folder / PREDICTIONS) for folder in (one, other)]
    return bool(tables[0].equals(tables[1]))


def _history(folder: Path) -> dict[str, Any]:
    rows = pq.read_table(folder / METRICS).to_pylist()
    keys = ("part", "source", "task", "metric")
    return {
        " / ".join([f"epoch {row['epoch']}", *(row[k] for k in keys if row[k])]): row["value"]
        for row in rows
    }


def _scores(content: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for score in content["scores"]:
        at = f"{score['part']} / {score['source']} / {score['task']}"
        found |= {f"{at} / {name}": value for name, value in score["scalars"].items()}
        for label, values in score["per_label"].items():
            found |= {f"{at} / {label} / {name}": value for name, value in values.items()}
        found[f"{at} / confusion"] = score["confusion"]
    return found


def _unlike(one: dict[str, Any], other: dict[str, Any]) -> Iterator[Difference]:
    for name in dict.fromkeys([*one, *other]):
        before, after = one.get(name, _MISSING), other.get(name, _MISSING)
        if before != after:
            yield Difference(name, before, after)

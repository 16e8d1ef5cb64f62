"""Which epochs of a run are kept beside the best one, and under what names."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from raymtl.errors import PreflightError, StoreError

EPOCHS, BEST_WEIGHTS = "epochs", "checkpoint/weights.safetensors"
Epoch = int | Literal["best", "last"]
_FILE = re.compile(rf"{EPOCHS}/(\d+)\.safetensors")


@dataclass(frozen=True)
class Keep:
    """What is kept of a run; the best epoch always is. No part of any address.

    every: each epoch that it divides, 1 for all, 0 for none. last: the last epoch that was run.
    """

    every: int = 0
    last: bool = False
    numbers: frozenset[int] = frozenset()

    @staticmethod
    def parse(text: str) -> Keep:
        """`best`, `last`, `all`, `every:N` and numbers of epochs, joined by commas.

        Raises:
            PreflightError: for anything else.
        """
        every, last, numbers = 0, False, set()
        for word in (part.strip() for part in text.split(",")):
            name, _, count = word.partition(":")
            if word == "last":
                last = True
            elif word == "all" or (name == "every" and _positive(count)):
                if every:
                    raise PreflightError(f"--keep {text}: give one of all and every:N, once.")
                every = 1 if word == "all" else int(count)
            elif _positive(word):
                numbers.add(int(word))
            elif word != "best":
                raise PreflightError(
                    f"--keep {text}: {word!r} is none of best, last, all, every:N and numbers of "
                    "epochs from 1. Join several by commas: best,last or 3,10,25."
                )
        return Keep(every, last, frozenset(numbers))

    @property
    def text(self) -> str:
        """As `parse` takes it."""
        every = {0: [], 1: ["all"]}.get(self.every, [f"every:{self.every}"])
        words = [*every, *(["last"] if self.last else []), *map(str, sorted(self.numbers))]
        return ",".join(words) or "best"

    @property
    def best_alone(self) -> bool:
        return self == Keep()

    def wants(self, epoch: int) -> bool:
        """Whether `epoch` (from 1) is kept, whatever comes after it."""
        return epoch in self.numbers or (self.every > 0 and epoch % self.every == 0)

    def of(self, epochs: int) -> set[int]:
        """Those that a run of so many epochs keeps, besides its best one."""
        return {e for e in range(1, epochs + 1) if self.wants(e) or (self.last and e == epochs)}


BEST_ALONE = Keep()


def epoch_file(epoch: int) -> str:
    """Name of an epoch's weights within the run's folder."""
    return f"{EPOCHS}/{epoch:06d}.safetensors"


def epoch_of(name: str) -> int | None:
    """The epoch whose weights a file of a run's folder holds; None for other files."""
    found = _FILE.fullmatch(name)
    return int(found[1]) if found else None


def kept_epochs(record: Mapping[str, Any]) -> list[int]:
    """Epochs whose weights a finished run has, by its record; sorted."""
    others = (epoch_of(name) for name in record["files"])
    return sorted({int(record["best_epoch"]), *(e for e in others if e is not None)})


def chosen_epochs(text: str, record: Mapping[str, Any], run: str) -> list[int]:
    """The epochs meant by `all`, or by numbers, `best` and `last` joined by commas, in that order.

    Raises:
        PreflightError: for an epoch that was not kept, or words that mean none.
    """
    kept, words = kept_epochs(record), [word.strip() for word in text.split(",")]
    if words == ["all"]:
        return kept
    found = []
    for word in words:
        if word not in ("best", "last") and not _positive(word):
            raise PreflightError(
                f"--epoch {text}: {word!r} is no epoch. Give numbers from 1, best, last or all."
            )
        one: Epoch = word if word in ("best", "last") else int(word)  # type: ignore[assignment]
        found.append(one_epoch(one, record, run))
    return list(dict.fromkeys(found))


def one_epoch(epoch: Epoch, record: Mapping[str, Any], run: str) -> int:
    """The number of the epoch that is meant.

    Raises:
        PreflightError: when its weights were not kept, with those that were.
    """
    kept, last = kept_epochs(record), int(record["epochs"])
    number = {"best": int(record["best_epoch"]), "last": last}.get(str(epoch), epoch)
    if number in kept:
        return int(number)
    if not isinstance(number, int) or not 1 <= number <= last:
        raise PreflightError(
            f"{run}: epoch {epoch!r}: it was trained for {last} epochs. Give a number from 1 to "
            f"{last}, best or last. Kept are {spelt(kept)}."
        )
    raise PreflightError(
        f"{run}: the weights of epoch {number} were not kept; kept are {spelt(kept)} (best: "
        f"{record['best_epoch']}). `raymtl rerun {run} --keep {number}` trains it again and adds "
        "them, where the run's data are; `raymtl sweep --keep` keeps more from the start."
    )


def file_of(epoch: int, record: Mapping[str, Any]) -> str:
    """Where the weights of a kept epoch are within the run's folder.

    Raises:
        StoreError: when the record has none of them.
    """
    if epoch_file(epoch) in record["files"]:
        return epoch_file(epoch)
    if epoch == record["best_epoch"]:
        return BEST_WEIGHTS
    raise StoreError(f"epoch {epoch} was not kept; kept are {spelt(kept_epochs(record))}.")


def spelt(epochs: list[int]) -> str:
    """Numbers in a few words: 1-5, 8."""
    parts: list[list[int]] = []
    for epoch in epochs:
        if parts and epoch == parts[-1][-1] + 1:
            parts[-1].append(epoch)
        else:
            parts.append([epoch])
    return ", ".join(f"{p[0]}-{p[-1]}" if len(p) > 1 else str(p[0]) for p in parts)


def _positive(word: str) -> bool:
    return word.isascii() and word.isdigit() and int(word) > 0

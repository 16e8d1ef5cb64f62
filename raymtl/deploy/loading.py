"""Opening a run's folder, or an exported artefact, as a predictor."""

from __future__ import annotations

import hashlib
import json
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load as tensors

from raymtl.deploy.predictor import Predictor
from raymtl.deploy.recipe import RECIPE, Recipe
from raymtl.durable import unsealed
from raymtl.errors import PreflightError, StoreError
from raymtl.kept import Epoch, file_of, one_epoch

RECORD, FACTS = "record.json", "artefact.json"
_SMALL, _TIGHT = 64 << 20, 200  # bytes that are read in any case; else at most so many times packed


class Contents:
    """The files of a run's folder, or of an artefact: a folder or a zip file alike."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._zip = path.is_file()
        if not path.exists():
            raise StoreError(
                f"{path}: not there. Expected a run's folder (below <store>/sweeps/<study>/runs) "
                "or what `raymtl export` wrote."
            )

    def has(self, name: str) -> bool:
        if not self._zip:
            return (self.path / name).is_file()
        with zipfile.ZipFile(self.path) as archive:
            return name in archive.namelist()

    def read(self, name: str) -> bytes:
        """Raises:
        StoreError: when there is no such file, or the zip file is damaged or would fill memory.
        """
        try:
            if not self._zip:
                return (self.path / name).read_bytes()
            with zipfile.ZipFile(self.path) as archive:
                member = archive.getinfo(name)
                if member.file_size > max(_SMALL, _TIGHT * member.compress_size):
                    raise zipfile.BadZipFile(
                        f"{member.compress_size:,} bytes become {member.file_size:,}: no network"
                    )
                return archive.read(member)
        except (OSError, KeyError, zipfile.BadZipFile, zlib.error, EOFError, RuntimeError) as error:
            raise StoreError(
                f"{self.path}: {name} cannot be read ({error}). Expected a run's folder or what "
                "`raymtl export` wrote; export it again."
            ) from error

    def sealed(self, name: str) -> dict[str, Any]:
        """Raises:
        StoreError: also when its bytes are not what was written.
        """
        return unsealed(self.read(name), f"{self.path}/{name}")


def load(
    path: Path | str, code: Sequence[str | Path] = (), epoch: Epoch | None = None
) -> Predictor:
    """The network of a run, or of an artefact that `raymtl export` wrote, ready to predict.

    Args:
        path: a run's folder, or the artefact's file or folder.
        code: modules or Python files of the user's own classes; nothing else of them is imported.
        epoch: whose weights to take: its number, ``best`` or ``last``. Without it the best one's;
            of an artefact those that it holds.

    Raises:
        StoreError: when something is missing or damaged, or made by code that is not here.
        PreflightError: for an epoch whose weights were not kept, with those that were.
    """
    contents = Contents(Path(path))
    _is_one(contents)
    record = contents.sealed(RECORD)
    _check_recipe(contents, record)
    number = _epoch(contents, record, epoch)
    weights = file_of(number, record)
    _check(contents, record, weights)
    recipe = Recipe.from_plain(contents.sealed(RECIPE), code)
    try:
        return Predictor(recipe, tensors(contents.read(weights)), record, number)
    except (SafetensorError, RuntimeError) as error:
        raise StoreError(
            f"{contents.path}: its weights do not fit its network ({error}). Expected both as "
            "they were written together."
        ) from error


def _is_one(contents: Contents) -> None:
    """Whether it is a run or an artefact at all."""
    path = contents.path
    runs = sorted(each.name for each in path.glob("runs/*") if each.is_dir())
    if runs:
        raise StoreError(
            f"{path}: a sweep of {len(runs)} run(s), not a run. Name one: {path / 'runs' / runs[0]}"
        )
    if path.is_dir() and not (path / RECORD).is_file():
        raise StoreError(
            f"{path}: holds no {RECORD}, so it is neither a finished run nor what `raymtl export` "
            "wrote. Name one, or finish the run: `raymtl sweep`."
        )


def kept_of(path: Path) -> dict[str, Any]:
    """The record of a run's folder or of an artefact, for what it says of kept epochs.

    Raises:
        StoreError: when it is missing or damaged.
    """
    contents = Contents(path)
    _is_one(contents)
    return contents.sealed(RECORD)


def _epoch(contents: Contents, record: dict[str, Any], asked: Epoch | None) -> int:
    """The number of the epoch that is meant; an artefact has one alone."""
    own = _own_epoch(contents)
    if own is None:
        return one_epoch("best" if asked is None else asked, record, str(record["run"]))
    named = {"best": record["best_epoch"], "last": record["epochs"]}.get(str(asked), asked)
    if asked is not None and named != own:
        raise PreflightError(
            f"{contents.path}: holds the weights of epoch {own} alone, not of {asked}. Export the "
            f"run again: `raymtl export {record['run']} --epoch {asked}`."
        )
    return own


def _own_epoch(contents: Contents) -> int | None:
    """The epoch of an artefact; None of a run's folder, and of an artefact that does not say."""
    if not contents.has(FACTS):
        return None
    try:
        found = json.loads(contents.read(FACTS)).get("epoch")
        return None if found is None else int(found)
    except (AttributeError, TypeError, ValueError) as error:
        raise StoreError(
            f"{contents.path}: {FACTS} is not what `raymtl export` writes ({error}). Export the "
            "run again."
        ) from error


def _check_recipe(contents: Contents, record: dict[str, Any]) -> None:
    if RECIPE not in record.get("files", {}):
        raise StoreError(
            f"{contents.path}: holds no {RECIPE}: the run was trained before runs kept their "
            "network whole. Delete its folder and run the sweep again."
        )


def _check(contents: Contents, record: dict[str, Any], weights: str) -> None:
    """Whether network and weights are there and are those that the record speaks of."""
    files = record["files"]
    for name in (RECIPE, weights):
        found = hashlib.sha256(contents.read(name)).hexdigest()
        if found != files[name]["sha256"]:
            raise StoreError(
                f"{contents.path}: {name} is not what the record speaks of. Restore it, or run "
                "the sweep again: `raymtl sweep` replaces what is damaged."
            )

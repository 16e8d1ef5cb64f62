"""Fits: actors that hold feature sets open and measure stages over their mapped shards."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import ray

from raymtl.extraction.store import FeatureSet, FeatureStore
from raymtl.faults import fault_point
from raymtl.loading.fits import FitRequest, Measurement, fit_all
from raymtl.loading.fitted import save_fit

Open = Callable[[Path, str], Any]


def open_features(root: Path, address: str) -> FeatureSet:
    """The feature set at `address` below `root`."""
    return FeatureStore(root).open(address)


class Meter:
    """An actor that measures the feature sets it is asked about, each opened once."""

    def __init__(self, root: Path, open_: Open = open_features) -> None:
        self._root, self._open = root, open_
        self._sets: dict[str, Any] = {}

    def measure(self, address: str, wanted: Sequence[Measurement]) -> list[Any]:
        """A summary for each measurement; clips that extraction skipped are left out."""
        fault_point("engine:measure")
        if address not in self._sets:
            self._sets[address] = self._open(self._root, address)
        features, answers = self._sets[address], []
        for measurement in wanted:
            if any(clip not in features.known for clip in features.skipped):
                train = tuple(i for i in measurement.train if i not in features.skipped)
                measurement = replace(measurement, train=train)
            answers.append(measurement.measure(features))
        return answers


class Meters:
    """The actors of one sweep, at most one a CPU; a feature set stays with its actor.

    A new process costs seconds and a measurement milliseconds: actors live through all rounds.
    """

    def __init__(self, root: Path, cpus: int, open_: Open = open_features) -> None:
        self._root, self._most, self._open = root, max(cpus, 1), open_
        self._actors: list[Any] = []
        self._owners: dict[str, Any] = {}

    def __call__(self, wanted: Sequence[Measurement]) -> list[Any]:
        """The summaries of `wanted`, in its order."""
        places: dict[str, list[int]] = {}
        for place, measurement in enumerate(wanted):
            places.setdefault(measurement.features, []).append(place)
        asked = {
            address: self._owner(address).measure.remote(address, [wanted[p] for p in at])
            for address, at in sorted(places.items())
        }
        answers: list[Any] = [None] * len(wanted)
        for address, reference in asked.items():
            for place, answer in zip(places[address], ray.get(reference), strict=True):
                answers[place] = answer
        return answers

    def _owner(self, address: str) -> Any:
        if address not in self._owners:
            if len(self._actors) < self._most:
                kind = ray.remote(num_cpus=1, max_restarts=3, max_task_retries=3)(Meter)
                self._actors.append(kind.remote(self._root, self._open))
            self._owners[address] = self._actors[len(self._owners) % len(self._actors)]
        return self._owners[address]

    def close(self) -> None:
        """Ends the actors: their CPUs are for lanes now."""
        for actor in self._actors:
            ray.kill(actor)
        self._actors.clear()
        self._owners.clear()


def fit_and_save(requests: Sequence[FitRequest], store: Path, cpus: int) -> None:
    """Fits every request and writes ``<store>/fits/<address>.json``.

    Raises:
        RaymtlError: for stages that do not fit the features, or a damaged feature set.
    """
    if not requests:
        return
    meters = Meters(store / "features", cpus)
    try:
        for address, fitted in fit_all(requests, meters).items():
            save_fit(store / "fits", address, fitted)
    except ray.exceptions.RayTaskError as error:
        raise error.cause from error
    finally:
        meters.close()

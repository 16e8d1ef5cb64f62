"""Fits: actors that hold feature sets open and measure stages over their mapped shards."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import cached_property, partial
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
    """Measures one feature set; an actor, so that it is opened once for all rounds."""

    def __init__(self, root: Path, address: str, open_: Open = open_features) -> None:
        self._open = partial(open_, root, address)

    @cached_property
    def _features(self) -> Any:
        """Opened by the first measurement: an error there reaches the caller as it is."""
        return self._open()

    def measure(self, wanted: Sequence[Measurement]) -> list[Any]:
        """A summary for each measurement; clips that extraction skipped are left out."""
        fault_point("engine:measure")
        known, answers = self._features.known, []
        for measurement in wanted:
            if any(clip not in known for clip in self._features.skipped):
                train = tuple(i for i in measurement.train if i not in self._features.skipped)
                measurement = replace(measurement, train=train)
            answers.append(measurement.measure(self._features))
        return answers


class Meters:
    """The actors of one sweep, one a feature set; at most as many alive as there are CPUs."""

    def __init__(self, root: Path, cpus: int, open_: Open = open_features) -> None:
        self._root, self._most, self._open = root, max(cpus, 1), open_
        self._alive: dict[str, Any] = {}

    def __call__(self, wanted: Sequence[Measurement]) -> list[Any]:
        """The summaries of `wanted`, in its order."""
        places: dict[str, list[int]] = {}
        for place, measurement in enumerate(wanted):
            places.setdefault(measurement.features, []).append(place)
        answers: list[Any] = [None] * len(wanted)
        addresses = sorted(places, key=lambda address: address not in self._alive)
        for start in range(0, len(addresses), self._most):
            window = addresses[start : start + self._most]
            asked = {a: self._actor(a, window).measure.remote([wanted[p] for p in places[a]])
                     for a in window}
            for address, reference in asked.items():
                for place, answer in zip(places[address], ray.get(reference), strict=True):
                    answers[place] = answer
        return answers

    def _actor(self, address: str, wanted: Sequence[str]) -> Any:
        if address not in self._alive:
            idle = [other for other in self._alive if other not in wanted]
            if len(self._alive) >= self._most and idle:
                ray.kill(self._alive.pop(idle[0]))
            kind = ray.remote(num_cpus=1, max_restarts=3, max_task_retries=3)(Meter)
            self._alive[address] = kind.remote(self._root, address, self._open)
        return self._alive[address]

    def close(self) -> None:
        """Ends the actors: their CPUs are for lanes now."""
        for actor in self._alive.values():
            ray.kill(actor)
        self._alive.clear()


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

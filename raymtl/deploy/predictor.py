"""A trained network with all that stands before it: from recordings to answers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from raymtl.deploy.answers import Answer, answer
from raymtl.deploy.recipe import Front, Recipe
from raymtl.deploy.rows import Row, batches, cut_rows, rows_of
from raymtl.deploy.sounds import (
    Piece,
    Spans,
    checked,
    from_file,
    from_memory,
    of_segments,
    spans,
)
from raymtl.errors import AudioError, StudyError
from raymtl.extraction.audio import Signal
from raymtl.extraction.rows import TableDecoding
from raymtl.tasks import Floats, Task

Window = float | Literal["auto"] | None
_PIECES = 64  # taken through the network at a time
_LONG = 300.0  # seconds: longer recordings are taken in parts where the stages cut windows


class Predictor:
    """Answers of one network; made by `raymtl.load`.

    recipe: what it is. record: how it was trained and scored, as its run's record.json says.
    epoch: whose weights it has.
    """

    def __init__(
        self, recipe: Recipe, weights: Mapping[str, Tensor], record: Mapping[str, Any], epoch: int
    ) -> None:
        self.recipe, self.record, self.epoch = recipe, dict(record), epoch
        self.tasks: dict[str, Task] = {task.name: task for task in recipe.tasks}
        self.network = recipe.model.build(recipe.shape, recipe.tasks, 0)
        self.network.load_state_dict(dict(weights))
        self.network.eval()

    @property
    def sources(self) -> list[str]:
        """Those it was trained on, whose signal and stages it knows."""
        return list(self.recipe.fronts)

    def predict(
        self,
        waveform: npt.NDArray[Any] | Tensor,
        rate: int,
        *,
        window: Window = None,
        hop: float | None = None,
        source: str | None = None,
    ) -> dict[str, Answer]:
        """Task -> what the network says of one recording.

        Args:
            waveform: (samples,) or (channels, samples), of numpy or torch: floats at full scale 1,
                or integers of 16 or 32 bits at theirs; rate: its, in Hz.
            window: seconds to hear at a time; None takes the recording as training takes a clip
                (of a long one it may hear the beginning alone: see `Answer.end`); ``auto`` cuts
                windows where it is longer than every clip of training.
            hop: seconds from window to window; without it, half a window.
            source: whose signal and stages to use; without it, those of each task's source.

        Raises:
            StudyError: when it is not clear whose stages to use, or the network takes no sound.
            AudioError: for a waveform that is none.
        """
        wave = checked(waveform, rate)
        length = wave.shape[1] / rate
        answers: dict[str, Answer] = {}
        for name, heads in self.fronts(source).items():
            front = self.recipe.fronts[name]
            if not isinstance(front.signal, Signal):
                raise StudyError(
                    f"{self.recipe.run}: takes {front.signal.media}s, not sound. Give it files."
                )
            if front.signal.rate is None and rate != front.rate:
                raise AudioError(f"{rate} Hz; the network learnt from {front.rate} Hz alone.")
            at = self._spans(front, length, window, hop)
            answers |= self._answers(name, heads, from_memory(wave, rate, front.signal, at))
        return {task: answers[task] for task in self.tasks if task in answers}

    def predict_file(
        self,
        path: Path | str,
        *,
        key: str | None = None,
        window: Window = None,
        hop: float | None = None,
        source: str | None = None,
    ) -> dict[str, Answer]:
        """As `predict`, of a file, decoded as in training; long ones are never in memory whole.

        Args:
            key: of a file that holds many clips (a table), the one that is meant.

        Raises:
            DecodingError: why it cannot be decoded.
        """
        path = Path(path)
        answers: dict[str, Answer] = {}
        for name, heads in self.fronts(source).items():
            front, at = self.recipe.fronts[name], None
            if isinstance(front.signal, Signal):
                head = front.signal.header(path)
                if front.signal.rate is None and head.rate != front.rate:
                    raise AudioError(f"{head.rate} Hz; the network learnt from {front.rate} Hz.")
                at = self._spans(front, head.frames / head.rate, window, hop)
            answers |= self._answers(name, heads, from_file(path, front.signal, at, key))
        return {task: answers[task] for task in self.tasks if task in answers}

    def keys(self, path: Path | str, source: str | None = None) -> list[str]:
        """Keys of the clips that a table holds; none where a file is one clip.

        Raises:
            DecodingError: for a table that cannot be used.
        """
        signals = [self.recipe.fronts[name].signal for name in self.fronts(source)]
        tables = [signal for signal in signals if isinstance(signal, TableDecoding)]
        return tables[0].keys(Path(path)) if tables else []

    def fronts(self, source: str | None = None) -> dict[str, list[str]]:
        """Source -> heads that are answered behind its signal and stages.

        Raises:
            StudyError: for an unknown source, or a head whose sources differ in their stages.
        """
        known = self.recipe.fronts
        if source is not None:
            if source not in known:
                raise StudyError(
                    f"source {source!r}: the run was trained on {', '.join(known)}. Name one."
                )
            return {source: list(self.tasks)}
        chosen: dict[str, list[str]] = {}
        for head in self.tasks:
            owners = [name for name, front in known.items() if head in front.tasks]
            if any(not _alike(known[owners[0]], known[other]) for other in owners[1:]):
                raise StudyError(
                    f"task {head!r} is learnt from {' and '.join(owners)}, whose signals or stages "
                    "differ. Say whose to use: source=..., or --source."
                )
            same = next((n for n in chosen if _alike(known[n], known[owners[0]])), owners[0])
            chosen.setdefault(same, []).append(head)
        return chosen

    def scores(
        self, source: str, heads: Sequence[str], pieces: Sequence[Piece]
    ) -> tuple[dict[str, Floats], list[Row]]:
        """Head -> (rows, outputs) probabilities, and the rows, in the order of the pieces."""
        rows = self.rows(source, pieces)
        return self.scores_of(source, heads, rows), rows

    def scores_of(
        self, source: str, heads: Sequence[str], rows: Sequence[Row]
    ) -> dict[str, Floats]:
        """Head -> (rows, outputs) probabilities."""
        front, shape = self.recipe.fronts[source], self.recipe.shape
        found = {
            head: np.zeros((len(rows), self.tasks[head].outputs), np.float32) for head in heads
        }
        bf16 = self.recipe.precision == "bfloat16"
        with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16, enabled=bf16):
            for places, inputs in batches(rows, front, shape):
                for head, output in self.network(inputs, list(heads)).items():
                    found[head][places] = self.tasks[head].scores(output.float()).numpy()
        return found

    def rows(self, source: str, pieces: Sequence[Piece]) -> list[Row]:
        """What the network is given of the pieces."""
        front, shape = self.recipe.fronts[source], self.recipe.shape
        return rows_of(pieces, front, self.recipe.extraction, shape)

    def stored(self, source: str, matrices: Sequence[Floats]) -> list[Row]:
        """Rows of clips whose features, (channels, frames, features) each, a store has."""
        heard = [(0.0, 0.0)] * len(matrices)
        front, shape = self.recipe.fronts[source], self.recipe.shape
        return cut_rows(matrices, heard, front, self.recipe.extraction, shape)

    def _answers(
        self, source: str, heads: Sequence[str], pieces: Iterable[Piece]
    ) -> dict[str, Answer]:
        waiting = iter(pieces)
        parts: dict[str, list[Floats]] = {head: [] for head in heads}
        times: list[tuple[float, float]] = []
        while some := list(islice(waiting, _PIECES)):
            found, rows = self.scores(source, heads, some)
            times += [(row.start, row.end) for row in rows]
            for head, scores in found.items():
                parts[head].append(scores)
        return {h: answer(self.tasks[h], np.concatenate(parts[h]), times) for h in heads}

    def _spans(self, front: Front, seconds: float, window: Window, hop: float | None) -> Spans:
        signal = front.signal
        for number in (window, hop):
            if isinstance(number, int | float) and not 0 < number < float("inf"):
                raise StudyError(f"window {window}, hop {hop}; expected seconds above 0.")
        if window is None or (window == "auto" and seconds <= front.longest):
            if isinstance(signal, Signal) and signal.segments is not None:
                return of_segments(seconds, signal.segments)
            return [(0.0, seconds)]
        size = self.hears(front) if window == "auto" else window
        step = hop if hop is not None else size if front.stages.windows else size / 2
        return spans(seconds, size, step)

    def hears(self, front: Front) -> float:
        """Seconds of a window that the network hears whole, and that are like its clips."""
        if isinstance(front.signal, Signal) and front.signal.segments is not None:
            return front.signal.segments.seconds
        rate = self.recipe.extraction.frame_rate(front.rate)
        if front.stages.cut is not None and rate:
            return min(front.stages.cut.frames / rate, front.longest)
        return max(front.longest, _LONG) if front.stages.windows else front.longest


def _alike(one: Front, other: Front) -> bool:
    """Whether both make the same rows of a recording."""
    return (
        one.signal == other.signal
        and one.rate == other.rate
        and one.stages.to_plain() == other.stages.to_plain()
    )

"""A run in progress: its steps, its epochs, and its exact state."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import astuple
from pathlib import Path

import torch
from torch import Tensor, nn

from raymtl.errors import Diverged
from raymtl.loading.batches import Rows, passes
from raymtl.models.model import Model, parameters
from raymtl.models.sharing import sharing
from raymtl.tasks import Task
from raymtl.training.checkpoint import (
    State,
    copy_state,
    identity,
    optimiser_tensors,
    restore_optimiser,
    save_state,
    under,
)
from raymtl.training.cost import cost, forget_memory
from raymtl.training.keeping import Keeper
from raymtl.training.outcome import (
    EpochReport,
    HistoryRow,
    Outcome,
    Points,
    RunData,
    history_rows,
)
from raymtl.training.ranks import Ranks
from raymtl.training.scoring import autocast, score_all, validate
from raymtl.training.selection import Best, is_over
from raymtl.training.steps import Batch, Feeder, common_shape, reseed
from raymtl.training.sums import LossSums
from raymtl.training.training import Training


class Run:
    """State of one run. `epoch` counts finished epochs, `position` the steps into the next one."""

    def __init__(
        self,
        model: Model,
        training: Training,
        data: RunData,
        tasks: Mapping[str, Task],
        seed: int,
        device: str,
        ranks: Ranks,
        keeper: Keeper,
    ) -> None:
        self._training, self._data, self._tasks = training, data, tasks
        self._seed, self._device, self.ranks, self._keeper = seed, device, ranks, keeper
        forget_memory(device)
        shape = common_shape(data.train)
        self._identity = identity(model, training, tasks, seed, data)
        self._network = model.build(shape, list(tasks.values()), seed).to(device)
        self._trained = [p for p in self._network.parameters() if p.requires_grad]
        self._optimiser = training.optimiser.build(self._trained)
        self._feeder = Feeder(data.train, device)
        self._sizes = {name: len(part.inputs) for name, part in data.train.items()}
        self._weights = dict(training.weights)
        self._sums = LossSums(tasks, device)
        self._best_weights: dict[str, Tensor] = {}
        self._best = Best()
        self.epoch = self.position = self._steps = 0
        self._history: list[HistoryRow] = []
        self._passes = dict.fromkeys(data.train, 0.0)
        self._seconds = self._epoch_seconds = 0.0
        self._clock = time.monotonic()
        self._plan = self._planned()

    @property
    def over(self) -> bool:
        """Whether there is nothing left to train."""
        return is_over(self._best, self.epoch, self._training)

    def steps(self) -> Iterator[bool]:
        """Takes the steps left in this epoch; yields after each whether it was the last."""
        if self.position == 0:
            self._plan = self._planned()
            reseed(self._seed, self.epoch + 1, self.ranks.rank)
        self._network.train()
        plan = self._plan
        for step in plan[self.position :]:
            self._step(self._feeder.batch(self.ranks.share(step)), len(plan))
            self.position += 1
            yield self.position == len(plan)

    def finish_epoch(self, report: Callable[[EpochReport], None]) -> None:
        """Validates, keeps the weights if they are the best so far or asked for, and reports."""
        self.epoch, self.position = self.epoch + 1, 0
        losses = self._sums.means(self.ranks, self.epoch)
        self.ranks.mean_buffers(self._network)
        points = self._agreed_points()
        seen = passes(self._plan, self._sizes)
        self._passes = {name: self._passes[name] + seen[name] for name in seen}
        self._best = self._best.after(self.epoch, points, self._training.select)
        if self._best.epoch == self.epoch:
            copy_state(self._network, self._best_weights)
        self.keep()
        self._history += history_rows(self.epoch, self._rate(), losses, points, self._tasks)
        self._tick()
        report(
            EpochReport(
                self.epoch,
                self._training.epochs,
                losses,
                points,
                self._rate(),
                seen,
                self._epoch_seconds,
                self._best.epoch,
            )
        )
        self._epoch_seconds = 0.0

    def keep(self) -> None:
        """Writes the weights of the epoch just ended if they are asked for; process 0 does it."""
        if self.ranks.rank == 0:
            self._keeper.after(self.epoch, self._network.state_dict(), self.over)

    def outcome(self) -> Outcome:
        """Scores the best epoch, the test part for the first and only time."""
        self._network.load_state_dict(self._best_weights)
        scores, said = score_all(
            self._network, self._data, self._tasks, self._device, self._training.precision
        )
        self._tick()
        clip = self._feeder.middle()
        weights = {name: value.cpu() for name, value in self._best_weights.items()}
        return Outcome(
            self._history,
            self._best.epoch,
            self.epoch,
            scores,
            said,
            self._passes,
            self._steps,
            self._seconds,
            parameters(self._network),
            weights,
            cost(self._network, clip, self._device),
            sharing(self._network, clip, tuple(self._tasks)).facts(),
        )

    def _planned(self) -> list[dict[str, Rows]]:
        return self._training.batches.epoch(self._sizes, self._seed, self.epoch + 1)

    def _step(self, batch: Batch, epoch_steps: int) -> None:
        self._set_rate(epoch_steps)
        self._optimiser.zero_grad(set_to_none=True)
        total = self._loss(batch)
        if self._device == "cpu" and self.ranks.alone and not math.isfinite(total.item()):
            raise Diverged(
                f"the training loss is {total.item()} in epoch {self.epoch + 1}, step "
                f"{self.position + 1}."
            )
        if total.requires_grad:
            total.backward()  # type: ignore[no-untyped-call]
        self.ranks.total_gradients(self._trained)
        if self._training.clip is not None:
            nn.utils.clip_grad_norm_(self._trained, self._training.clip)
        self._optimiser.step()
        self._steps += 1

    def _loss(self, batch: Batch) -> Tensor:
        """Combined mean losses over the whole step; a process holds its share of the sum."""
        names = list(batch.targets)
        sums = {name: (torch.zeros((), device=self._device),) * 2 for name in names}
        if len(batch.inputs["features"]):
            with autocast(self._device, self._training.precision):
                outputs = self._network(batch.inputs, names)
            for name in names:
                sums[name] = self._tasks[name].loss_sum(outputs[name].float(), *batch.targets[name])
        counts = self.ranks.totals([sums[name][1] for name in names])
        self._sums.add(sums)
        means = {
            name: sums[name][0] / count.clamp(min=1)
            for name, count in zip(names, counts, strict=True)
        }
        return self._training.balance.combine(means, self._weights)

    def _agreed_points(self) -> Points:
        """Process 0 scores for all, so that all choose and stop alike.

        Raises:
            Diverged: on every process, when a validation loss is not finite.
        """
        found: Points | Diverged = {}
        if self.ranks.rank == 0:
            try:
                found = validate(
                    self._network, self._data, self._tasks, self._device, self._training.precision
                )
            except Diverged as error:
                found = error
        found = self.ranks.first(found)
        if isinstance(found, Diverged):
            raise found
        return found

    def _set_rate(self, epoch_steps: int) -> None:
        schedule = self._training.schedule
        if schedule is not None:
            whole = self._training.epochs * epoch_steps
            factor = schedule.factor(self._steps, whole, epoch_steps)
            for group in self._optimiser.param_groups:
                group["lr"] = self._training.optimiser.rate * factor

    def _rate(self) -> float:
        return float(self._optimiser.param_groups[0]["lr"])

    def _tick(self) -> None:
        """Adds the time since the last call to the run's and the epoch's."""
        now = time.monotonic()
        self._seconds += now - self._clock
        self._epoch_seconds += now - self._clock
        self._clock = now

    def save(self, folder: Path) -> None:
        """Writes the exact state; process 0 does it for all.

        Raises:
            StoreError: when it cannot be written.
            Diverged: when there is nothing left worth saving.
        """
        if self.ranks.rank:
            return
        self._tick()
        sums = self._sums.settled()
        if not all(math.isfinite(loss) for loss, _ in sums.values()):
            raise Diverged(f"the training loss is not finite in epoch {self.epoch + 1}.")
        tensors = {f"network/{k}": v.cpu() for k, v in self._network.state_dict().items()}
        tensors |= {f"best/{k}": v.cpu() for k, v in self._best_weights.items()}
        tensors |= optimiser_tensors(self._optimiser)
        tensors["rng/cpu"] = torch.get_rng_state()
        if self._device != "cpu":
            tensors["rng/device"] = torch.cuda.get_rng_state(self._device)
        save_state(
            folder,
            State(
                tensors,
                {
                    "identity": self._identity,
                    "epoch": self.epoch,
                    "position": self.position,
                    "steps": self._steps,
                    "best": list(astuple(self._best)),
                    "rate": self._rate(),
                    "history": [list(astuple(row)) for row in self._history],
                    "passes": self._passes,
                    "sums": {name: list(pair) for name, pair in sums.items()},
                    "seconds": self._seconds,
                    "epoch_seconds": self._epoch_seconds,
                    "kept": self._keeper.digests,
                },
            ),
        )

    def resume(self) -> None:
        """Goes on from the newest checkpoint that verifies and is of this run, if there is one."""
        state = self._keeper.newest(self._identity) if self.ranks.rank == 0 else None
        state = self.ranks.first(state)
        if state is None:
            return
        self._restore_tensors(state.tensors)
        said = state.progress
        self.epoch, self.position = said["epoch"], said["position"]
        self._steps, self._passes = said["steps"], dict(said["passes"])
        self._sums.restore(said["sums"])
        epoch, key, stale = said["best"]
        self._best = Best(epoch, (key[0], key[1]), stale)
        self._history = [HistoryRow(*row) for row in said["history"]]
        self._seconds, self._epoch_seconds = said["seconds"], said["epoch_seconds"]
        for group in self._optimiser.param_groups:
            group["lr"] = said["rate"]
        self._plan = self._planned()

    def _restore_tensors(self, tensors: Mapping[str, Tensor]) -> None:
        self._network.load_state_dict(under("network/", tensors))
        restore_optimiser(self._optimiser, self._trained, tensors)
        self._best_weights = {
            name: value.to(self._device) for name, value in under("best/", tensors).items()
        }
        torch.set_rng_state(tensors["rng/cpu"])
        if "rng/device" in tensors and self._device != "cpu":
            torch.cuda.set_rng_state(tensors["rng/device"], self._device)

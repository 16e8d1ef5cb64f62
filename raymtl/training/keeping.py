"""Weights of epochs that are kept besides the best one's, written as a run goes on."""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

from safetensors.torch import save
from torch import Tensor

from raymtl.durable import file_digest, write_durably
from raymtl.kept import EPOCHS, Keep, epoch_file, epoch_of
from raymtl.training.checkpoint import State, load_newest


class Keeper:
    """The kept epochs of a run in progress; `digests`: SHA-256 of each epoch's file."""

    def __init__(self, folder: Path, keep: Keep) -> None:
        self._folder, self._keep = folder, keep
        self.digests: dict[int, str] = {}

    def after(self, epoch: int, weights: Mapping[str, Tensor], over: bool) -> None:
        """Writes the weights if this epoch is kept and not yet written.

        over: whether no epoch follows.

        Raises:
            StoreError: when they cannot be written.
        """
        wanted = self._keep.wants(epoch) or (over and self._keep.last)
        if wanted and epoch not in self.digests:
            content = save({k: v.detach().cpu().contiguous() for k, v in weights.items()})
            write_durably(self._folder / epoch_file(epoch), content)
            self.digests[epoch] = sha256(content).hexdigest()

    def newest(self, identity: str) -> State | None:
        """The newest checkpoint with every epoch that it should have, as it was written then.

        What it does not speak of is removed; without a checkpoint, all.
        """
        state = load_newest(self._folder, identity, self._accepts)
        self.digests = {} if state is None else self._whole(state.progress)
        for path in (self._folder / EPOCHS).glob("*"):
            if epoch_of(f"{EPOCHS}/{path.name}") not in self.digests:
                path.unlink()
        return state

    def _accepts(self, progress: Mapping[str, Any]) -> bool:
        whole = self._whole(progress)
        return all(e in whole for e in range(1, progress["epoch"] + 1) if self._keep.wants(e))

    def _whole(self, progress: Mapping[str, Any]) -> dict[int, str]:
        said = {int(epoch): str(digest) for epoch, digest in progress.get("kept", {}).items()}
        paths = {epoch: self._folder / epoch_file(epoch) for epoch in said}
        return {e: d for e, d in said.items() if paths[e].is_file() and file_digest(paths[e]) == d}

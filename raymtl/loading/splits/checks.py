"""What every split must hold, whoever made it."""

from __future__ import annotations

import numpy as np

from raymtl.errors import StudyError
from raymtl.loading.splits.view import OUT, TEST, TRAIN, VALIDATION, Sides, View
from raymtl.spec import Spec, describe


def check_parts(view: View, sides: Sides, splitter: Spec, validated: bool) -> None:
    """No part is empty and every label that occurs is trained, in each split; sides (N, folds).

    Raises:
        StudyError: naming source, split, labels and what can be done.
    """
    parts = {"training": TRAIN, "test": TEST} | ({"validation": VALIDATION} if validated else {})
    for fold in range(sides.shape[1]):
        for part, side in parts.items():
            if not (sides[:, fold] == side).any():
                raise StudyError(_empty(view, sides[:, fold], splitter, part, fold))
        used = view.flags[sides[:, fold] != OUT, :-1].any(axis=0)
        trained = view.flags[sides[:, fold] == TRAIN, :-1].any(axis=0)
        if (used & ~trained).any():
            raise StudyError(_untrained(view, np.flatnonzero(used & ~trained), splitter, fold))


def _empty(view: View, side: Sides, splitter: Spec, part: str, fold: int) -> str:
    trained = len(np.unique(view.component[(side == TRAIN) | (side == VALIDATION)]))
    tested = len(np.unique(view.component[side == TEST]))
    remedy = (
        "Use fewer folds, set which kinds of groups are kept together (groups=), or train without "
        "a validation part: Validation(0)."
        if part == "validation"
        else "Use another splitter for this source (folds=), or set which kinds of groups are kept "
        "together (groups=)."
    )
    return (
        f"source {view.name}, split {fold + 1} of {describe(splitter)}: the {part} part is empty; "
        f"{trained} groups train and {tested} test. {remedy}"
    )


def _untrained(view: View, labels: np.ndarray, splitter: Spec, fold: int) -> str:
    counts = view.counts()
    shown = ", ".join(
        f"{view.labels[k]!r} ({int(counts[:, k].sum())} clips in "
        f"{int((counts[:, k] > 0).sum())} groups)"
        for k in labels[:5]
    )
    more = f" (+{len(labels) - 5} more)" if len(labels) > 5 else ""
    name = view.labels[labels[0]].split(":", 1)[1]
    return (
        f"source {view.name}, split {fold + 1} of {describe(splitter)}: nothing would train "
        f"{shown}{more}. A label must occur in enough groups to be on the training side of every "
        f"split. Leave it out (limit={{{name!r}: 0}}), use another splitter, or set which kinds of "
        "groups are kept together (groups=)."
    )

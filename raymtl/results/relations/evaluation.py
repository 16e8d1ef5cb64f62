"""Can what is known of tasks alone tell which pairs gain? Beside what a name alone would tell.

Pairs of tasks are few and share tasks, so a random part of them is no test: a model that merely
knows which main tasks gain looks good. Here the task in question is held out in both roles.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import sklearn
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import brier_score_loss, f1_score, roc_auc_score
from sklearn.model_selection import KFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler

from raymtl.errors import StudyError
from raymtl.results.relations.nodes import moved, rearrangements, tail

Doubles = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
Codes = npt.NDArray[np.int64]
Fold = tuple[Codes, Codes]  # rows to learn from, rows to tell
BASELINES = ("majority", "main identity", "partner identity")
FEATURES = "features"


@dataclass(frozen=True, eq=False)
class Pairs:
    """Ordered pairs of tasks.

    names: tasks. main, partner: (N,) numbers of `names`. gains: (N,) whether the main task gains.
    values: (N, F) what is known of the pair, finite; columns: its F names.
    """

    names: tuple[str, ...]
    main: Codes
    partner: Codes
    gains: Bools
    values: Doubles
    columns: tuple[str, ...]

    def __post_init__(self) -> None:
        if not np.isfinite(self.values).all():
            raise StudyError("pairs: a feature is not finite. Leave its column or row out.")


@dataclass(frozen=True)
class Told:
    """How well one way of telling does on rows that it did not learn from.

    method: a baseline or what it knows. auc: None where all or none gain.
    """

    method: str
    auc: float | None
    accuracy: float
    f1: float
    brier: float


@dataclass(frozen=True)
class Answer:
    """Whether features of tasks tell who gains, in one word and in one sentence.

    verdict: "better than baseline", "no better than baseline" or "too little to tell".
    p: share of node permutations with as large an area under the curve.
    told: features first, then the baselines, each with the task held out in both roles.
    random: the same under random folds, which flatter; mean over repetitions.
    """

    verdict: str
    sentence: str
    pairs: int
    gains: int
    p: float | None
    told: tuple[Told, ...]
    random: tuple[Told, ...]


def evaluate(
    pairs: Pairs, draws: int = 99, repeats: int = 10, level: float = 0.05, seed: int = 0
) -> Answer:
    """The features beside the baselines, and whether chance does as well.

    Better than baseline means: p below `level`, and auc, accuracy and Brier score all better than
    of every baseline (and an auc above 0.5).
    """
    count = int(pairs.gains.sum())
    if len(set(pairs.main)) < 3 or min(count, len(pairs.gains) - count) < 2:
        sentence = (
            f"Too little to tell: {count} of {len(pairs.gains)} pairs gain, over "
            f"{len(set(pairs.main))} tasks; three tasks, two pairs that gain and two that do not "
            "are the least."
        )
        return Answer("too little to tell", sentence, len(pairs.gains), count, None, (), ())
    folds = list(leave_task_out(pairs))
    told = tuple(tell(pairs, method, folds) for method in (FEATURES, *BASELINES))
    p = permutation_p(pairs, folds, told[0].auc, draws, seed)
    better = p is not None and p < level and beats_all(told)
    random = tuple(random_folds(pairs, method, repeats, seed) for method in (FEATURES, *BASELINES))
    verdict = "better than baseline" if better else "no better than baseline"
    return Answer(verdict, _sentence(verdict, told, p), len(pairs.gains), count, p, told, random)


def leave_task_out(pairs: Pairs) -> Iterator[Fold]:
    """For each main task: the pairs without it in either role, and those that it is the main of."""
    for task in sorted(set(pairs.main.tolist())):
        learn = np.flatnonzero((pairs.main != task) & (pairs.partner != task))
        if len(learn):
            yield learn, np.flatnonzero(pairs.main == task)


def leave_main_out(pairs: Pairs) -> Iterator[Fold]:
    """The same with the task held out as a main task only."""
    for task in sorted(set(pairs.main.tolist())):
        yield np.flatnonzero(pairs.main != task), np.flatnonzero(pairs.main == task)


def tell(pairs: Pairs, method: str, folds: Sequence[Fold]) -> Told:
    """The scores of all told rows together."""
    probability, rows = _probabilities(_known(pairs, method), pairs.gains, folds)
    return _scored(method, pairs.gains[rows], probability)


def random_folds(pairs: Pairs, method: str, repeats: int = 100, seed: int = 0, k: int = 5) -> Told:
    """Mean over repetitions of shuffled k folds, as Bingel & Søgaard (EACL 2017) test; each fold is
    scored by itself for f1 and accuracy, all together for the rest."""
    found = []
    for repeat in range(repeats):
        split = KFold(min(k, len(pairs.gains)), shuffle=True, random_state=seed + repeat)
        folds = list(split.split(pairs.gains))
        probability, rows = _probabilities(_known(pairs, method), pairs.gains, folds)
        whole = _scored(method, pairs.gains[rows], probability)
        ends = np.cumsum([len(test) for _, test in folds])[:-1]
        said = zip(np.split(pairs.gains[rows], ends), np.split(probability, ends), strict=True)
        each = [_scored(method, gains, part) for gains, part in said]
        f1, accuracy = (float(np.mean([getattr(e, n) for e in each])) for n in ("f1", "accuracy"))
        found.append(replace(whole, f1=f1, accuracy=accuracy))
    aucs = [one.auc for one in found if one.auc is not None]
    return Told(
        method,
        float(np.mean(aucs)) if aucs else None,
        *(
            float(np.mean([getattr(o, name) for o in found]))
            for name in ("accuracy", "f1", "brier")
        ),
    )


def permutation_p(
    pairs: Pairs, folds: Sequence[Fold], auc: float | None, draws: int, seed: int = 0
) -> float | None:
    """How often tasks that change places, and so gains, are told as well by the features.

    Pairs that were not measured after the change are left out of that draw.
    """
    if auc is None:
        return None
    size = len(pairs.names)
    matrix = np.full((size, size), np.nan)
    matrix[pairs.main, pairs.partner] = pairs.gains
    null = []
    for places in rearrangements(size, draws, seed):
        gains = moved(matrix, places)[pairs.main, pairs.partner]
        known = np.isfinite(gains)
        kept = [(learn[known[learn]], test[known[test]]) for learn, test in folds]
        kept = [(learn, test) for learn, test in kept if len(learn) and len(test)]
        outcome = np.where(known, gains, 0.0).astype(np.bool_)
        probability, rows = _probabilities(pairs.values, outcome, kept)
        found = _auc(outcome[rows], probability)
        if found is not None:
            null.append(found)
    return tail(auc, null) if null else None


def _known(pairs: Pairs, method: str) -> Doubles:
    """(N, F) what a method may know of each pair."""
    names = np.eye(len(pairs.names))
    of: dict[str, Callable[[], Doubles]] = {
        FEATURES: lambda: pairs.values,
        "majority": lambda: np.zeros((len(pairs.gains), 0)),
        "main identity": lambda: names[pairs.main],
        "partner identity": lambda: names[pairs.partner],
        "both identities": lambda: np.hstack([names[pairs.main], names[pairs.partner]]),
    }
    if method not in of:
        raise StudyError(f"method {method!r}: expected one of {', '.join(of)}.")
    return of[method]()


def _probabilities(values: Doubles, gains: Bools, folds: Sequence[Fold]) -> tuple[Doubles, Codes]:
    """Probability of a gain for each told row, and the rows."""
    with sklearn.config_context(assume_finite=True, skip_parameter_validation=True):  # small fits
        told = [_fitted(values[learn], gains[learn], values[test]) for learn, test in folds]
    if not told:
        return np.zeros(0), np.zeros(0, np.int64)
    return np.concatenate(told), np.concatenate([test for _, test in folds])


def _fitted(values: Doubles, gains: Bools, wanted: Doubles) -> Doubles:
    """Logistic regression on scaled values; the share that gains where there is nothing to fit."""
    if not values.shape[1] or gains.all() or not gains.any():
        return np.full(len(wanted), gains.mean())
    model: Any = make_pipeline(MinMaxScaler(), LogisticRegression(solver="newton-cholesky"))
    found: Doubles = model.fit(values, gains).predict_proba(wanted)[:, 1]
    return found


def _scored(method: str, gains: Bools, probability: Doubles) -> Told:
    said = probability > 0.5
    return Told(
        method,
        _auc(gains, probability),
        float((said == gains).mean()),
        float(f1_score(gains, said, zero_division=0)),
        float(brier_score_loss(gains, probability, labels=[False, True])),
    )


def _auc(gains: Bools, probability: Doubles) -> float | None:
    if not len(gains) or gains.all() or not gains.any():
        return None
    return float(roc_auc_score(gains, probability))


def beats_all(told: Sequence[Told]) -> bool:
    """Whether the first is better than all others by auc, accuracy and Brier score."""
    return bool(told) and all(_beats(told[0], other) for other in told[1:])


def _beats(one: Told, other: Told) -> bool:
    bar = max(other.auc or 0.5, 0.5)  # a constant of each fold ranks the folds backwards
    return (one.auc or 0) > bar and one.accuracy > other.accuracy and one.brier < other.brier


def _sentence(verdict: str, told: Sequence[Told], p: float | None) -> str:
    best = max(told[1:], key=lambda one: one.accuracy)
    chance = "" if p is None else f"; permuted tasks do as well with p = {p:.3f}"
    return (
        f"{verdict.capitalize()}: for a task never seen, the features tell "
        f"{told[0].accuracy:.0%} of pairs right, {best.method} {best.accuracy:.0%}{chance}."
    )

"""Can what is known of tasks alone tell which pairs gain? Beside what a name alone would tell.

Pairs of tasks are few and share tasks, so a random part of them is no test: a model that merely
knows which main tasks gain looks good. Here the task in question is held out in both roles.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from raymtl.errors import StudyError
from raymtl.results.relations.nodes import all_moved, tail
from raymtl.results.relations.ranks import areas
from raymtl.results.relations.regression import probabilities

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
    shuffled = [_shuffled(len(pairs.gains), k, seed + repeat) for repeat in range(repeats)]
    every = [fold for folds in shuffled for fold in folds]
    said, rows = _probabilities(_known(pairs, method), pairs.gains, every)
    found = []
    for folds, part, at in zip(
        shuffled, np.split(said, repeats), np.split(rows, repeats), strict=True
    ):
        whole = _scored(method, pairs.gains[at], part)
        ends = np.cumsum([len(test) for _, test in folds])[:-1]
        parts = zip(np.split(pairs.gains[at], ends), np.split(part, ends), strict=True)
        each = [_scored(method, *one) for one in parts]
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
    gains = all_moved(matrix, draws, seed)[:, pairs.main, pairs.partner]
    known = np.isfinite(gains)
    outcome = known & (gains > 0)
    said, told = np.zeros(gains.shape), np.zeros(gains.shape, np.bool_)
    for learn, test in folds:
        rows = np.zeros(gains.shape, np.bool_)
        rows[:, learn] = known[:, learn]
        both = np.flatnonzero(rows.any(axis=1) & known[:, test].any(axis=1))
        at = np.ix_(both, test)
        said[at] = probabilities(pairs.values, outcome[both], rows[both])[:, test]
        told[at] = known[at]
    null = areas(outcome, said, told)
    null = null[np.isfinite(null)]
    return tail(auc, null.tolist()) if len(null) else None


def _shuffled(rows: int, k: int, seed: int) -> list[Fold]:
    """Shuffled folds, those of scikit-learn's ``KFold(k, shuffle=True, random_state=seed)``."""
    order = np.arange(rows)
    np.random.RandomState(seed).shuffle(order)
    tests = [np.sort(part) for part in np.array_split(order, min(k, rows))]
    return [(np.setdiff1d(order, test), test) for test in tests]


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
    if not folds:
        return np.zeros(0), np.zeros(0, np.int64)
    learn = np.zeros((len(folds), len(gains)), np.bool_)
    for at, (rows, _) in enumerate(folds):
        learn[at, rows] = True
    said = probabilities(values, np.broadcast_to(gains, learn.shape), learn)
    tests = [test for _, test in folds]
    return np.concatenate([said[at, test] for at, test in enumerate(tests)]), np.concatenate(tests)


def _scored(method: str, gains: Bools, probability: Doubles) -> Told:
    said = probability > 0.5
    area = float(areas(gains[None], probability[None], np.ones((1, len(gains)), np.bool_))[0])
    hits, wrong = int((said & gains).sum()), int((said != gains).sum())
    return Told(
        method,
        area if np.isfinite(area) else None,
        float((said == gains).mean()),
        2 * hits / (2 * hits + wrong) if hits or wrong else 0.0,
        float(((probability - gains) ** 2).mean()),
    )


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

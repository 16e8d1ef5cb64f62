"""The table of transfer: for every task and partner set what it gains, how sure, in one word."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pyarrow as pa

from raymtl.errors import StudyError
from raymtl.results.state import SweepState
from raymtl.results.table import TOGETHER
from raymtl.results.transfer.beside import over_controls, over_methods
from raymtl.results.transfer.fixed import FixedSet, fixed_sets
from raymtl.results.transfer.gains import Gain, What, gains, scored
from raymtl.results.transfer.inference import (
    Interval,
    benjamini_hochberg,
    corrected_t,
    holm,
    over_seeds,
    without_spread,
)
from raymtl.results.transfer.spent import reached_epochs, spent
from raymtl.results.transfer.verdicts import ROPE, delta_m, verdict

SCHEMA = pa.schema(
    [
        ("source", pa.string()),
        ("task", pa.string()),
        ("metric", pa.string()),
        ("label", pa.string()),
        ("partners", pa.string()),
        ("control", pa.string()),
        ("extraction", pa.string()),
        ("model", pa.string()),
        ("n", pa.int64()),
        ("folds", pa.int64()),
        ("updates", pa.float64()),
        ("clips", pa.float64()),
        ("seconds", pa.float64()),
        ("base_seconds", pa.float64()),
        ("epochs", pa.float64()),
        ("base_epochs", pa.float64()),
        ("score", pa.float64()),
        ("base", pa.float64()),
        ("gain", pa.float64()),
        ("relative", pa.float64()),
        ("low", pa.float64()),
        ("high", pa.float64()),
        ("p", pa.float64()),
        ("p_holm", pa.float64()),
        ("q", pa.float64()),
        ("method", pa.string()),
        ("verdict", pa.string()),
    ]
)
_NO_SPREAD = "no interval: the differences do not tell their spread"
CORRECTED, CLUSTERED = "corrected t", "cluster bootstrap"
ONE_SEED = f"{CLUSTERED}, one seed: no claim"


@dataclass(frozen=True)
class Rules:
    """How differences are judged.

    rope: half-width of the region of practical equivalence, in units of the metric.
    level: of significance, for claims (Holm). screen: share of false finds, for labels (BH).
    draws: of a bootstrap.
    """

    rope: float = ROPE
    level: float = 0.05
    screen: float = 0.10
    draws: int = 1_000


def transfer_table(state: SweepState, rules: Rules | None = None, labels: bool = False) -> pa.Table:
    """One row a (source, task, partner set or control, extraction, model): columns of `SCHEMA`.

    Several folds are compared by the corrected t test over folds × seeds; one fixed test set by a
    cluster bootstrap over its groups crossed with seeds; of one seed there is an interval for these
    two networks, but no p value and no claim. Holm's adjusted p values decide claims,
    over all rows that are no control and all that are one, apart; q values (Benjamini & Hochberg)
    screen, and decide for `labels`.

    Returns:
        score, base: means with and without partners. gain, low, high: in units of the metric, with
        minus without. updates: how often the source's clips were seen, over the same without (1
        where the comparison is fair). clips: as that, of training and validation clips; below 1
        where ``leaks="drop"`` left some out beside a partner. seconds, base_seconds, epochs,
        base_epochs: of `spent`, with and without partners; null for labels, over several methods,
        and where not recorded. p_holm, q: null where p is.
    """
    rules = rules or Rules()
    metrics = {task: state.primary(task) for task in state.tasks}
    return judged_table(gains(state.results, metrics, labels), state, rules, labels)


def pooled_table(state: SweepState, rules: Rules | None = None) -> pa.Table:
    """As `transfer_table`, over all methods of each partner set: `over_methods`."""
    metrics = {task: state.primary(task) for task in state.tasks}
    found = [g for g in gains(state.results, metrics) if not g.how.control]
    pooled = over_methods(found, _fixed_sources(state))
    return judged_table(pooled, state, rules or Rules())


def control_table(state: SweepState, rules: Rules | None = None) -> pa.Table:
    """As `transfer_table`: what each controlled cell gains over each of its controls.

    `base` is the control's score, and the verdict says "helps" where the cell beats its control.
    """
    metrics = {task: state.primary(task) for task in state.tasks}
    return judged_table(over_controls(gains(state.results, metrics)), state, rules or Rules())


def judged_table(
    found: Sequence[Gain], state: SweepState, rules: Rules, labels: bool = False
) -> pa.Table:
    """Gains with intervals, adjusted p values and verdicts: columns of `SCHEMA`."""
    sizes, fixed = _sizes(state), _fixed_sources(state)
    alike = [gain for gain in found if gain.folds == 1 or gain.what.source in fixed]
    of = {id(g): _on_one_set(g, one) for g, one in fixed_sets(state, rules.draws).of(alike)}
    judged = [
        (gain, *(of[id(gain)] if id(gain) in of else _over_folds(gain, sizes))) for gain in found
    ]
    rows = _rows(judged, rules, labels)
    timed = [] if labels else [gain for gain in found if gain.how.model]  # of one method
    reached = reached_epochs(state, timed)
    for row, gain in zip(rows, found, strict=True):
        row |= spent(state, gain, reached) if gain.how.model and not labels else {}
        row["updates"] = _over_base(gain, state, "passes")
        row["clips"] = _over_base(gain, state, "train", "validation")
    return pa.Table.from_pylist(rows, schema=SCHEMA)


def _over_folds(gain: Gain, sizes: Mapping[tuple[str, str], float]) -> tuple[Interval, str]:
    """The interval of one gain, and how it was found, or why there is none."""
    ratios = [sizes[pair.run, gain.what.source] for pair in gain.pairs]
    interval = corrected_t(gain.differences, sum(ratios) / len(ratios))
    return interval, CORRECTED if interval.p is not None else _NO_SPREAD


def _on_one_set(gain: Gain, found: FixedSet | str) -> tuple[Interval, str]:
    """As `_over_folds`, of runs tested on the same clips; folds then are but more seeds."""
    if isinstance(found, FixedSet):
        try:
            interval = over_seeds(found.differences, found.clusters)
        except StudyError as error:
            found = str(error)
        else:
            if interval.low == interval.high:
                interval = without_spread(interval.mean, interval.n)
            interval = replace(interval, mean=gain.mean)
            if interval.low is None:
                return interval, _NO_SPREAD
            if len(gain.pairs) < 2:  # another seed could turn it: not told by drawing clips
                return replace(interval, p=None), ONE_SEED
            return interval, CLUSTERED
    return Interval(gain.mean, None, None, None, len(gain.pairs)), f"no interval: {found}"


def _fixed_sources(state: SweepState) -> set[str]:
    """Sources whose test clips are the same in every fold, as the plan tells: those with an
    official split beside others that are cross-validated."""
    tested: dict[str, set[str | None]] = {
        name: {fold.get("tested") for fold in facts.get("folds", [])}
        for name, facts in state.plan.get("sources", {}).items()
    }
    return {name for name, found in tested.items() if len(found) == 1 and None not in found}


def _over_base(gain: Gain, state: SweepState, *facts: str) -> float | None:
    """Sum of facts on the source in the runs with partners, over that in those without; None where
    they are not recorded."""

    def told(run: str) -> float:
        found = state.records[run].content.get("sources", {}).get(gain.what.source, {})
        return sum(float(found.get(name) or 0) for name in facts)

    base = sum(told(pair.base_run) for pair in gain.pairs)
    return sum(told(pair.run) for pair in gain.pairs) / base if base else None


def _rows(
    judged: Sequence[tuple[Gain, Interval, str]], rules: Rules, labels: bool
) -> list[dict[str, Any]]:
    adjusted: dict[int, tuple[float | None, float | None]] = {}
    for control in (False, True):
        family = [
            (at, interval.p)
            for at, (gain, interval, _) in enumerate(judged)
            if interval.p is not None and bool(gain.how.control) == control
        ]
        ps = [p for _, p in family]
        for (at, _), claim, screen in zip(family, holm(ps), benjamini_hochberg(ps), strict=True):
            adjusted[at] = claim, screen
    rows = []
    for at, (gain, interval, method) in enumerate(judged):
        p_holm, q = adjusted.get(at, (None, None))
        decides, level = (q, rules.screen) if labels else (p_holm, rules.level)
        rows.append(
            {
                **gain.what._asdict(),
                **gain.how._asdict(),
                "partners": TOGETHER.join(gain.how.partners),
                "n": interval.n,
                "folds": gain.folds,
                "score": gain.base + gain.mean,
                "base": gain.base,
                "gain": interval.mean,
                "relative": gain.relative,
                "low": interval.low,
                "high": interval.high,
                "p": interval.p,
                "p_holm": p_holm,
                "q": q,
                "method": method,
                "verdict": verdict(interval, decides, rules.rope, level),
            }
        )
    return rows


def delta_table(state: SweepState) -> list[dict[str, Any]]:
    """Δm of every combination under every method: mean relative gain over its tasks, in percent.

    Computed for each fold and seed in which every task that it scored has a run alone, with a score
    above 0, then averaged; interval and p as of the corrected t test with the largest ratio of its
    sources.
    """
    metrics = {task: state.primary(task) for task in state.tasks}
    sizes, paired = _sizes(state), {(g.what, g.how): g for g in gains(state.results, metrics)}
    together: dict[tuple[str, str, str], list[Gain | None]] = defaultdict(list)
    for what, how in sorted(scored(state.results, metrics), key=str):
        if how.partners and not how.control:
            names = TOGETHER.join(sorted((what.source, *how.partners)))
            together[names, how.extraction, how.model].append(paired.get((what, how)))
    rows = []
    for (names, extraction, model), tasks in sorted(together.items()):
        found = [gain for gain in tasks if gain]
        values = _deltas(found) if len(found) == len(tasks) else []
        if values:
            ratio = max(sizes[p.run, g.what.source] for g in found for p in g.pairs)
            interval = corrected_t(values, ratio)
            rows.append(
                {
                    "combination": names,
                    "extraction": extraction,
                    "model": model,
                    "tasks": len(found),
                    "n": interval.n,
                    "delta": interval.mean,
                    "low": interval.low,
                    "high": interval.high,
                    "p": interval.p,
                }
            )
    return rows


def _deltas(found: Sequence[Gain]) -> list[float]:
    places: dict[tuple[int, int], dict[What, float]] = defaultdict(dict)
    for gain in found:
        for pair in gain.pairs:
            if pair.base > 0:
                relative = (pair.score - pair.base) / pair.base
                places[pair.fold, pair.seed][gain.what] = relative
    return [
        delta_m(list(tasks.values()))
        for _, tasks in sorted(places.items())
        if len(tasks) == len(found)
    ]


def _sizes(state: SweepState) -> dict[tuple[str, str], float]:
    """(run, source) -> test clips over training clips."""
    return {
        (run, name): facts["test"] / max(facts["train"], 1)
        for run, record in state.records.items()
        for name, facts in record.content.get("sources", {}).items()
    }

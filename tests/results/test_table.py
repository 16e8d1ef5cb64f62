"""Results as tables, against pandas and by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from raymtl.errors import StoreError
from raymtl.results.table import SCHEMA, collect, read_results, save_results, summary
from tests.results.synthetic import TASKS, add_run, cells, outcome

KEYS = ["cell", "combination", "extraction", "model", "source", "task", "metric", "label"]


def row(
    combination: str, source: str, fold: int, value: float, **changes: object
) -> dict[str, object]:
    extraction, model = changes.get("extraction", "logmel"), changes.get("model", "dnn")
    return {
        "run": f"{combination}-{fold}",
        "cell": f"{combination}--{extraction}--{model}",
        "combination": combination,
        "extraction": extraction,
        "model": model,
        "fold": fold,
        "seed": 0,
        "source": source,
        "task": f"task of {source}",
        "part": "test",
        "metric": "uar",
        "label": None,
        "value": value,
        "epoch": 3,
    } | changes


def table(rows: list[dict[str, object]]) -> pa.Table:
    return pa.Table.from_pylist(rows, schema=SCHEMA)


def by_key(summed: pa.Table) -> dict[tuple[str, ...], dict[str, object]]:
    return {
        tuple(r[key] for key in ("combination", "source", "metric", "extraction", "model")): r
        for r in summed.to_pylist()
    }


def test_known_numbers() -> None:
    found = by_key(
        summary(
            table(
                [
                    row("a", "a", 0, 0.5),
                    row("a", "a", 1, 0.7),
                    row("a", "a", 2, 0.6),
                    row("a + b", "a", 0, 0.6),
                    row("a + b", "a", 1, 0.9),
                    row("a + b", "b", 0, 0.1),
                ]
            )
        )
    )
    alone = found["a", "a", "uar", "logmel", "dnn"]
    assert (alone["n"], alone["gain"], alone["pairs"]) == (3, None, 0)
    assert alone["mean"] == pytest.approx(0.6)
    assert alone["deviation"] == pytest.approx(0.1)
    pair = found["a + b", "a", "uar", "logmel", "dnn"]
    assert (pair["n"], pair["pairs"]) == (2, 2)
    assert pair["gain"] == pytest.approx(0.15)  # of +0.1 and +0.2
    assert pair["gain_deviation"] == pytest.approx(np.std([0.1, 0.2], ddof=1))
    other = found["a + b", "b", "uar", "logmel", "dnn"]
    assert (other["n"], other["deviation"], other["gain"], other["pairs"]) == (1, None, None, 0)


def test_a_gain_is_never_taken_across_extractions_models_tasks_or_parts() -> None:
    found = by_key(
        summary(
            table(
                [
                    row("a", "a", 0, 0.5),
                    row("a", "a", 0, 0.1, part="validation"),
                    row("a + b", "a", 0, 0.6, extraction="mfcc"),
                    row("a + b", "a", 0, 0.6, model="cnn"),
                    row("a + b", "a", 0, 0.6, task="another"),
                    row("a + b", "a", 1, 0.6),
                ]
            )
        )
    )
    assert {r["pairs"] for r in found.values()} == {0}


@settings(max_examples=12)
@given(st.integers(0, 2**32 - 1), st.sampled_from([0.0, 0.3, 0.9]))
def test_summary_agrees_with_pandas(seed: int, missing: float) -> None:
    random = np.random.default_rng(seed)
    rows = [
        row(c, s, fold, float(random.random()), seed=repeat, extraction=e, metric=metric)
        for c in ("a", "b", "a + b", "a + b + c")
        for s in c.split(" + ")
        for e in ("logmel", "mfcc")
        for fold in (0, 1)
        for repeat in (0, 1)
        for metric in ("uar", "accuracy")
        if random.random() >= missing
    ]
    random.shuffle(rows)
    found = summary(table(rows)).to_pandas().set_index(KEYS).sort_index()
    found = found.astype({"deviation": float, "gain": float, "gain_deviation": float})
    frame = pd.DataFrame(rows, columns=SCHEMA.names).assign(label="")
    expected = frame.groupby(KEYS).value.agg(["count", "mean", "std"]).sort_index()
    assert list(found.index) == list(expected.index)
    np.testing.assert_array_equal(found.n, expected["count"])
    np.testing.assert_allclose(found["mean"], expected["mean"], rtol=1e-12)
    # the two libraries add in another order: float64 rounding of values below 1
    np.testing.assert_allclose(found.deviation, expected["std"].astype(float), atol=1e-9)
    _compare_gains(frame, found)


def _compare_gains(frame: pd.DataFrame, found: pd.DataFrame) -> None:
    """The slow obvious way: look up each run's baseline by hand."""
    differences: dict[tuple[object, ...], list[float]] = {}
    for _, r in frame.iterrows():
        base = frame[
            (frame.combination == r.source)
            & (frame.source == r.source)
            & (frame.task == r.task)
            & (frame.extraction == r.extraction)
            & (frame.model == r.model)
            & (frame.fold == r.fold)
            & (frame.seed == r.seed)
            & (frame.metric == r.metric)
        ]
        if r.combination != r.source and len(base):
            differences.setdefault(tuple(r[KEYS]), []).append(r.value - base.value.iloc[0])
    for key, r in found.iterrows():
        gains = differences.get(key, [])
        assert r.pairs == len(gains)
        assert pd.isna(r.gain) if not gains else r.gain == pytest.approx(np.mean(gains), abs=1e-12)
        if len(gains) > 1:
            assert r.gain_deviation == pytest.approx(np.std(gains, ddof=1), abs=1e-9)


def test_collect_gives_every_score_of_planned_whole_records(tmp_path: Path) -> None:
    cell = cells(["logmel"], ["dnn"])[-1]
    for run, fold in (("r0", 0), ("r1", 1), ("stray", 2), ("bad", 3)):
        add_run(tmp_path, run, cell, fold, 0, outcome(TASKS, seed=fold), list(TASKS.values()))
    (tmp_path / "runs" / "bad" / "record.json").write_text("{}")
    found = collect(tmp_path, ["r1", "bad", "absent", "r0"])
    assert found.schema == SCHEMA
    frame = found.to_pandas()
    assert list(frame.run.unique()) == ["r0", "r1"]
    assert set(frame.combination) == {" + ".join(sorted(TASKS))}
    scores = outcome(TASKS, seed=1).scores["fsdd.digit", "digit", "test"]
    rows = frame[(frame.run == "r1") & (frame.source == "fsdd.digit") & (frame.part == "test")]
    whole = rows[rows.label.isna()]
    assert dict(zip(whole.metric, whole.value, strict=True)) == scores.scalars
    for label, values in scores.per_label.items():
        part = rows[rows.label == label]
        assert dict(zip(part.metric, part.value, strict=True)) == values


def test_results_are_saved_and_read_back(tmp_path: Path) -> None:
    written = table([row("a", "a", 0, 0.5), row("a", "a", 1, 0.7)])
    assert read_results(save_results(tmp_path, written).parent).equals(written)
    (tmp_path / "results.parquet").write_bytes(b"PAR1")
    with pytest.raises(StoreError, match=r"results\.parquet: cannot be read"):
        read_results(tmp_path)


def test_an_empty_sweep_has_empty_tables(tmp_path: Path) -> None:
    assert collect(tmp_path, []).num_rows == 0
    assert summary(collect(tmp_path, ["a"])).num_rows == 0


def test_labels_have_a_summary_of_their_own() -> None:
    found = summary(
        table([row("a", "a", 0, 0.5, metric="f1", label="yes"), row("a", "a", 0, 0.5)]), labels=True
    ).to_pylist()
    assert [(r["metric"], r["label"], r["mean"]) for r in found] == [("f1", "yes", 0.5)]

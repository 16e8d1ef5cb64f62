"""One run from job to record: complete, repeatable, blind to order and to the test clips."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch

from raymtl.durable import file_digest
from raymtl.errors import Interrupted, StoreError
from raymtl.experiment import combinations
from raymtl.extraction.shards import ShardWriter
from raymtl.extraction.store import FeatureStore
from raymtl.loading.batches import Mixed
from raymtl.loading.splits import KFold
from raymtl.loading.stages import FixedLength, MinMax, Standardise
from raymtl.plan import Plan
from raymtl.reading.clips import ClipTable
from raymtl.results.ledger import Ledger
from raymtl.results.records import METRICS, PREDICTIONS, WEIGHTS, read_record, verify
from raymtl.results.table import collect
from raymtl.training.optimise import Sgd
from raymtl.training.run import Workbench
from raymtl.training.training import Training
from readers.fsdd import Fsdd
from readers.ravdess import Ravdess
from tests.corpora import DIGITS, plan_of
from tests.inprocess import extract, fit, prepare, run, sweep

STAGES = [
    Standardise("feature"),
    MinMax("cell", scope="combination"),
    FixedLength("median", scope="combination"),
]
MIXED = replace(
    DIGITS,
    name="mixed",
    sources=[Fsdd().source("digit"), Ravdess().source("emotion", "stress")],
    combinations=combinations("all"),
    stages=STAGES,
    folds=KFold(2),
    training=Training(epochs=3, batches=Mixed(16), patience=2),
)


@pytest.fixture(scope="module")
def finished(corpora: Path, tmp_path_factory: pytest.TempPathFactory) -> Plan:
    """`DIGITS`, planned and trained; not to be changed."""
    plan = plan_of(DIGITS, corpora, tmp_path_factory.mktemp("store"))
    assert [entry.status for entry in sweep(plan)] == ["done"] * 3
    return plan


@pytest.fixture(scope="module")
def mixed(corpora: Path, tmp_path_factory: pytest.TempPathFactory) -> Plan:
    """Two corpora, three tasks, one with missing targets: extracted, fitted and trained."""
    plan = plan_of(MIXED, corpora, tmp_path_factory.mktemp("store"))
    assert {entry.status for entry in sweep(plan)} == {"done"}
    return plan


def elsewhere(plan: Plan, folder: Path) -> Plan:
    """The same plan on a copy of its store, without its results."""
    shutil.copytree(plan.store, folder, ignore=shutil.ignore_patterns("sweeps"))
    return replace(plan, store=folder, entries={})


def numbers(plan: Plan) -> dict[str, list[str]]:
    """Digests of all weights, predictions and metrics, and the scores, of every run."""
    found = {}
    for job in plan.runs:
        folder = plan.sweep / "runs" / job.run
        assert verify(folder) == []
        files = [file_digest(folder / name) for name in (WEIGHTS, PREDICTIONS, METRICS)]
        found[job.run] = [*files, json.dumps(read_record(folder).scores, sort_keys=True)]
    return found


# --- the record --------------------------------------------------------------------------------


def test_a_run_leaves_a_whole_record(finished: Plan) -> None:
    for job in finished.runs:
        folder = finished.sweep / "runs" / job.run
        assert verify(folder) == []
        content = read_record(folder).content
        assert (content["run"], content["digest"]) == (job.run, job.digest)
        assert content["cell"]["combination"] == list(job.cell.sources)
        for source in job.sources:
            facts = content["sources"][source.name]
            assert (facts["train"], facts["validation"], facts["test"], facts["skipped"]) == (
                len(source.train),
                len(source.validation),
                len(source.test),
                0,
            )
            assert facts["features"] == source.features
        assert not (finished.sweep / "unfinished" / job.run).exists()
        assert list(folder.glob("events.out.tfevents.*"))


def test_the_ledger_and_a_new_plan_know_the_record(finished: Plan, corpora: Path) -> None:
    entries = Ledger(finished.sweep / "ledger").read()
    assert {run: entry.digest for run, entry in entries.items()} == {
        job.run: job.digest for job in finished.runs
    }
    again = plan_of(DIGITS, corpora, finished.store)
    assert again.missing == []
    assert again.needed_features() == []
    assert again.needed_fits() == []
    assert plan_of(DIGITS, corpora, finished.store, seeds=[0, 1]).missing == [
        job for job in plan_of(DIGITS, corpora, finished.store, seeds=[0, 1]).runs if job.repeat
    ]


def test_predictions_are_of_the_test_clips_and_their_targets(finished: Plan) -> None:
    """Joined on the id: every row's target is what the file's own name says."""
    for job in finished.runs:
        table = pq.read_table(finished.sweep / "runs" / job.run / PREDICTIONS).to_pylist()
        for source in job.sources:
            rows = [row for row in table if row["source"] == source.name]
            assert sorted(row["id"] for row in rows) == sorted(source.test)
            at = {"digit": 0, "speaker": 1}[source.tasks[0].name]
            assert all(row["truth"] == [Path(row["id"]).name.split("_")[at]] for row in rows)


def test_the_reported_score_is_that_of_the_predictions(finished: Plan) -> None:
    """Recall averaged over classes, counted here by hand from predictions.parquet."""
    job = finished.runs[0]
    folder = finished.sweep / "runs" / job.run
    record = read_record(folder)
    labels = job.tasks[0].labels_
    hits: dict[str, list[bool]] = {}
    for row in pq.read_table(folder / PREDICTIONS).to_pylist():
        scores = row["scores"]
        hits.setdefault(Path(row["id"]).name.split("_")[0], []).append(
            labels[int(np.argmax(scores))] == Path(row["id"]).name.split("_")[0]
        )
    recall = np.mean([np.mean(found) for found in hits.values()])
    found = next(s for s in record.scores if s["part"] == "test")
    assert found["scalars"]["uar"] == pytest.approx(recall)


# --- the same numbers --------------------------------------------------------------------------


def test_a_run_done_twice_is_the_same_bit_for_bit(finished: Plan, tmp_path: Path) -> None:
    again = elsewhere(finished, tmp_path / "store")
    sweep(again)
    assert numbers(again) == numbers(finished)


def test_the_order_of_runs_on_a_bench_says_nothing(mixed: Plan, tmp_path: Path) -> None:
    again = elsewhere(mixed, tmp_path / "store")
    bench = Workbench(again.store, again.tables, kept_bytes=0)
    torch.manual_seed(99)
    for job in again.runs[::-1]:
        run(again, job, bench)
    assert numbers(again) == numbers(mixed)


def permuted(table: ClipTable, rng: np.random.Generator) -> ClipTable:
    return replace(table, table=table.table.take(rng.permutation(len(table))))


def shuffled(plan: Plan, rng: np.random.Generator) -> Plan:
    """The same plan with the rows of every clip table in another order."""
    sources = {
        name: replace(p, table=permuted(p.table, rng)) for name, p in plan.corpora.sources.items()
    }
    return replace(plan, corpora=replace(plan.corpora, sources=sources))


def test_permutation_law_of_tables_and_sources(mixed: Plan, corpora: Path, tmp_path: Path) -> None:
    """Sources in another order, then every table's rows: the same fits, weights and scores."""
    again = plan_of(replace(MIXED, sources=MIXED.sources[::-1]), corpora, tmp_path / "store")
    sweep(shuffled(again, np.random.default_rng(1)))
    assert fits(again) == fits(mixed)
    assert numbers(again) == numbers(mixed)


def test_permutation_law_of_stored_clips(mixed: Plan, tmp_path: Path) -> None:
    """Clips in another order within and between shards: what is read by id is the same.

    Fits are sums in the order of the file, hence equal to 1e-12; runs are made with the first.
    """
    rng = np.random.default_rng(2)
    again = replace(shuffled(mixed, rng), store=tmp_path / "store", entries={})
    rewrite(mixed, again.store, lambda clip, matrix: matrix, rng)
    fit(again)
    for name, text in fits(mixed).items():
        one, other = (json.loads(content) for content in (text, fits(again)[name]))
        np.testing.assert_allclose(list(_numbers(one)), list(_numbers(other)), rtol=1e-12)
    shutil.copytree(mixed.store / "fits", again.store / "fits", dirs_exist_ok=True)
    bench = Workbench(again.store, again.tables)
    for job in again.runs:
        run(again, job, bench)
    assert numbers(again) == numbers(mixed)


def _numbers(value: Any) -> Iterator[float]:
    if isinstance(value, dict | list):
        for part in value.values() if isinstance(value, dict) else value:
            yield from _numbers(part)
    elif not isinstance(value, str) and value is not None:
        yield float(value)


def fits(plan: Plan) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted((plan.store / "fits").glob("*.json"))}


def rewrite(
    plan: Plan,
    store: Path,
    change: Callable[[str, Any], Any],
    rng: np.random.Generator | None = None,
) -> None:
    """A second store whose feature sets hold changed matrices, perhaps in another order."""
    old, new = FeatureStore(plan.store / "features"), FeatureStore(store / "features")
    for job in plan.features:
        features = old.open(job.address)
        rows = np.arange(len(features))
        rows = rows if rng is None else rng.permutation(rows)
        shards = []
        for number, part in enumerate(np.array_split(rows, 3)):
            writer = ShardWriter(new.folder(job.address), f"{9 - number}")
            writer.add(
                [features.ids[row] for row in part],
                [change(features.ids[row], features.matrix(row)) for row in part],
            )
            shards.append(writer.finish((), 0.0, 0.0))
            writer.discard()
        new.commit(job.address, {}, shards if rng is None else shards[::-1])


def test_leakage_law(mixed: Plan, tmp_path: Path) -> None:
    """Test clips, in each fold, are replaced by 1e6: not one bit of fits or weights changes.

    A control poisons training clips: then both do.
    """
    for fold in (1, 2):
        tested = {i for job in mixed.runs if job.fold == fold for s in job.sources for i in s.test}
        jobs = [job for job in mixed.runs if job.fold == fold]
        clean, poisoned = (
            _trained(replace(mixed, runs=jobs), tmp_path / f"{fold}-{poison}", tested, poison)
            for poison in (False, True)
        )
        assert clean == poisoned
    trained = {i for s in jobs[0].sources for i in s.train}
    control = _trained(replace(mixed, runs=jobs), tmp_path / "control", trained, True)
    assert all(control[name] != clean[name] for name in control)


def _trained(plan: Plan, store: Path, clips: set[str], poison: bool) -> dict[str, str]:
    """Digests of fits and weights when the features of `clips` are poisoned."""
    rewrite(
        plan,
        store,
        lambda i, matrix: np.full_like(matrix, 1e6) if poison and i in clips else matrix,
    )
    plan = replace(
        plan,
        store=store,
        entries={},
        fits={
            a: r
            for a, r in plan.fits.items()
            if any(s.fit == a for job in plan.runs for s in job.sources)
        },
    )
    fit(plan)
    bench = Workbench(plan.store, plan.tables)
    entries = [run(plan, job, bench) for job in plan.runs]
    assert {entry.status for entry in entries} == {"done"}
    found = {name: file_digest(store / "fits" / name) for name in fits(plan)}
    return found | {
        job.run: file_digest(plan.sweep / "runs" / job.run / WEIGHTS) for job in plan.runs
    }


# --- interruption ------------------------------------------------------------------------------


@pytest.mark.parametrize("epoch", [1, 2])
def test_an_interrupted_run_goes_on_to_the_same_numbers(
    mixed: Plan, tmp_path: Path, epoch: int
) -> None:
    again = elsewhere(mixed, tmp_path / "store")
    asked = []
    for job in again.runs:
        seen: list[int] = []
        with pytest.raises(Interrupted, match="run the same command again"):
            run(
                again,
                job,
                Workbench(again.store, again.tables),
                report=lambda e, seen=seen: seen.append(e.epoch),
                stop=lambda seen=seen: epoch in seen,
            )
        assert not (again.sweep / "runs" / job.run).exists()
        asked.append(seen)
        more: list[int] = []
        entry = run(
            again,
            job,
            Workbench(again.store, again.tables),
            report=lambda e, more=more: more.append(e.epoch),
        )
        assert entry.status == "done"
        assert min(more) == epoch + 1
    assert all(max(seen) == epoch for seen in asked)
    assert numbers(again) == numbers(mixed)


def test_a_stop_within_an_epoch_loses_no_step(finished: Plan, tmp_path: Path) -> None:
    again = elsewhere(finished, tmp_path / "store")
    job, stops = again.runs[-1], iter([False, True])
    with pytest.raises(Interrupted):
        run(again, job, Workbench(again.store, again.tables), stop=lambda: next(stops))
    run(again, job, Workbench(again.store, again.tables))
    again = replace(again, runs=[job])
    assert numbers(again)[job.run] == numbers(finished)[job.run]


# --- failures ----------------------------------------------------------------------------------


def test_a_diverging_run_is_an_entry_without_a_record(finished: Plan, tmp_path: Path) -> None:
    wild = replace(DIGITS.training, optimiser=Sgd(1e30))
    again = elsewhere(finished, tmp_path / "store")
    job = replace(again.runs[0], training=wild)
    entry = run(again, job, Workbench(again.store, again.tables))
    assert entry.status == "diverged"
    assert "loss" in entry.reason
    assert "\n" not in entry.reason
    assert "Diverged" in entry.trace
    assert not (again.sweep / "runs").exists()
    assert not (again.sweep / "unfinished" / job.run).exists()
    assert Ledger(again.sweep / "ledger").read() == {job.run: entry}


def test_a_missing_fit_is_a_failure_that_names_it(finished: Plan, tmp_path: Path) -> None:
    again = elsewhere(finished, tmp_path / "store")
    job = again.runs[0]
    (again.store / "fits" / f"{job.sources[0].fit}.json").unlink()
    entry = run(again, job, Workbench(again.store, again.tables))
    assert (entry.status, entry.record) == ("failed", "")
    assert job.sources[0].fit[:12] in entry.reason
    assert "StoreError" in entry.trace
    assert again.is_done(job.run) is False


def test_a_user_fault_in_a_network_is_a_failure_with_its_trace(
    finished: Plan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*given: object) -> None:
        raise ZeroDivisionError("a wrong turn\nand more")

    monkeypatch.setattr("raymtl.models.dnn.SharedDnn.build", broken)
    again = elsewhere(finished, tmp_path / "store")
    entry = run(again, again.runs[0], Workbench(again.store, again.tables))
    assert entry.reason == "ZeroDivisionError: a wrong turn"
    assert "in broken" in entry.trace


def test_a_failed_run_is_due_again_and_ends(corpora: Path, finished: Plan, tmp_path: Path) -> None:
    again = elsewhere(finished, tmp_path / "store")
    Ledger(again.sweep / "ledger").write(again.runs[0].run, "failed", "spilt milk")
    planned = plan_of(DIGITS, corpora, again.store)
    assert len(planned.missing) == 3
    assert {entry.status for entry in sweep(planned)} == {"done"}
    assert numbers(planned) == numbers(finished)
    assert plan_of(DIGITS, corpora, again.store).missing == []


def test_a_damaged_record_is_due_again(corpora: Path, finished: Plan, tmp_path: Path) -> None:
    shutil.copytree(finished.store, tmp_path / "store")
    plan = plan_of(DIGITS, corpora, tmp_path / "store")
    weights = plan.sweep / "runs" / plan.runs[1].run / WEIGHTS
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    again = plan_of(DIGITS, corpora, tmp_path / "store")
    assert [job.run for job in again.missing] == [plan.runs[1].run]
    sweep(again)
    assert numbers(again) == numbers(finished)


# --- clips without features --------------------------------------------------------------------


def test_clips_that_extraction_skipped_are_left_out_and_counted(
    corpora: Path, tmp_path: Path
) -> None:
    """NaN is seen in decoding only, so these clips are planned with."""
    import soundfile

    shutil.copytree(corpora / "fsdd", tmp_path / "data" / "fsdd")
    bad = [f"{digit}_theo_{take}" for digit, take in ((0, 5), (1, 0), (2, 0))]
    for number, name in enumerate(bad):
        path = tmp_path / "data" / "fsdd" / "recordings" / f"{name}.wav"
        soundfile.write(path, np.full(3_000 + number, np.nan), 8_000, subtype="FLOAT")
    plan = plan_of(DIGITS, tmp_path / "data", tmp_path / "store")
    assert [entry.status for entry in sweep(plan)] == ["done"] * 3
    for job in plan.runs:
        folder = plan.sweep / "runs" / job.run
        facts = read_record(folder).content["sources"]
        assert all(fact["skipped"] == 3 for fact in facts.values())
        said = pq.read_table(folder / PREDICTIONS).column("id").to_pylist()
        assert not {Path(i).name for i in said} & set(bad)
        assert len(set(said)) == 40 - 2
    reasons = FeatureStore(plan.store / "features").open(plan.features[0].address).skipped
    assert sorted(Path(i).name for i in reasons) == sorted(bad)
    assert all("NaN" in reason for reason in reasons.values())


def test_a_clip_without_features_or_a_reason_is_an_error(finished: Plan, tmp_path: Path) -> None:
    again = elsewhere(finished, tmp_path / "store")
    job = again.runs[0]
    source = replace(job.sources[0], train=(*job.sources[0].train, "fsdd/recordings/9_nobody_9"))
    bench = Workbench(again.store, again.tables)
    with pytest.raises(StoreError, match="neither features of 'fsdd/recordings/9_nobody_9' nor"):
        bench.data(replace(job, sources=(source,)), "cpu")


# --- the bench ---------------------------------------------------------------------------------


def kept(bench: Workbench) -> int:
    return sum(part.inputs.nbytes for part in bench._parts.values())


def test_a_bench_keeps_parts_within_its_bound(mixed: Plan) -> None:
    whole = Workbench(mixed.store, mixed.tables)
    sizes = []
    for job in mixed.runs:
        data = whole.data(job, "cpu")
        sizes += [
            p.inputs.nbytes
            for parts in (data.train, data.validation, data.test)
            for p in parts.values()
        ]
    assert kept(whole) == sum(sizes) > 0
    bound = sum(sizes) // 3
    assert bound >= max(sizes)
    small = Workbench(mixed.store, mixed.tables, kept_bytes=bound)
    for job in [*mixed.runs, *mixed.runs]:
        small.data(job, "cpu")
        assert 0 < kept(small) <= bound


def test_kept_parts_are_those_used_and_equal_fresh_ones(mixed: Plan) -> None:
    bench = Workbench(mixed.store, mixed.tables)
    job = mixed.runs[0]
    first, second = bench.data(job, "cpu"), bench.data(job, "cpu")
    fresh = Workbench(mixed.store, mixed.tables).data(job, "cpu")
    for part in ("train", "validation", "test"):
        for name, one in getattr(first, part).items():
            assert getattr(second, part)[name] is one
            other = getattr(fresh, part)[name]
            assert one.ids == other.ids
            rows = np.arange(len(one.inputs))
            batch, again = one.inputs.batch(rows), other.inputs.batch(rows)
            assert all(torch.equal(batch[key], again[key]) for key in batch)
            for task, targets in one.targets.items():
                np.testing.assert_array_equal(targets.values, other.targets[task].values)
                np.testing.assert_array_equal(targets.valid, other.targets[task].valid)


def test_a_fold_of_another_run_is_another_part(mixed: Plan) -> None:
    bench = Workbench(mixed.store, mixed.tables)
    one, other = (bench.data(job, "cpu") for job in mixed.runs)
    assert all(not set(one.test[name].ids) & set(other.test[name].ids) for name in one.test)


# --- results -----------------------------------------------------------------------------------


def test_results_hold_every_run_once(finished: Plan) -> None:
    """The tidy table: one primary test score a (run, source, task)."""
    table = collect(finished.sweep, [job.run for job in finished.runs]).to_pylist()
    found = [
        (row["run"], row["source"])
        for row in table
        if row["part"] == "test" and row["metric"] == "uar" and not row["label"]
    ]
    wanted = [(job.run, s.name) for job in finished.runs for s in job.sources]
    assert sorted(found) == sorted(wanted)


def test_two_sweeps_share_one_store(corpora: Path, finished: Plan, tmp_path: Path) -> None:
    """A study of another name trains its runs anew on the features and fits that are there."""
    again = elsewhere(finished, tmp_path / "store")
    plan = plan_of(DIGITS, corpora, again.store, name="other")
    assert plan.needed_features() == []
    assert plan.needed_fits() == []
    bench = prepare(plan)
    run(plan, plan.runs[0], bench)
    assert plan.runs[0].digest == finished.runs[0].digest
    record = read_record(plan.sweep / "runs" / plan.runs[0].run)
    assert record.scores == read_record(finished.sweep / "runs" / finished.runs[0].run).scores


def test_extracting_again_does_nothing(finished: Plan, corpora: Path) -> None:
    before = {p: p.stat().st_mtime_ns for p in (finished.store / "features").rglob("*")}
    extract(plan_of(DIGITS, corpora, finished.store))
    assert {p: p.stat().st_mtime_ns for p in (finished.store / "features").rglob("*")} == before

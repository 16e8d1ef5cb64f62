"""The page and the terminal table, made from synthetic sweeps."""

from __future__ import annotations

import html
import io
import json
import re
import shlex
import shutil
from collections import Counter
from collections.abc import Callable
from html.parser import HTMLParser
from importlib.resources import files
from pathlib import Path
from urllib.parse import unquote

import duckdb
import numpy as np
import pytest
from rich.console import Console

from raymtl.commands.report import show_report
from raymtl.errors import StoreError
from raymtl.results.ledger import Ledger
from raymtl.results.records import METRICS, RECORD, read_record
from raymtl.results.report import files as tables
from raymtl.results.report import write_report
from raymtl.results.report.again import setting
from raymtl.results.report.drawings import confusion_picture, nice_ticks
from raymtl.results.report.panels import Names, panel
from raymtl.results.report.scores import ranked_rows
from raymtl.results.state import read_sweep, short, title
from raymtl.results.table import read_results
from raymtl.results.terminal import print_results, terminal_table
from raymtl.tasks import OneOf
from tests.results.synthetic import TASKS, add_run, cells, outcome, write_plan

HOSTILE = '<script>alert("x")</script>'


@pytest.fixture(scope="module")
def sweep(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two extractions, two folds; some runs failed, some missing, one source short of words."""
    root = tmp_path_factory.mktemp("sweep")
    grid = cells(["LogMel(bands=64)", "Mfcc(bands=64)"], ["SharedDnn(width=512)"])
    skipped = [{"id": "a/1", "source": "fsdd.digit", "path": "a/1.wav", "reason": HOSTILE}]
    runs = write_plan(root, grid, folds=2, skipped=skipped, notes=["a note"])
    (root / "environment.json").write_text(json.dumps({"versions": {"torch": "2.x"}}))
    for number, (run, cell, fold, seed) in enumerate(runs):
        if number % 11 == 4:
            Ledger(root / "ledger").write(run, "failed", f"ValueError: {HOSTILE}", trace=HOSTILE)
        elif number % 11 != 5:
            tasks = {source: TASKS[source] for source in cell["combination"]}
            conflict = {
                "group": "speaker:1",
                "trained": "fsdd.digit",
                "tested": "dcase.events",
                "clips": 7,
            }
            add_run(
                root,
                run,
                cell,
                fold,
                seed,
                outcome(tasks, seed=number),
                list(tasks.values()),
                conflicts=[conflict] if number % 2 else [],
            )
    return root


class Page(HTMLParser):
    """Counts elements, collects rows and what a browser would fetch; checks that tags nest."""

    OPTIONAL = frozenset(("td", "th", "tr", "tbody", "li"))  # HTML closes these by itself
    VOID = frozenset(("meta", "input", "img", "br"))

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: Counter[str] = Counter()
        self.fetched: list[str] = []
        self.files: list[str] = []  # offered for download, beside the page
        self.ids: list[str] = []
        self.words: list[str] = []
        self._open: list[str] = []
        self.feed(text)
        assert [tag for tag in self._open if tag not in self.OPTIONAL] == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements[tag] += 1
        found = dict(attrs)
        self.ids += [str(found["id"])] if "id" in found else []
        links = [str(found[a]) for a in ("src", "href", "srcset") if a in found]
        (self.files if "download" in found else self.fetched).extend(links)
        if tag not in self.VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements[tag] += 1

    def handle_endtag(self, tag: str) -> None:
        while self._open and self._open[-1] != tag and self._open[-1] in self.OPTIONAL:
            self._open.pop()
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)


def test_the_page_is_one_file_that_fetches_nothing(sweep: Path) -> None:
    page = write_report(sweep)
    found = Page(page.read_text())
    assert page == sweep / "report" / "index.html"
    assert [link for link in found.fetched if not link.startswith(("#", "data:"))] == []
    assert {link[1:] for link in found.fetched if link.startswith("#")} <= set(found.ids)
    assert len(found.files) == len(set(found.files)) > 50
    assert {p.relative_to(page.parent).as_posix() for p in page.parent.glob("tables/*")} == set(
        found.files
    )
    assert len(found.ids) == len(set(found.ids))
    assert "default-src 'none'" in page.read_text()
    assert not re.search(r"@import|url\(|fetch\(|XMLHttp", page.read_text())


def test_only_tables_of_an_earlier_page_go(sweep: Path) -> None:
    """Once they lay beside the page itself; what a user put there stays."""
    folder = write_report(sweep).parent
    for name in ("scores.csv", "mine.csv", "tables/scores-of-old.csv"):
        (folder / name).write_text("x")
    write_report(sweep)
    left = {name for name in ("scores.csv", "mine.csv") if (folder / name).is_file()}
    assert left == {"mine.csv"}
    names = {path.name for path in (folder / "tables").iterdir()}
    assert "scores.csv" in names
    assert "scores-of-old.csv" not in names
    (folder / "mine.csv").unlink()


def test_tables_stay_until_new_ones_are_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(path: Path, content: bytes) -> None:
        raise StoreError(f"{path}: no room")

    (tmp_path / "a.csv").write_text("old")
    monkeypatch.setattr(tables, "write_durably", full)
    with pytest.raises(StoreError, match="no room"):
        tables.write_files(tmp_path, {"a.csv": b"new"})
    assert (tmp_path / "a.csv").read_text() == "old"


def test_words_from_data_are_never_markup(sweep: Path) -> None:
    text = write_report(sweep).read_text()
    found = Page(text)
    assert found.elements["script"] == 3  # ours, and numbers and files for it
    assert HOSTILE not in text
    assert any(HOSTILE in word for word in found.words)


def test_hostile_names_are_never_markup(tmp_path: Path) -> None:
    task = OneOf(f"task{HOSTILE}", (HOSTILE, '" onload="x', "'}];</style>"))
    source = f"corpus{HOSTILE}"
    cell = {"name": "cell", "combination": [source], "extraction": HOSTILE, "model": "]]>"}
    write_plan(tmp_path, [cell], name=HOSTILE, question=HOSTILE, notes=[HOSTILE])
    add_run(tmp_path, "cell-f0-s0", cell, 0, 0, outcome({source: task}), [task])
    text = write_report(tmp_path).read_text()
    found = Page(text)
    assert found.elements["script"] == 3  # ours, and numbers and files for it
    assert found.elements["style"] == 1
    assert HOSTILE not in text
    assert found.elements["svg"] >= 1


def test_the_page_says_what_is_done_failed_and_missing(sweep: Path) -> None:
    state = read_sweep(sweep)
    planned = len(json.loads((sweep / "plan.json").read_text())["runs"])
    assert (len(state.records), len(state.failures), len(state.missing)) == (36, 4, 4)
    text = " ".join(Page(write_report(sweep).read_text()).words)
    text = re.sub(r"\s+", " ", text)
    assert f"36 done 4 failed 0 diverged 4 missing of {planned} runs" in text
    for run in [*state.missing, *(entry.run for entry in state.failures)]:
        assert run in text
    assert "speaker" in text
    assert "Which task helps which?" in text


def test_the_page_shows_the_numbers_of_the_summary(sweep: Path) -> None:
    state = read_sweep(sweep)
    text = write_report(sweep).read_text()
    rows = [row for row in state.summed if row["metric"] == state.primary(row["task"])]
    assert len(rows) > 30
    for row in rows:
        deviation = "" if row["deviation"] is None else f" ± {row['deviation']:.3f}"
        assert f">{row['mean']:.3f}{deviation}<" in text
    assert text.count('<svg class="w"') == sum(1 for row in rows if row["pairs"])
    assert text.count('<svg class="chart"') == len(TASKS)
    assert read_results(sweep).equals(state.results)


def test_a_confusion_matrix_is_summed_over_the_runs_of_the_best_cell(sweep: Path) -> None:
    state = read_sweep(sweep)
    rows = [r for r in state.summed if (r["task"], r["metric"]) == ("stress", "uar")]
    best = max(rows, key=lambda r: r["mean"])
    found = [
        np.array(score["confusion"])
        for record in state.records_of(best["cell"])
        for score in read_record(sweep / "runs" / record.run).scores
        if (score["task"], score["part"]) == ("stress", "test")
    ]
    text = write_report(sweep).read_text()
    matrix = text[text.index('aria-label="Confusion matrix, ravdess.stress"') :].split("</table>")[
        0
    ]
    cells_ = [int(n) for n in re.findall(r"--p:\d+\">(\d+)<", matrix)]
    np.testing.assert_array_equal(np.reshape(cells_, (2, 2)), np.sum(found, axis=0))


def test_many_labels_become_a_picture(tmp_path: Path) -> None:
    task = OneOf("word", tuple(f"w{i}" for i in range(35)))
    cell = {"name": "c", "combination": ["speech.word"], "extraction": "e", "model": "m"}
    write_plan(tmp_path, [cell])
    add_run(tmp_path, "c-f0-s0", cell, 0, 0, outcome({"speech.word": task}), [task])
    found = Page(write_report(tmp_path).read_text())
    assert any(link.startswith("data:image/png;base64,") for link in found.fetched)
    assert len(confusion_picture(np.eye(200, dtype=np.int64))) < 20_000


def remove_plan(sweep: Path) -> None:
    (sweep / "plan.json").unlink()


def break_plan(sweep: Path) -> None:
    (sweep / "plan.json").write_text('{"name": "x", "runs": [')


def strange_plan(sweep: Path) -> None:
    (sweep / "plan.json").write_text('{"runs": 7, "skipped": "x", "notes": {"a": 1}}')


def break_records(sweep: Path) -> None:
    for run in (sweep / "runs").iterdir():
        (run / RECORD).write_bytes((run / RECORD).read_bytes()[:-9])


def break_histories(sweep: Path) -> None:
    for run in (sweep / "runs").iterdir():
        (run / METRICS).write_bytes(b"PAR1")


def break_ledger(sweep: Path) -> None:
    for entry in (sweep / "ledger").iterdir():
        entry.write_text("{}")


def remove_everything(sweep: Path) -> None:
    shutil.rmtree(sweep)
    sweep.mkdir()


@pytest.mark.parametrize(
    "harm",
    [
        remove_plan,
        break_plan,
        strange_plan,
        break_records,
        break_histories,
        break_ledger,
        remove_everything,
    ],
)
def test_a_damaged_sweep_still_has_a_page(
    sweep: Path, tmp_path: Path, harm: Callable[[Path], None]
) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(sweep, copy)
    harm(copy)
    text = write_report(copy).read_text()
    Page(text)
    if harm is break_records:
        assert "Could not be read (36)" in text
        assert "No run has a record yet." in text
    elif harm is break_histories:
        assert "Learning curves" not in text
    elif harm is remove_everything:
        assert "No runs are planned here" in text
    else:
        assert ">36</b> done" in text
        assert "Could not be read" in text
    console = Console(width=80, record=True, file=open("/dev/null", "w"))  # noqa: SIM115, PTH123
    print_results(copy, console)
    console.file.close()


def rendered(rows: list[dict[str, object]], width: int = 80, **more: object) -> list[str]:
    console = Console(width=width, color_system=None)
    with console.capture() as capture:
        console.print(terminal_table(rows, width, **more))  # type: ignore[arg-type]
    return capture.get().splitlines()


def summed(combination: str, mean: float, **changes: object) -> dict[str, object]:
    return {
        "cell": combination,
        "combination": combination,
        "extraction": "LogMel(bands=64)",
        "model": "SharedDnn(width=512, depth=4)",
        "source": "a.x",
        "task": "x",
        "metric": "uar",
        "label": "",
        "n": 15,
        "mean": mean,
        "deviation": 0.0123,
        "gain": None,
        "gain_deviation": None,
        "pairs": 0,
    } | changes


def test_the_terminal_table_is_best_first_and_bounded() -> None:
    rows = [summed("a.x", 0.5), summed("a.x", 0.99, metric="accuracy")]
    rows += [
        summed(f"a.x + b{i}", 0.6 + i / 100, gain=0.1 + i / 100, gain_deviation=0.05, pairs=15)
        for i in range(20)
    ]
    lines = rendered(rows, most=4)
    assert lines[0].startswith("a.x (uar)")
    assert [line.split()[0] for line in lines[2:6]] == ["b19", "b18", "b17", "alone"]
    assert lines[2].split()[1:] == [
        "LogMel",
        "SharedDnn",
        "0.790",
        "±",
        "0.012",
        "15",
        "+0.290",
        "±",
        "0.050",
    ]
    assert lines[6] == "  17 more in the report"
    assert "0.990" not in "".join(lines)


def test_the_terminal_table_fits_80_columns_with_long_names() -> None:
    long = "DCASE2017SoundEvents_and_a_very_long_name" * 3
    rows = [
        summed(
            f"a.x + {long}",
            0.6,
            extraction=f"LogMel({long})",
            model=f"Cnn({long})",
            gain=-0.1,
            gain_deviation=0.2,
            pairs=2,
        ),
        summed(long, 0.6, source=long, task=long),
    ]
    rows += [summed("a.x", 0.6, extraction=f"LogMel({long[:20]})", model=f"Cnn({long[:9]})")]
    lines = rendered(rows)
    assert max(map(len, lines)) <= 80
    assert sum("0.600 ± 0.012" in line for line in lines) == 3  # numbers are never cut
    assert sum("-0.100 ± 0.200" in line for line in lines) == 1


def test_no_results_yet() -> None:
    assert rendered([]) == ["No results yet."]


def test_short_names_keep_what_differs() -> None:
    assert short(
        ["Mfcc(n=40, hop=(1, 2))", "LogMel(n=64, hop=1)", "LogMel(n=32, hop=1)", "plain"]
    ) == {
        "Mfcc(n=40, hop=(1, 2))": "Mfcc",
        "LogMel(n=64, hop=1)": "LogMel(n=64)",
        "LogMel(n=32, hop=1)": "LogMel(n=32)",
        "plain": "plain",
    }
    nested = ["Cnn(widths=(1, 2), pool=Max(a=1, b=2))", "Cnn(widths=(1, 3), pool=Max(a=1, b=2))"]
    assert list(short(nested).values()) == ["Cnn(widths=(1, 2))", "Cnn(widths=(1, 3))"]


def test_titles_do_not_say_a_task_twice() -> None:
    assert title("fsdd.digit", "digit") == "fsdd.digit"
    assert title("fsdd.digit+speaker", "digit") == "fsdd.digit+speaker: digit"


@pytest.mark.parametrize(
    ("low", "high"), [(0, 1), (0.123, 0.124), (0.5, 0.5), (-3, 1200), (1, 50), (0.9, 1.0)]
)
def test_ticks_are_round_even_and_enclose(low: float, high: float) -> None:
    ticks = nice_ticks(low, high)
    assert ticks[0] <= low + 1e-9
    assert ticks[-1] >= high - 1e-9
    assert 2 <= len(ticks) <= 8
    np.testing.assert_allclose(np.diff(ticks), ticks[1] - ticks[0])


def test_the_parts_of_the_page_are_installed_with_the_package() -> None:
    names = {path.name for path in files("raymtl.results.report").iterdir()}
    assert {
        "page.html.jinja",
        "verdicts.html.jinja",
        "macros.html.jinja",
        "page.css",
        "page.js",
    } <= names


def test_a_control_is_never_a_tasks_best_cell(tmp_path: Path) -> None:
    """However well it scores: it shows where gains come from, and is no network to be chosen."""
    names = ("fsdd.digit", "ravdess.emotion")
    planned = cells(["LogMel()"], ["SharedDnn()"], names)[:-1]
    control = {**planned[-1], "name": "control", "control": "compute", "model": "Matched(big=9)"}
    for run, cell, fold, seed in write_plan(tmp_path, [*planned, control], folds=1):
        tasks = {source: TASKS[source] for source in cell["combination"]}
        found = outcome(tasks, seed=seed, skill=5.0 if cell.get("control") else 1.0)
        add_run(tmp_path, run, cell, fold, seed, found, list(tasks.values()))
    state = read_sweep(tmp_path)
    for _, rows in ranked_rows(state):
        assert rows[0]["control"] == "compute"  # it would be the best
        names_of = Names({"LogMel()": "LogMel"}, {"SharedDnn()": "Dnn", "Matched(big=9)": "Big"})
        shown = panel(state, rows, names_of)
        assert "Big" not in str((shown["best"], shown["curves"]["legend"]))
    said = Console(width=80, file=io.StringIO())
    print_results(tmp_path, said)
    assert isinstance(said.file, io.StringIO)
    assert "Matched" not in said.file.getvalue()
    assert "Matched(big=9)" not in dict(setting(state))["Models"]


def commands(sweep: Path, **environment: object) -> str:
    (sweep / "environment.json").write_text(json.dumps(environment))
    text = write_report(sweep).read_text()
    found = re.search(r'<pre id="again-text".*?>(.*?)</pre>', text, re.S)
    assert found
    return html.unescape(found[1])


def test_commands_of_a_cell_are_whole(tmp_path: Path) -> None:
    """Through the shell's own splitting: the study, its options, its data, quoted."""
    cell = {"name": "one", "combination": ["a"], "extraction": "e", "model": "m"}
    write_plan(tmp_path, [cell])
    said = ["raymtl", "sweep", "--plain", "s.py", "--data", "old", "--only=x", "--lanes", "2"]
    data = "/my data/$(rm) 'it'"
    text = commands(tmp_path, command=said, data=data, study="/a b/s.py")
    again, cell_again = (shlex.split(line) for line in text.splitlines())
    assert again == ["raymtl", "rerun", "--data", data, f"{tmp_path}/runs/one-f0-s0"]
    assert cell_again == [
        *("raymtl", "sweep", "/a b/s.py", "--plain", "--lanes", "2", "--data", data),
        *("--store", "raymtl-again", "--only", "one"),
    ]
    assert "--data DATA" in commands(tmp_path, command=said, study="s.py")
    assert "in place of <code>DATA" in (tmp_path / "report" / "index.html").read_text()
    assert "--data" not in commands(tmp_path, command=said, study="s.py", miniature=True, data="x")


def test_the_answer_is_what_the_tables_say(sweep: Path) -> None:
    """Counted anew by DuckDB from the files of the tables."""
    page = write_report(sweep)
    folder = page.parent / "tables"
    rows = f"read_parquet('{folder}/transfer-over-methods.parquet')"
    counts = dict(duckdb.sql(f"select verdict, count(*) from {rows} group by 1").fetchall())
    tasks = duckdb.sql(f"select distinct source, task from {rows}").fetchall()
    said = re.search(r'<p class="lead">(.*?)</p>', page.read_text())
    assert said
    assert re.match(rf"{len(tasks)} tasks, {sum(counts.values())} comparisons ", said[1])
    assert re.search(r">−0\.\d+ ±", page.read_text())  # one minus sign for all numbers
    assert not re.search(r">[^<]*-\d\.\d[^<]*</?t", page.read_text())
    for verdict, words in (("helps", "help,"), ("hurts", "hurt,"), ("inconclusive", "cannot")):
        assert f" {counts.get(verdict, 0)} {words}" in said[1]
    wanted = duckdb.sql(
        "select source, task, max(gain), median((high - low) / 2), count_if(verdict = 'helps') "
        f"from {rows} group by all order by all"
    ).fetchall()
    found = duckdb.sql(
        "select source, task, gain, median_half_width, helps "
        f"from read_parquet('{folder}/answer.parquet') order by all"
    ).fetchall()
    assert [row[:2] for row in found] == [row[:2] for row in wanted]
    for one, other in zip(found, wanted, strict=True):
        assert one[2:] == pytest.approx(other[2:])


def test_the_region_of_equivalence_is_what_is_asked_for(sweep: Path) -> None:
    """With two folds some intervals lie within 100 points and some do not."""
    console = Console(width=80, record=True, file=io.StringIO())
    show_report(sweep, console, 1.0)
    rows = f"read_parquet('{sweep / 'report/tables/transfer.parquet'}')"
    within = "low > -1 and high < 1 and p is not null"
    found = duckdb.sql(f"select verdict = 'equivalent', {within} from {rows}").fetchall()
    assert all(said == bool(inside) for said, inside in found)
    assert {said for said, _ in found} == {True, False}
    assert "Equivalent: within ± 100 points." in console.export_text()
    assert "within ± 100 points" in (sweep / "report" / "index.html").read_text()


def test_audits_of_the_store_are_linked(tmp_path: Path) -> None:
    root = tmp_path / "sweeps" / "one"
    write_plan(root, cells(["LogMel(bands=64)"], ["SharedDnn(width=512)"]))
    audit = tmp_path / "audits" / "two words & more.html"
    audit.parent.mkdir()
    audit.touch()
    page = write_report(root)
    (link,) = (
        link for link in Page(page.read_text()).fetched if not link.startswith(("#", "data:"))
    )
    assert (page.parent / unquote(link)).resolve() == audit

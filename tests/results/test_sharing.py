"""Trees, accounts and sentences of who shares what, against cases worked out by hand."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from raymtl.commands.show import show_run
from raymtl.results.report import write_report
from raymtl.results.report.page import page
from raymtl.results.sharing import Branch, in_words, shares, why_no_tree
from raymtl.results.state import read_sweep
from tests.results.synthetic import TASKS, add_run, cells, outcome, write_plan

THESIS = {"emotion": 4_104, "stress": 1_026, "scene": 7_695, "speaker": 11_799}


def content(*parts: tuple[str, int, str], reused: str = "") -> dict[str, Any]:
    """A record of parts (name, parameters, tasks by their letters)."""
    blocks = [
        {"name": name, "parameters": size, "tasks": list(tasks)}
        | ({"reused": True} if name == reused else {})
        for name, size, tasks in parts
    ]
    return {"sharing": {"blocks": blocks}}


def drawn(branch: Branch) -> Any:
    """Names of parts, and the branches of a node."""
    return [part.name for part in branch.parts], [drawn(each) for each in branch.branches]


def test_a_tree_of_three_tasks_of_which_two_go_further_together() -> None:
    found = shares(content(("stem", 10, "abc"), ("limb", 5, "ac"), ("x", 2, "a"), ("y", 3, "b")))
    assert found is not None
    tree = found.tree()
    assert tree is not None
    assert drawn(tree) == (["stem"], [(["limb"], [(["x"], []), ([], [])]), (["y"], [])])
    assert (found.parameters, found.shared, found.apart) == (20, 15, 10 * 3 + 5 * 2 + 2 + 3)


@pytest.mark.parametrize(
    "found",
    [
        content(("low", 1, "abc"), ("mid", 1, "ab"), ("mid2", 1, "bc")),
        content(("own", 1, "a"), ("own2", 1, "b"), ("high", 1, "ab"), reused="high"),
    ],
)
def test_what_is_no_tree_is_not_drawn_as_one(found: dict[str, Any]) -> None:
    read = shares(found)
    assert read is not None
    assert read.tree() is None
    assert why_no_tree(read).startswith("Not a tree")


@given(st.lists(st.sets(st.sampled_from("abcde"), min_size=1), min_size=1, max_size=8))
def test_it_is_a_tree_when_no_two_sets_overlap_in_part(sets: list[set[str]]) -> None:
    parts = [(f"p{i}", 1, "".join(sorted(tasks))) for i, tasks in enumerate(sets)]
    found = shares(content(*parts))
    assert found is not None
    overlaps = any(a & b and a - b and b - a for a in sets for b in sets)
    tree = found.tree()
    assert (tree is None) == overlaps
    if tree is not None:
        assert sorted(_names(tree)) == sorted(name for name, _, _ in parts)


def _names(branch: Branch) -> list[str]:
    return [p.name for p in branch.parts] + [n for each in branch.branches for n in _names(each)]


def test_accounts_are_the_published_ones() -> None:
    """168 inputs, 3 x 512, heads 8/2/15/23: 636,464 against 2,471,984, a ratio of 3.884."""
    blocks = [{"name": "trunk", "parameters": 611_840, "tasks": list(THESIS)}]
    blocks += [{"name": t, "parameters": size, "tasks": [t]} for t, size in THESIS.items()]
    found = shares({"sharing": {"blocks": blocks}})
    assert found is not None
    assert found.tasks == tuple(THESIS)
    assert (found.parameters, found.shared, found.apart) == (636_464, 611_840, 2_471_984)
    assert "would take 2,471,984 in all (3.88 ×)" in in_words(found)


def test_records_of_before_and_of_one_task_have_their_own_words() -> None:
    assert shares({}) is None
    assert shares({"sharing": {"problem": "x"}}) is None
    alone = shares(content(("trunk", 4, "a"), ("head", 2, "a")))
    assert alone is not None
    assert in_words(alone) == "One task: all 6 parameters are its own."
    tree = alone.tree()
    assert tree is not None
    assert drawn(tree) == (["trunk", "head"], [])


@pytest.fixture(scope="module")
def sweep(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Hard sharing of 1, 2 and 4 tasks, of which the pairs' records are old ones."""
    root = tmp_path_factory.mktemp("sweep")
    grid = cells(["LogMel(bands=64)"], ["SharedDnn(width=512)", "SharedCnn(width=64)"])
    for run, cell, fold, seed in write_plan(root, grid, folds=2):
        made = {source: TASKS[source] for source in cell["combination"]}
        names = [task.name for task in made.values()]
        trunk = 1000 if "Dnn" in cell["model"] else 2000
        blocks = [{"name": "trunk", "parameters": trunk, "tasks": names}]
        blocks += [
            {"name": f"heads.{i}", "parameters": 10 + i, "tasks": [name]}
            for i, name in enumerate(names)
        ]
        more = {} if len(names) == 2 else {"sharing": {"blocks": blocks}}
        add_run(root, run, cell, fold, seed, outcome(made), list(made.values()), **more)
    return root


def test_the_page_draws_each_structure_once(sweep: Path) -> None:
    found = page(read_sweep(sweep))
    assert found["missing_parts"]["sharing"] == ""
    part = found["sharing"]
    assert [s["title"].partition(":")[0] for s in part["structures"]] == ["4 tasks", "1 task"]
    whole, alone = part["structures"]
    assert len(whole["cells"]["rows"]) == 2
    assert len(alone["cells"]["rows"]) == 8
    assert whole["drawing"].count('<rect class="n"') == 5
    assert alone["drawing"] is None
    ((why, count),) = part["unknown"]
    assert count == 12
    assert "rerun" in why
    table = part["table"]["data"].to_pylist()
    for row in table:
        trunk, heads = (
            (1000, 2000)["Cnn" in row["method"]],
            sum(10 + i for i in range(row["tasks"])),
        )
        assert row["parameters"] == trunk + heads
        assert row["apart"] == row["tasks"] * trunk + heads
        assert row["shared"] == (trunk if row["tasks"] > 1 else 0)
    assert len(table) == 2 + 8


def test_its_tables_lie_beside_the_page(sweep: Path) -> None:
    folder = write_report(sweep).parent
    parts = pq.read_table(folder / "tables" / "sharing-parts.parquet").to_pylist()
    assert len(parts) == 8 * 2 + 2 * 5
    assert {tuple(p["tasks"]) for p in parts if p["part"] == "trunk" and len(p["tasks"]) > 1} == {
        tuple(TASKS[name].name for name in sorted(TASKS))
    }
    text = (folder / "index.html").read_text()
    assert "Who shares what" in text
    assert "rerun RUN --into DIR" in text


def test_show_says_it_within_80_columns(sweep: Path) -> None:
    run = next(r for r in (sweep / "runs").iterdir() if r.name.count("__") == 3)
    console = Console(file=io.StringIO(), width=80)
    show_run(str(run), sweep.parent, console)
    lines = console.file.getvalue().splitlines()  # type: ignore[attr-defined]
    start = lines.index("Who shares what")
    assert lines[start + 2].split() == ["trunk", *lines[start + 2].split()[1:3], "all"]
    assert max(map(len, lines[start : start + 10])) <= 80

"""The page in headless Chromium: nothing complains, every plot is drawn, keys reach all."""

from __future__ import annotations

import base64
import gzip
import json
import re
import shutil
import time
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from raymtl.results.compare import compare_sweeps
from raymtl.results.ledger import Ledger
from raymtl.results.report import write_report
from raymtl.results.report.comparing import write_comparison
from raymtl.results.state import read_sweep
from raymtl.tasks import OneOf
from tests.browser import Browser, needs_chromium
from tests.results.synthetic import TASKS, add_run, cells, outcome, write_plan

pytestmark = needs_chromium
HOSTILE = "<script>document.title='broken in'</script><img src=x onerror=\"document.title='in'\">"
PAUSE = "new Promise(after => setTimeout(after, 300))"
OPENED = f"document.querySelectorAll('details').forEach(d => {{ d.open = true; }}); {PAUSE}"
WIDER = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
NAMES = ("fsdd.digit", "ravdess.emotion", f"x.{HOSTILE}")


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sweep with a planted gain, a control, costs, sharing and hostile names."""
    root = tmp_path_factory.mktemp("sweep")
    tasks = dict(zip(NAMES, TASKS.values(), strict=False))
    grid = cells(["LogMel(bands=64)"], ["SharedDnn(width=512)", "SharedCnn(width=64)"], NAMES)
    for number, cell in enumerate(grid):
        cell["name"] = f"cell-{number}"
    planned = list(grid)
    for cell in [c for c in grid if len(c["combination"]) == 2]:
        main = cell["combination"][0]
        about = {"control": "shuffled", "main": main, "like": cell["combination"]}
        planned.append({**cell, "name": f"{cell['name']}-shuffled", **about})
    for number, (run, cell, fold, seed) in enumerate(
        write_plan(root, planned, folds=4, question=HOSTILE)
    ):
        names = cell["combination"]
        helped = "control" not in cell and len(names) > 1
        found = [
            outcome({n: tasks[n]}, seed=fold + (100 * number if "emotion" in n else 0), truth=fold,
                    epochs=3, clips=100, skill=2.5 if helped and n == "fsdd.digit" else 1.5)
            for n in names
        ]  # fmt: skip
        for other in found[1:]:
            found[0].scores.update(other.scores)
            found[0].history.extend(other.history)
        cost = {"macs": 1e6 * (1 + number % 7), "latency_ms": 1.0 + number % 5}
        heads = [tasks[n].name for n in names]
        blocks = [{"name": "trunk", "parameters": 900, "tasks": heads}]
        blocks += [{"name": f"heads.{h}<b>", "parameters": 9, "tasks": [h]} for h in heads]
        add_run(root, run, cell, fold, seed, found[0], [tasks[n] for n in names], cost=cost,
                sharing={"blocks": blocks}, parameters=1000 + 10 * (number % 11))  # fmt: skip
    return write_report(root)


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Planned, and not begun."""
    root = tmp_path_factory.mktemp("bare")
    write_plan(root, cells(["LogMel(bands=64)"], ["SharedDnn(width=512)"]), folds=2)
    return write_report(root)


@pytest.fixture(scope="module")
def compared(page: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("compared") / "page.html"
    write_comparison([compare_sweeps(page.parents[1], page.parents[1])], ["x"], [], out)
    return out


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with Browser(tmp_path_factory.mktemp("profile")) as found:
        yield found


@pytest.mark.parametrize(("width", "dark"), [(1280, False), (1280, True), (390, False)])
def test_nothing_complains_and_every_plot_is_drawn(
    browser: Browser, page: Path, tmp_path: Path, width: int, dark: bool
) -> None:
    browser.open(page, width=width, dark=dark)
    assert browser.errors == []
    assert browser.ask("document.querySelectorAll('script').length") == 3
    assert browser.ask("document.querySelectorAll('main img[onerror]').length") == 0
    assert "in" not in browser.ask("document.title").split()
    shown = (
        "[...document.querySelectorAll('main svg.chart')].filter(s => s.getClientRects().length)"
    )
    assert browser.ask(f"{shown}.length") >= 3  # curves of the chosen task, costs, trees
    empty = f"{shown}.filter(s => !s.querySelector('path, circle') || s.getBBox().width < 50)"
    assert browser.ask(f"{empty}.length") == 0
    assert browser.ask(WIDER) == 0  # only tables scroll sideways
    pixels = np.asarray(Image.open(browser.picture(tmp_path / "page.png")).convert("L"))
    assert (np.median(pixels) < 80) == dark
    assert len(np.unique(pixels)) > 30


def test_what_is_inconclusive_has_no_colour(browser: Browser, page: Path) -> None:
    browser.open(page)
    colours = browser.ask(
        "Object.fromEntries(['helps', 'inconclusive'].map(v => [v, [...new Set("
        "[...document.querySelectorAll('.grid td.' + v)].map(c => getComputedStyle(c)"
        ".backgroundColor + getComputedStyle(c).backgroundImage))]]))"
    )
    assert len(colours["helps"]) == 1
    assert colours["inconclusive"] == ["rgba(0, 0, 0, 0)none"]
    words = browser.ask("[...document.querySelectorAll('.grid td.helps b')].map(b => b.innerText)")
    assert words
    assert set(words) == {"+ helps"}


def test_keys_walk_the_matrix_and_its_details_are_read(browser: Browser, page: Path) -> None:
    browser.open(page)
    browser.ask("document.querySelector('.grid [tabindex=\"0\"]').focus()")
    before = browser.ask("document.activeElement.dataset.tip")
    assert browser.ask("document.getElementById('tip').innerText") == before
    assert browser.ask("document.activeElement.getAttribute('aria-describedby')") == "tip"
    browser.press("ArrowDown")
    after = browser.ask("document.activeElement.dataset.tip")
    assert after
    assert after != before
    browser.press("Escape")
    assert browser.ask("document.getElementById('tip').hidden") is True


def test_the_front_is_the_one_that_brute_force_finds(browser: Browser, page: Path) -> None:
    browser.open(page)
    data = json.loads(browser.ask("document.getElementById('pareto-data').textContent"))
    for task, axis in ((0, 0), (1, 1)):
        browser.ask(
            f"for (const [id, v] of [['pareto-task', {task}], ['pareto-cost', {axis}]]) {{"
            "const s = document.getElementById(id); s.value = v;"
            "s.dispatchEvent(new Event('input')); }"
        )
        points = [(p[3][axis], p[2]) for p in data["points"] if p[0] == task and not p[4]]
        controls = [p for p in data["points"] if p[0] == task and p[4]]
        front = {
            one
            for one in points
            if not any(o != one and o[0] <= one[0] and o[1] >= one[1] for o in points)
        }
        assert browser.ask("document.querySelectorAll('#pareto rect.front').length") == len(front)
        dots = "document.querySelectorAll('#pareto .dot').length"
        assert browser.ask(dots) == len(points) + len(controls) > len(points)
        assert browser.ask("document.querySelectorAll('#pareto path.control').length") == len(
            controls
        )


def test_the_plot_of_costs_is_walked_with_keys(browser: Browser, page: Path) -> None:
    browser.open(page)
    at = "document.activeElement.getAttribute('aria-label')"
    assert browser.ask("document.querySelectorAll('#pareto [tabindex=\"0\"]').length") == 1
    browser.ask("document.querySelector('#pareto [tabindex=\"0\"]').focus()")
    seen = [browser.ask(at)]
    for _ in range(3):
        browser.press("ArrowRight")
        seen.append(browser.ask(at))
    assert len(set(seen)) == 4
    assert browser.ask("document.getElementById('tip').textContent") == seen[-1]
    browser.press("ArrowLeft")
    assert browser.ask(at) == seen[2]
    costs = [float(re.search(r"Parameters ([\d.]+)", words)[1]) for words in seen]
    assert costs == sorted(costs)


def test_every_file_within_the_page_equals_the_one_beside_it(browser: Browser, page: Path) -> None:
    browser.open(page)
    held = json.loads(browser.ask("document.getElementById('files').textContent"))
    beside = {path.name: path.read_bytes() for path in (page.parent / "tables").iterdir()}
    assert {"transfer.csv", "controls.parquet", "matrix-1.tex", "delta-m.csv"} <= set(held)
    assert {name: gzip.decompress(base64.b64decode(text)) for name, text in held.items()} == beside


def test_a_table_is_saved_from_the_page_alone(browser: Browser, page: Path, tmp_path: Path) -> None:
    """The page without its folder; the browser's own unpacking against the file it came from."""
    moved = tmp_path / "moved.html"
    shutil.copy(page, moved)
    browser.open(moved)
    browser.call("Page.setDownloadBehavior", behavior="allow", downloadPath=str(tmp_path))
    browser.ask("document.querySelectorAll('#costs details').forEach(d => { d.open = true; })")
    browser.ask(PAUSE)
    for name in ("costs.csv", "costs.parquet", "costs.tex"):
        browser.ask(f"document.querySelector('a[download=\"{name}\"]').click()")
        for _ in range(200):
            if (tmp_path / name).is_file():
                break
            time.sleep(0.05)
        beside = (page.parent / "tables" / name).read_bytes()
        assert (tmp_path / name).read_bytes() == beside


def test_latex_is_copied_or_else_shown(browser: Browser, page: Path) -> None:
    browser.open(page)
    button = "document.querySelector('button[data-file=\"best-cells.tex\"]')"
    wanted = (page.parent / "tables" / "best-cells.tex").read_text()
    browser.ask(
        "Object.defineProperty(navigator, 'clipboard', {value: {writeText: async t => { self.got "
        f"= t; }} }} }}), {button}.click()"
    )
    assert browser.ask(f"{PAUSE}.then(() => self.got)") == wanted
    browser.ask(
        f"navigator.clipboard.writeText = async () => {{ throw new Error('no'); }};{button}.click()"
    )
    assert browser.ask(f"{PAUSE}.then(() => getSelection().toString())").strip() == wanted.strip()


def test_choosing_a_cell_gives_its_command(browser: Browser, page: Path) -> None:
    browser.open(page)
    state = read_sweep(page.parents[1])
    cell = list(dict.fromkeys(state.planned.values()))[-1]
    browser.ask(
        f"(() => {{ const s = document.getElementById('again-cell'); s.value = '{cell}';"
        "s.dispatchEvent(new Event('input')); })()"
    )
    text = browser.ask("document.getElementById('again-text').innerText")
    run = next(run for run, name in state.planned.items() if name == cell)
    assert f"raymtl rerun --data DATA {state.sweep}/runs/{run}" in text
    assert "--data DATA --store" in text
    assert text.endswith(f"--only {cell}")


@pytest.mark.parametrize(("width", "dark"), [(1280, False), (1280, True), (390, False)])
def test_axe_finds_nothing(
    browser: Browser,
    page: Path,
    compared: Path,
    bare: Path,
    strange: Path,
    width: int,
    dark: bool,
) -> None:
    """WCAG 2 A and AA, as far as a program can tell, with every detail opened."""
    rules = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"]
    axe = files("axe_core_python").joinpath("axe.min.js").read_text()
    for one in (page, compared, bare) if width > 390 else (strange, page):
        browser.open(one, width=width, dark=dark)
        browser.ask(OPENED)
        browser.ask(f"{axe}; 0")
        found = browser.ask(
            f"axe.run(document, {{runOnly: {json.dumps(rules)}}}).then(r => JSON.stringify({{"
            "wrong: r.violations.map(v => [v.id, v.nodes.map(n => n.html)]),"
            "right: r.passes.map(p => p.id)}))"
        )
        assert json.loads(found)["wrong"] == [], one
        assert "color-contrast" in json.loads(found)["right"]


def test_one_task_is_shown_at_first_and_the_scores_can_be_filtered(
    browser: Browser, page: Path
) -> None:
    browser.open(page)
    shown = "[...document.querySelectorAll('.panel')].filter(p => !p.hidden).length"
    assert browser.ask(shown) == 1
    assert browser.ask("document.querySelectorAll('.panel').length") == 3
    count = "document.getElementById('scores-count').innerText"
    whole = browser.ask(count).split()
    assert whole[0] == whole[2] != "0"
    browser.ask(
        "(() => { const s = document.querySelector('[data-column=\"3\"]'); s.value = 'SharedCnn';"
        "s.dispatchEvent(new Event('input')); })()"
    )
    assert browser.ask(count).split()[0] == str(int(whole[0]) // 2)


def test_what_is_folded_up_is_drawn_when_opened(browser: Browser, page: Path) -> None:
    browser.open(page)
    rows = "document.querySelector('#table-transfer')?.querySelectorAll('tbody tr').length ?? 0"
    assert browser.ask(rows) == 0
    browser.ask("document.querySelectorAll('#verdicts details').forEach(d => { d.open = true; })")
    browser.ask(PAUSE)
    written = (page.parent / "tables" / "transfer.csv").read_text().count("\n") - 1
    assert browser.ask(rows) == written > 10
    panels = "document.querySelectorAll('.panel h3').length"
    assert browser.ask(panels) == 1
    choose = "(v => { const s = document.getElementById('task-chooser'); s.value = v;"
    browser.ask(f"{choose} s.dispatchEvent(new Event('input')); }})('')")
    assert browser.ask(panels) == 3
    assert browser.errors == []


def test_curves_are_read_with_keys_and_left_out(browser: Browser, page: Path) -> None:
    browser.open(page)
    chart = "document.querySelector('svg[data-curves]')"
    told = json.loads(browser.ask(f"{chart}.dataset.curves"))
    browser.ask(f"{chart}.focus()")
    for key, epoch in (("Home", told["epochs"][0]), ("ArrowRight", told["epochs"][1])):
        browser.press(key)
        words = browser.ask(f"{chart}.getAttribute('aria-valuetext')")
        values = [c["mean"][c["epochs"].index(epoch)] for c in told["curves"]]
        assert words.startswith(f"epoch {epoch:g}\n")
        assert [float(v) for v in re.findall(r": (\d\.\d+)", words)] == pytest.approx(
            values, abs=1e-3
        )
        assert browser.ask("document.getElementById('tip').textContent") == words
    browser.ask("document.querySelector('.legend input').click()")
    words = browser.ask(f"{chart}.getAttribute('aria-valuetext')")
    assert words.count("\n") == len(told["curves"]) - 1
    assert browser.ask(f"getComputedStyle({chart}.querySelector('g')).display") == "none"


def test_paper_hides_controls_and_shows_what_was_folded_up(browser: Browser, page: Path) -> None:
    browser.open(page)
    browser.call("Emulation.setEmulatedMedia", media="print")
    browser.ask("window.dispatchEvent(new Event('beforeprint'))")
    browser.ask(PAUSE)
    shown = "[...document.querySelectorAll('{}')].filter(e => e.getClientRects().length).length"
    controls = "nav, select, input, button, .links, .skip"
    assert browser.ask(shown.format(controls)) == 0
    assert browser.ask(shown.format(".panel")) == 3
    folded = "[...document.querySelectorAll('details:not([open])')]"
    rows = f"{folded}.map(d => (d.querySelector('template')?.content ?? d).querySelectorAll('tr'))"
    assert browser.ask(f"{rows}.filter(r => r.length <= 150).length") == 0
    browser.ask("window.dispatchEvent(new Event('afterprint'))")
    browser.call("Emulation.setEmulatedMedia", media="")
    assert browser.ask(f"{folded}.length") > 3


@pytest.fixture(scope="module")
def strange(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Partly done, with names that are long, written from right to left, or pictures."""
    root = tmp_path_factory.mktemp("strange")
    tasks = {
        "corpus." + "verylongname" * 17: OneOf("long" * 50, ("a" * 200, "b b")),
        "rtl.מבחן": OneOf("عربي", ("שלום", "مرحبا", "😀🎉")),
    }
    grid = cells(
        ["LogMel(" + "x" * 200 + ")"], ["Dnn(w=1)", "Cnn(😀=" + "y" * 99 + ")"], list(tasks)
    )
    for number, cell in enumerate(grid):
        cell["name"] = f"cell-{number}"
    skipped = [{"id": "i" * 200, "source": "s", "path": "p" * 200, "reason": "r" * 300}]
    words = {"question": "q" * 300, "notes": ["n" * 400], "name": "n" * 200}
    planned = write_plan(root, grid, folds=2, skipped=skipped, **words)
    for number, (run, cell, fold, seed) in enumerate(planned):
        names = cell["combination"]
        if number in (3, 6):
            kind = "failed" if number == 3 else "diverged"
            Ledger(root / "ledger").write(run, kind, "E" * 300, trace="t" * 500)
        elif number != 7:
            found = outcome({name: tasks[name] for name in names}, seed=number, epochs=3)
            blocks = [
                {"name": "trunk" * 30, "parameters": 9, "tasks": [tasks[n].name for n in names]}
            ]
            add_run(root, run, cell, fold, seed, found, [tasks[n] for n in names],
                    cost={"macs": 1e6}, sharing={"blocks": blocks})  # fmt: skip
    return write_report(root)


@pytest.mark.parametrize(("width", "dark"), [(390, True), (640, False)])  # 640: 1280 at 200 %
def test_strange_names_push_no_page_wide(
    browser: Browser, strange: Path, bare: Path, compared: Path, width: int, dark: bool
) -> None:
    for one in (strange, bare, compared):
        browser.open(one, width=width, dark=dark)
        browser.ask(OPENED)
        assert browser.ask(WIDER) == 0, one
        beyond = browser.ask(
            "[...document.querySelectorAll('main *, header *')].filter(e => "
            "e.getBoundingClientRect().right > innerWidth + 1 && "
            "!e.closest('.scroll, pre, svg, .unseen')).map(e => e.outerHTML.slice(0, 99))"
        )
        assert beyond == [], one
        assert browser.errors == [], one


def test_all_that_takes_the_focus_is_named(browser: Browser, page: Path, strange: Path) -> None:
    """By Chromium's own tree of what it tells a screen reader; and boxes stop only to scroll."""
    for one in (page, strange):
        browser.open(one, width=390)
        browser.ask(OPENED)
        nodes = browser.call("Accessibility.getFullAXTree")["nodes"]
        focusable = [
            node
            for node in nodes
            if not node["ignored"]
            and any(p["name"] == "focusable" and p["value"]["value"] for p in node["properties"])
        ]
        roles = {node["role"]["value"] for node in focusable}
        assert {"link", "button", "combobox", "slider", "gridcell"} <= roles
        assert [n["role"] for n in focusable if not n.get("name", {}).get("value")] == []
        idle = browser.ask(
            "[...document.querySelectorAll('.scroll[tabindex], pre[tabindex]')].filter(e => "
            "e.getClientRects().length && e.scrollWidth <= e.clientWidth + 1 && "
            "e.scrollHeight <= e.clientHeight + 1).map(e => e.outerHTML.slice(0, 99))"
        )
        assert idle == [], one

"""`raymtl show`: everything about one run, on one screen of 80 columns where it fits."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from raymtl.kept import EPOCHS, epoch_of, kept_epochs, spelt
from raymtl.provenance import state_in_words
from raymtl.results.finding import Found, find_run
from raymtl.results.runs.epochs import epochs_bytes
from raymtl.results.runs.facts import OneRun, curves, read_run, sparkline, varied
from raymtl.results.sharing import in_words, shares, why_no_tree, why_unknown
from raymtl.results.state import ENVIRONMENT

_LARGEST = 12  # labels of a confusion matrix that is drawn
_CURVES = 12
_PARTS = 24  # of a network, listed
_STYLES = {"done": "bold green", "failed": "bold red", "damaged": "bold red", "diverged": "red"}


def show_run(text: str, store: Path, console: Console) -> int:
    """Prints what is known of the run; 1 when it is damaged.

    Raises:
        PreflightError: when the text names no run, or several.
    """
    one = read_run(find_run(text, store))
    facts = (_head, _varied, _sources, _sharing, _scores)
    for section in (*facts, _history, _files, _provenance, _again):
        section(one, console)
    return 1 if one.status == "damaged" else 0


def again(found: Found, data: str | None) -> str:
    """The command that gives the run's numbers again."""
    words = ["raymtl", "rerun", str(found.folder if found.done else found.unfinished)]
    if not found.done:
        words = ["raymtl", "rerun", f"{found.sweep.name}/{found.run}"]
        words += ["--store", str(found.sweep.parents[1])]
    return shlex.join(words + (["--data", data] if data else []))


def _head(one: OneRun, console: Console) -> None:
    console.print(Text(one.found.run, "bold"), soft_wrap=True)
    line = Text("  status      ").append(one.status, _STYLES.get(one.status, "yellow"))
    content = one.content
    if content:
        line.append(
            f" in {content['seconds']:.1f} s, {content['epochs']} epochs (best "
            f"{content['best_epoch']}), {content['steps']} steps"
        )
    console.print(line)
    if one.entry is not None and one.entry.reason:
        _say(console, "reason", one.entry.reason)
        console.print(Text(one.entry.trace.rstrip(), "dim"), soft_wrap=True)
    for problem in one.problems:
        console.print(Text(f"  problem     {problem}", "red"), soft_wrap=True)
    cell = content.get("cell", {})
    facts = {
        "cell": cell.get("name"),
        "control": _control(cell),
        "extraction": cell.get("extraction"),
        "model": cell.get("network") or cell.get("model"),
        "training": content.get("training"),
        "parameters": f"{content['parameters']:,}" if content else None,
        "kept epochs": spelt(kept_epochs(content)) if content else None,
        "address": content.get("digest"),
    }
    for name, value in facts.items():
        _say(console, name, value)


def _control(cell: Mapping[str, Any]) -> str | None:
    if not cell.get("control"):
        return None
    return f"{cell['control']} for {cell['main']} in {' + '.join(cell['like'])}"


def _varied(one: OneRun, console: Console) -> None:
    axes = varied(one)
    if axes:
        _title(console, f"Varied in {one.plan.get('name', one.found.sweep.name)}")
    for axis, (value, count) in axes.items():
        _say(console, axis, f"{value} (one of {count})")


def _sources(one: OneRun, console: Console) -> None:
    content = one.content
    if not content:
        return
    table = _table(console, "source", "tasks", *("train", "val", "test", "skipped", "passes"))
    tasks: dict[str, list[str]] = {}
    for score in content["scores"]:
        tasks.setdefault(score["source"], []).append(score["task"])
    for name, facts in content["sources"].items():
        numbers = [facts.get(key) for key in ("train", "validation", "test", "skipped", "passes")]
        words = ", ".join(dict.fromkeys(tasks.get(name, [])))
        table.add_row(name, words, *(_number(n) for n in numbers))
    _title(console, "Sources (clips)")
    console.print(table)
    leaks = content.get("leaks") or {}
    shared = {k: v for k, v in leaks.items() if k in ("groups", "clips", "audio") and v}
    dropped = " (those clips were dropped)" if leaks.get("dropped") else ""
    console.print(
        f"  leaks: {', '.join(f'{k} {v}' for k, v in shared.items()) or 'none'}{dropped}; "
        f"conflicts of official splits: {len(content.get('conflicts', []))}",
        markup=False,
    )


def _sharing(one: OneRun, console: Console) -> None:
    if not one.content:
        return
    _title(console, "Who shares what")
    found = shares(one.content)
    if found is None:
        console.print(Padding(Text(why_unknown(one.content)), (0, 0, 0, 2)))
        return
    table = _table(console, "part", "parameters", "%", "tasks")
    table.columns[-1].justify = "left"
    for part in found.parts[:_PARTS]:
        everyone = "all" if len(part.tasks) == len(found.tasks) > 1 else "none"
        words = everyone if everyone == "all" or not part.tasks else ", ".join(part.tasks)
        size = (f"{part.parameters:,}", f"{found.share(part.parameters):.1f}")
        table.add_row(part.name, *size, words + (" (on different inputs)" if part.reused else ""))
    console.print(table)
    more = f"{len(found.parts) - _PARTS} more in record.json. " if found.parts[_PARTS:] else ""
    tree = "" if found.tree() else f" {why_no_tree(found)}"
    console.print(Padding(Text(f"{more}{in_words(found)}{tree}"), (0, 0, 0, 2)))


def _scores(one: OneRun, console: Console) -> None:
    for score in one.content.get("scores", []):
        if score["part"] == "test":
            _title(console, f"{score['source']}: {score['task']} on its test part")
            _scalars(one, score, console)
            _labels(score, console)
            _confusion(one, score, console)


def _scalars(one: OneRun, score: Mapping[str, Any], console: Console) -> None:
    primary = one.content["tasks"].get(score["task"], {}).get("primary")
    same = {(s["source"], s["task"]): s["scalars"] for s in one.content["scores"]
            if s["part"] == "validation"}  # fmt: skip
    before = same.get((score["source"], score["task"]), {})
    table = _table(console, "metric", "test", "validation")
    for name, value in sorted(score["scalars"].items(), key=lambda item: item[0] != primary):
        style = "bold" if name == primary else ""
        table.add_row(Text(name, style), _number(value), _number(before.get(name)))
    console.print(table)


def _labels(score: Mapping[str, Any], console: Console) -> None:
    if not score["per_label"]:
        return
    metrics = list(dict.fromkeys(m for v in score["per_label"].values() for m in v))[:6]
    table = _table(console, "label", *metrics)
    for label, values in score["per_label"].items():
        table.add_row(label, *(_number(values.get(metric)) for metric in metrics))
    console.print(table)


def _confusion(one: OneRun, score: Mapping[str, Any], console: Console) -> None:
    counts = score["confusion"]
    if not counts:
        return
    labels = one.content["tasks"].get(score["task"], {}).get("labels") or list(range(len(counts)))
    if len(counts) > _LARGEST:
        _worst(counts, labels, console)
        return
    table = _table(console, "truth \\ said", *(str(label)[:4] for label in labels))
    for at, (label, row) in enumerate(zip(labels, counts, strict=False)):
        cells = [Text(str(n), "bold" if at == i else "") for i, n in enumerate(row)]
        table.add_row(str(label), *cells)
    console.print(table)


def _worst(counts: list[list[int]], labels: list[Any], console: Console) -> None:
    pairs = [(n, i, j) for i, row in enumerate(counts) for j, n in enumerate(row) if i != j and n]
    table = _table(console, "truth", "said", "clips")
    for n, i, j in sorted(pairs, reverse=True)[:10]:
        table.add_row(str(labels[i]), str(labels[j]), str(n))
    console.print(table)


def _history(one: OneRun, console: Console) -> None:
    found = list(curves(one.history).items())
    if not found:
        return
    table = _table(console, "curve", "epochs", "first", "last")
    table.columns[1].justify = "left"
    for name, values in found[:_CURVES]:
        table.add_row(name, sparkline(values), _number(values[0]), _number(values[-1]))
    _title(console, "History")
    console.print(table)
    if len(found) > _CURVES:
        console.print(f"  {len(found) - _CURVES} more in metrics.parquet")


def _files(one: OneRun, console: Console) -> None:
    files = one.content.get("files", {})
    if not files:
        return
    table = _table(console, "file", "bytes", "sha256", "")
    for name, facts in _together(files, one.problems).items():
        wrong = any(str(one.found.folder / name) in problem for problem in one.problems)
        verdict = Text("damaged", "red") if wrong else Text("as written", "green")
        table.add_row(name, str(facts["size"]), facts["sha256"][:12], verdict)
    _title(console, "Files")
    console.print(table)
    console.print(f"  in {one.found.folder}", markup=False, soft_wrap=True)


def _together(files: Mapping[str, Any], problems: Sequence[str]) -> dict[str, Any]:
    """Files as they are listed: kept epochs in one line, unless something is wrong with them."""
    kept = [name for name in files if epoch_of(name) is not None]
    if len(kept) < 2 or any(f"/{EPOCHS}/" in problem for problem in problems):
        return dict(files)
    shown = {name: facts for name, facts in files.items() if name not in kept}
    shown[f"{EPOCHS}/ ({len(kept)} files)"] = {"size": epochs_bytes(files), "sha256": ""}
    return shown


def _provenance(one: OneRun, console: Console) -> None:
    content, environment = one.content, one.environment
    versions = content.get("versions", environment.get("versions", {}))
    machine = content.get("machine") or environment.get("machine") or {}
    git, packages = environment.get("git") or {}, len(environment.get("packages", ()))
    facts = {
        "study": environment.get("study"),
        "data": environment.get("data"),
        "commit": state_in_words(git.get("study")) or environment.get("commit"),
        "raymtl": state_in_words(git.get("raymtl")),
        "seed": f"{content['seed']}, derived {content.get('derived_seed')}" if content else None,
        "device": content.get("device"),
        "machine": _machine(machine),
        "versions": ", ".join(f"{name} {version}" for name, version in versions.items()),
        "packages": f"all {packages} are in {one.found.sweep / ENVIRONMENT}" if packages else None,
    }
    _title(console, "Provenance")
    for name, value in facts.items():
        _say(console, name, value)
    for name, source in content.get("sources", {}).items():
        found = f"features {source['features'][:12]}, fit {source['fit'][:12]}"
        if source.get("content"):
            found += f", recordings {source['content'][:12]}"
        _say(console, name, found)


def _machine(machine: Mapping[str, Any]) -> str | None:
    if not machine:
        return None
    memory = f"{(machine.get('memory') or 0) / 2**30:.1f} GiB"
    words = [machine.get("cpu"), f"{machine.get('cores')} cores", memory, *machine.get("gpus", [])]
    return ", ".join(str(word) for word in words if word)


def _again(one: OneRun, console: Console) -> None:
    _title(console, "Again")
    command = again(one.found, one.environment.get("data"))
    console.print(f"  {command}", markup=False, soft_wrap=True)


def _say(console: Console, name: str, value: object) -> None:
    if value not in (None, ""):
        grid = Table.grid(padding=(0, 1))
        grid.add_column(min_width=13, no_wrap=True)
        grid.add_column(overflow="fold")
        grid.add_row(Text(f"  {name}", "dim"), Text(str(value)))
        console.print(grid)


def _title(console: Console, text: str) -> None:
    console.print(Text(f"\n{text}", "bold"))


def _table(console: Console, *columns: str) -> Table:
    table = Table(box=None, header_style="dim", pad_edge=True, padding=(0, 1))
    for at, column in enumerate(columns):
        table.add_column(column, justify="right" if at else "left", overflow="fold")
    return table


def _number(value: Any) -> str:
    if value is None:
        return ""
    return f"{value:.4g}" if isinstance(value, float) else str(value)

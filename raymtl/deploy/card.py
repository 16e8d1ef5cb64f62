"""The model card: what a network is, what it learnt from, how good it is, and where it ends."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from raymtl.deploy.predictor import Predictor
from raymtl.extraction.audio import Signal
from raymtl.results.sharing import in_words, shares


def card(predictor: Predictor, facts: Mapping[str, Any]) -> str:
    """Markdown. facts: as `artefact.json` has them."""
    parts = [_head(predictor), _use(predictor), _data(predictor), _scores(predictor)]
    parts += [_sharing(predictor), _cost(facts), _checks(facts), _limits(predictor, facts)]
    return "\n".join(line for part in parts for line in part) + "\n"


def _head(predictor: Predictor) -> Iterator[str]:
    cell = predictor.record["cell"]
    yield f"# {predictor.recipe.run}"
    yield ""
    record = predictor.record
    yield f"A network of `{cell['model']}` on `{cell['extraction']}`,"
    yield f"trained by raymtl on {', '.join(cell['combination'])}:"
    yield f"fold {record['fold']}, seed {record['seed']}, best epoch {record['best_epoch']} of"
    yield f"{record['epochs']}; the weights are those of epoch {predictor.epoch}."
    yield f"Address `{predictor.recipe.digest}`."
    yield ""


def _use(predictor: Predictor) -> Iterator[str]:
    yield "## What it answers"
    yield ""
    for name, task in predictor.tasks.items():
        labels = ", ".join(task.labels_) or "a number"
        yield f"- **{name}** ({type(task).__name__}): {labels}"
    yield ""
    for source, front in predictor.recipe.fronts.items():
        hears = f"; it hears {predictor.hears(front):.3g} s at a time" if front.rate else ""
        yield f"Sound as in {source}: `{front.signal}`{hears}."
    yield ""


def _data(predictor: Predictor) -> Iterator[str]:
    yield "## What it learnt from"
    yield ""
    yield "| source | corpus | train | validation | test | licence | home |"
    yield "|---|---|--:|--:|--:|---|---|"
    for name, facts in predictor.record["sources"].items():
        corpus = predictor.recipe.fronts[name].corpus
        counts = " | ".join(str(facts[part]) for part in ("train", "validation", "test"))
        said = [corpus.get(key, "not stated") for key in ("corpus", "licence", "home")]
        yield f"| {name} | {_cell(said[0])} | {counts} | {_cell(said[1])} | {_cell(said[2])} |"
    yield ""
    citations = {front.corpus.get("citation") for front in predictor.recipe.fronts.values()}
    yield from (f"- {text}" for text in sorted(filter(None, citations)))
    yield ""
    yield "A network may be bound by the licences of the recordings it learnt from."
    yield ""


def _scores(predictor: Predictor) -> Iterator[str]:
    yield "## How good it is"
    yield ""
    best = predictor.record["best_epoch"]
    yield "Test clips, scored once, at the epoch that validation chose:"
    if predictor.epoch != best:
        yield f"**that is epoch {best}; these weights, of epoch {predictor.epoch}, were not scored."
        yield "`raymtl evaluate --epoch` does.**"
    yield ""
    yield "| source | task | metric | value |"
    yield "|---|---|---|--:|"
    for score in predictor.record["scores"]:
        if score["part"] == "test":
            for metric, value in score["scalars"].items():
                yield f"| {score['source']} | {score['task']} | {metric} | {value:.4f} |"
    yield ""
    for score in predictor.record["scores"]:
        if score["part"] == "test" and score["per_label"]:
            yield from _labels(score)


def _labels(score: Mapping[str, Any]) -> Iterator[str]:
    yield f"<details><summary>{score['source']}, {score['task']}: by label</summary>"
    yield ""
    yield "| label | clips | precision | recall | f1 |"
    yield "|---|--:|--:|--:|--:|"
    for label, found in score["per_label"].items():
        values = [f"{found[m]:.3f}" if m in found else "" for m in ("precision", "recall", "f1")]
        yield f"| {_cell(label)} | {found['support']:.0f} | {' | '.join(values)} |"
    yield ""
    yield "</details>"
    yield ""


def _sharing(predictor: Predictor) -> Iterator[str]:
    found = shares(predictor.record)
    if found is None:
        return
    yield "## Who shares what"
    yield ""
    yield "| part | parameters | % | tasks |"
    yield "|---|--:|--:|---|"
    for part in found.parts:
        size = f"{part.parameters:,} | {found.share(part.parameters):.1f}"
        yield f"| {_cell(part.name)} | {size} | {_cell(', '.join(part.tasks)) or 'none'} |"
    yield ""
    yield in_words(found)
    yield ""


def _cost(facts: Mapping[str, Any]) -> Iterator[str]:
    yield "## What it costs"
    yield ""
    for name, graph in facts["graphs"].items():
        cost = graph["profile"]
        yield f"- {name}: {cost['parameters']:,} parameters, {cost['macs']:,} multiply-adds for a"
        yield f"  clip of {cost['clip']['frames']} frames (extraction not counted)"
        sizes = ", ".join(f"{kind} {size:,} bytes" for kind, size in cost["bytes"].items())
        yield f"  - {sizes}"
        times = ", ".join(f"{what} {ms:g} ms" for what, ms in cost["milliseconds"].items())
        yield f"  - {times} ({cost['machine']})"
        for head, found in cost["int8"].items():
            yield f"  - {head} in 8 bits: {found['metric']} {_number(found['float32'])} →"
            yield f"    {_number(found['int8'])}; {found['decisions changed']} of"
            yield f"    {found['clips']} decisions on test clips differ"
    yield ""


def _checks(facts: Mapping[str, Any]) -> Iterator[str]:
    yield "## How the graphs were checked"
    yield ""
    for name, graph in facts["graphs"].items():
        for kind, found in graph["checks"].items():
            said = ", ".join(f"{key} {value:.3g}" for key, value in found.items())
            yield f"- {name}, {kind}: {said}"
        needed = ", ".join(f"{kind} {size}" for kind, size in graph["least"].items())
        yield f"- {name}, shortest clip a graph takes (frames, samples): {needed}"
        if not graph["checks"]["from features"]["test clips"]:
            yield f"- {name}: **not** held against the run's test clips: their features are no"
            yield "  longer in the store."
        if graph["missing"]:
            yield f"- {name}: no graph from waveforms: {graph['missing']}"
    yield ""


def _limits(predictor: Predictor, facts: Mapping[str, Any]) -> Iterator[str]:
    yield "## Limits"
    yield ""
    yield "- It answers for anything: a sound unlike those above gets one of the labels, too."
    yield "- Scores are not calibrated."
    if any(isinstance(front.signal, Signal) for front in predictor.recipe.fronts.values()):
        yield "- Graphs from waveforms take samples at the signal's rate, channels as it keeps"
        yield "  them: decoding, resampling (soxr HQ) and cutting are the caller's; `raymtl.load`"
        yield "  does them."
        yield "- `torch.export.load` may unpickle what is in a .pt2 file: open those of others with"
        yield "  care. `raymtl.load` reads JSON and safetensors alone."
    yield "- Graphs take clips of one length in a batch; clips shorter than a window are padded by"
    yield "  `raymtl.load` alone."
    leaks = predictor.record.get("leaks")
    if leaks:
        yield f"- What training and test clips share: `{leaks}`"
    if predictor.recipe.precision != "float32":
        yield f"- Trained in {predictor.recipe.precision}; graphs are float32."
    yield ""


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;")


def _number(value: float | None) -> str:
    return "undefined" if value is None else f"{value:.4f}"

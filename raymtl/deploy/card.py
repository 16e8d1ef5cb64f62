"""The model card: what a network is, what it learnt from, how good it is, and where it ends."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from raymtl.deploy.predictor import Predictor
from raymtl.deploy.recipe import Front
from raymtl.extraction.audio import Signal
from raymtl.results.sharing import in_words, shares

_GRAPHS = {
    "float32": "from features",
    "int8": "from features, in 8 bits",
    "waveform": "from waveforms",
}
_UNITS = {"features": "frames", "waveform": "samples"}


def card(predictor: Predictor, facts: Mapping[str, Any]) -> str:
    """Markdown. facts: as `artefact.json` has them."""
    parts = [_head(predictor), _use(predictor), _code(predictor, facts)]
    parts += [_data(predictor), _scores(predictor), _sharing(predictor)]
    parts += [_cost(facts), _checks(facts), _limits(predictor, facts)]
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
        labels = ", ".join(map(_cell, task.labels_)) or "a number"
        yield f"- **{_cell(name)}** ({type(task).__name__}): {labels}"
    yield ""
    for source, front in predictor.recipe.fronts.items():
        hears = f", {predictor.hears(front):.3g} s at a time" if front.rate else ""
        yield f"- {_media(front)} as in {source}: `{front.signal}`{hears}"
    yield ""


def _media(front: Front) -> str:
    media = front.signal.media
    return "Sound" if media == "audio" else f"{media.capitalize()}s"


def _code(predictor: Predictor, facts: Mapping[str, Any]) -> Iterator[str]:
    """How to use it, with raymtl and without."""
    yield "## How to use it"
    yield ""
    yield "```python"
    yield "import raymtl"
    yield ""
    yield 'network = raymtl.load("this.raymtl")  # this file or folder'
    sound = all(isinstance(f.signal, Signal) for f in predictor.recipe.fronts.values())
    said = (
        'network.predict(waveform, rate, window="auto")' if sound else "network.predict_file(path)"
    )
    yield f"for task, answer in {said}.items():"
    yield "    print(task, answer.label, answer.scores)"
    yield "```"
    yield ""
    yield from _files(predictor)
    for name, graph in facts["graphs"].items():
        if graph["missing"]:
            continue
        front = predictor.recipe.fronts[name]
        yield "Without raymtl, in ONNX Runtime; waveforms are (clips, channels, samples) float32 at"
        yield f"full scale 1 and {front.rate} Hz, and outputs are {', '.join(graph['heads'])}:"
        yield ""
        yield "```python"
        yield "import onnxruntime"
        yield ""
        yield f'session = onnxruntime.InferenceSession("{graph["folder"]}/waveform.onnx")'
        yield 'scores = session.run(None, {"waveform": waveforms})'
        yield "```"
        yield ""


def _files(predictor: Predictor) -> Iterator[str]:
    """What goes into the graphs, and what comes out."""
    shape, extraction = predictor.recipe.shape, type(predictor.recipe.extraction).__name__
    size = f"(clips, {shape.channels}, frames, {shape.features})"
    yield "Graphs lie in this folder, or zip archive. `features.onnx` and `features.int8.onnx` take"
    yield f"`features`, {size} float32 as `{extraction}`"
    yield "gives them; scaling and lengths are part of every graph. Outputs are (clips, outputs)"
    yield "float32: probabilities in the order of the labels above, of yes and no that of yes, or"
    yield "the number. The metadata of each ONNX file hold the labels, too."
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
    tests = [score for score in predictor.record["scores"] if score["part"] == "test"]
    yield "| source | task | metric | value |"
    yield "|---|---|---|--:|"
    for score in tests:
        metric = predictor.tasks[score["task"]].primary
        value = _number(score["scalars"].get(metric))
        yield f"| {score['source']} | {_cell(score['task'])} | {metric} | {value} |"
    yield ""
    for score in tests:
        yield from _folded(score, "all metrics", _metrics(score))
        if score["per_label"]:
            yield from _folded(score, "by label", _labels(score))


def _folded(score: Mapping[str, Any], what: str, lines: Iterable[str]) -> Iterator[str]:
    yield f"<details><summary>{score['source']}, {_cell(score['task'])}: {what}</summary>"
    yield ""
    yield from lines
    yield ""
    yield "</details>"
    yield ""


def _metrics(score: Mapping[str, Any]) -> Iterator[str]:
    yield "| metric | value |"
    yield "|---|--:|"
    for metric, value in score["scalars"].items():
        yield f"| {metric} | {value:.4f} |"


def _labels(score: Mapping[str, Any]) -> Iterator[str]:
    yield "| label | clips | precision | recall | f1 |"
    yield "|---|--:|--:|--:|--:|"
    for label, found in score["per_label"].items():
        values = [f"{found[m]:.3f}" if m in found else "" for m in ("precision", "recall", "f1")]
        yield f"| {_cell(label)} | {found['support']:.0f} | {' | '.join(values)} |"


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
        yield f"For a clip of {cost['clip']['frames']} frames, behind the stages of {name}:"
        yield ""
        yield f"- {cost['parameters']:,} parameters, {cost['macs']:,} multiply-adds (extraction not"
        yield "  counted); values between layers take"
        yield f"  {cost['activation bytes']:,} bytes at most at a time, in float32"
        for kind, size in cost["bytes"].items():
            yield f"- graph, {_GRAPHS[kind]}: {size:,} bytes"
        for what, time in cost["milliseconds"].items():
            yield f"- {what}: {time:g} ms ({cost['machine']})"
        yield f"- 8 bits: ranges of values are {cost['int8 ranges']}"
        for head, found in cost["int8"].items():
            before, after = _number(found["float32"]), _number(found["int8"])
            changed = f"{found['decisions changed']} of {found['clips']}"
            yield f"- {_cell(head)} in 8 bits: {found['metric']} {before} → {after};"
            yield f"  {changed} test clips are decided otherwise"
        yield ""


def _checks(facts: Mapping[str, Any]) -> Iterator[str]:
    yield "## How the graphs were checked"
    yield ""
    for name, graph in facts["graphs"].items():
        for kind, found in graph["checks"].items():
            said = ", ".join(f"{key} {value:.3g}" for key, value in found.items())
            yield f"- {name}, {kind}: {said}"
        needed = ", ".join(f"{size} {_UNITS[kind]}" for kind, size in graph["least"].items())
        yield f"- {name}, the shortest clip that a graph takes: {needed}"
        if not graph["checks"]["from features"]["test clips"]:
            yield f"- {name}: **not** held against the run's test clips: their features are no"
            yield "  longer in the store."
        if "from made sounds" in graph["checks"]:
            yield f"- {name}: from waveforms **not** held against recordings: none were given"
        if graph["checks"].get("from recordings", {}).get("waveforms") == 0:
            yield f"- {name}: from waveforms **not** held against recordings: all are too short"
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
    yield "- Graphs take clips of one length in a batch; clips shorter than a window are padded by"
    yield "  `raymtl.load` alone."
    yield "- Nothing here is a pickle. `raymtl.load` reads JSON and safetensors;"
    yield "  `torch.export.load` may unpickle what others put into a .pt2 file: know where it is"
    yield "  from."
    yield f"- {_leaks(predictor.record.get('leaks'))}"
    if predictor.recipe.precision != "float32":
        yield f"- Trained and scored in {predictor.recipe.precision}; graphs compute in float32, so"
        yield "  their scores differ from the run's by what is stated above."
    yield ""


def _leaks(leaks: Mapping[str, Any] | None) -> str:
    """What training and test clips have in common, in words."""
    if leaks is None:
        return "What training and test clips share was not counted."
    groups = _counted(leaks["groups"]) or "no group"
    text = f"Training and test clips share {groups} and {leaks['audio']} identical recordings."
    allowed = _counted(leaks["allowed"])
    if allowed:
        text += f" They share {allowed} by intent: a task tells those apart."
    return text + (" The training clips concerned were left out." if leaks["dropped"] else "")


def _counted(groups: Mapping[str, int]) -> str:
    return ", ".join(f"{count} of kind {_cell(kind)}" for kind, count in groups.items() if count)


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;")


def _number(value: float | None) -> str:
    return "undefined" if value is None else f"{value:.4f}"

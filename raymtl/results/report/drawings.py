"""Drawings of the report page: inline SVG and images that follow the page's light or dark theme."""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from markupsafe import Markup
from PIL import Image

from raymtl.results.curves import Curve, Doubles
from raymtl.results.pictures import png

WIDTH, HEIGHT = 640, 260  # of a chart, SVG units
LEFT, RIGHT, TOP, BOTTOM = 46, 10, 10, 34  # margins of the plot within it
_POINTS = 120  # of a curve, at most
_INK = (37, 99, 168)  # of a confusion matrix; its share is the opacity


def curves_chart(curves: Sequence[tuple[int, str, Curve]], metric: str) -> Markup:
    """Curves, as (style, name, curve), with bands of ± one deviation.

    Style i is the class ``s<i>`` of the page's style sheet: a colour, and dashes for the last.
    """
    low = min(float((c.mean - c.deviation).min()) for _, _, c in curves)
    high = max(float((c.mean + c.deviation).max()) for _, _, c in curves)
    ticks = nice_ticks(max(low, 0.0) if low > -0.2 else low, min(high, 1.0) if high < 1.2 else high)
    last = max(float(c.epochs.max()) for _, _, c in curves)
    first = min(float(c.epochs.min()) for _, _, c in curves)
    across = _Scale(first, max(last, first + 1), LEFT, WIDTH - RIGHT)
    up = _Scale(ticks[0], ticks[-1], HEIGHT - BOTTOM, TOP)
    parts = [_axes(across, up, ticks, metric)]
    parts += [_curve(style, name, found, across, up) for style, name, found in curves]
    return Markup(
        '<svg class="chart" viewBox="0 0 {} {}" role="img" aria-label="{}" '
        'data-curves="{}">{}</svg>'
    ).format(
        *(WIDTH, HEIGHT, f"Validation {metric} by epoch", _told(curves)), Markup("").join(parts)
    )


def _told(curves: Sequence[tuple[int, str, Curve]]) -> str:
    """The numbers of the curves and where the plot lies, as JSON for the page's script."""
    known = [
        {
            "name": name,
            "runs": found.runs,
            **{part: [round(v, 4) for v in values.tolist()] for part, values in _kept(found)},
        }
        for _, name, found in curves
    ]
    epochs = sorted({epoch for _, _, found in curves for epoch in dict(_kept(found))["epochs"]})
    place = {"left": LEFT, "right": WIDTH - RIGHT, "top": TOP, "bottom": HEIGHT - BOTTOM}
    return json.dumps({"epochs": epochs, "curves": known, **place})


def _kept(found: Curve) -> list[tuple[str, Doubles]]:
    """Epochs, means and deviations that are drawn, by name."""
    keep = np.unique(np.linspace(0, len(found.epochs) - 1, _POINTS).round().astype(int))
    return [(part, getattr(found, part)[keep]) for part in ("epochs", "mean", "deviation")]


def whisker(mean: float, deviation: float | None, span: float) -> Markup:
    """A gain as a dot with ± one deviation, on an axis of ± `span` with a line at zero."""
    at = 40 * max(-1.0, min(1.0, mean / span))
    reach = 40 * (deviation or 0.0) / span
    start, end = max(-48, at - reach), min(48, at + reach)
    return Markup(
        '<svg class="w" viewBox="-50 0 100 12" aria-hidden="true"><path class="z" '
        'd="M0 0V12"/><path d="M{:.1f} 6H{:.1f}"/>'
        '<circle cx="{:.1f}" cy="6" r="3"/></svg>'
    ).format(start, end, at)


def confusion_picture(confusion: npt.NDArray[np.int64]) -> str:
    """A (K, K) count matrix as a ``data:`` image, row = truth, rows normalised, opacity = share."""
    totals = np.maximum(confusion.sum(axis=1, keepdims=True), 1)
    pixels = np.empty((*confusion.shape, 4), np.uint8)
    pixels[..., :3] = _INK
    pixels[..., 3] = np.round(255 * confusion / totals)
    side = max(1, 480 // len(confusion))
    image = Image.fromarray(pixels.repeat(side, axis=0).repeat(side, axis=1))
    return "data:image/png;base64," + base64.b64encode(png(image)).decode()


def nice_ticks(low: float, high: float, most: int = 6) -> list[float]:
    """Round numbers, evenly spaced, the first at or below `low` and the last at or above `high`."""
    width = max(high - low, 1e-3)
    power = 10.0 ** math.floor(math.log10(width / most))
    step = next(power * f for f in (1, 2, 2.5, 5, 10, 20) if width / (power * f) <= most - 1)
    start = math.floor(low / step + 1e-9)
    count = math.ceil(high / step - 1e-9) - start
    return [round(step * (start + i), 10) for i in range(max(count, 1) + 1)]


class _Scale:
    """Maps [low, high] onto [start, end] of the drawing."""

    def __init__(self, low: float, high: float, start: float, end: float) -> None:
        self._low, self._start = low, start
        self._slope = (end - start) / (high - low)

    def __call__(self, value: float) -> float:
        return self._start + (value - self._low) * self._slope


def _axes(across: _Scale, up: _Scale, ticks: Sequence[float], metric: str) -> Markup:
    parts = [
        Markup(
            '<path class="g" d="M{} {:.1f}H{}"/><text x="{}" y="{:.1f}" class="e">{:g}</text>'
        ).format(LEFT, up(t), WIDTH - RIGHT, LEFT - 6, up(t) + 4, t)
        for t in ticks
    ]
    first, last = across._low, (WIDTH - RIGHT - LEFT) / across._slope + across._low
    epochs = [t for t in nice_ticks(first, last, 8) if first <= t <= last and t == int(t)]
    parts += [
        Markup('<text x="{:.1f}" y="{}" class="m">{:g}</text>').format(
            across(t), HEIGHT - BOTTOM + 16, t
        )
        for t in epochs
    ]
    parts.append(
        Markup('<text x="{}" y="{}" class="m">epoch</text>').format((LEFT + WIDTH) / 2, HEIGHT - 3)
    )
    parts.append(Markup("<title>{}</title>").format(f"validation {metric}"))
    return Markup("").join(parts)


def _curve(style: int, name: str, found: Curve, across: _Scale, up: _Scale) -> Markup:
    epochs, mean, deviation = (values for _, values in _kept(found))
    band = Markup("")
    if deviation.any():
        edge = [
            *_points(epochs, mean + deviation, across, up),
            *reversed(_points(epochs, mean - deviation, across, up)),
        ]
        band = Markup('<path class="b" d="M{}Z"/>').format("L".join(edge))
    line = _points(epochs, mean, across, up)
    shape = (
        Markup('<path class="l" d="M{}"/>').format("L".join(line))
        if len(line) > 1
        else Markup('<circle cx="{}" cy="{}" r="3"/>').format(*line[0].split(" "))
    )
    return Markup('<g class="s{}"><title>{}</title>{}{}</g>').format(style, name, band, shape)


def _points(epochs: Doubles, values: Doubles, across: _Scale, up: _Scale) -> list[str]:
    low, high = sorted((TOP, HEIGHT - BOTTOM))
    return [
        f"{across(e):.1f} {min(max(up(v), low), high):.1f}"
        for e, v in zip(epochs.tolist(), values.tolist(), strict=True)
    ]

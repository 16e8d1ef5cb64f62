"""Branching trees: what tasks share, where they part, and what each has alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from markupsafe import Markup

from raymtl.results.sharing import Branch, Shares

_WIDE, _HIGH, _ACROSS, _DOWN, _LETTER = 132, 34, 32, 42, 6.5  # SVG units; of a box, gaps, a letter


@dataclass(frozen=True)
class _Placed:
    branch: Branch
    x: float
    y: float
    parent: _Placed | None


def drawing(found: Shares, tree: Branch, labels: Mapping[str, str]) -> Markup:
    """The tree from left to right, tasks below each other; a box is filled by its parameters.

    Args:
        labels: task -> what is written at its leaf.
    """
    placed = list(_place(tree, None, [0]))
    parts = [_line(node) for node in placed if node.parent] + [
        _node(node, found, labels) for node in placed
    ]
    width = max(_end(node, labels) for node in placed) + 8
    return Markup(
        '<svg class="chart sized s0 tree" viewBox="0 0 {0:.0f} {1}" width="{0:.0f}" '
        'height="{1}" role="img" aria-label="{2}">{3}</svg>'
    ).format(width, len(found.tasks) * _DOWN + 4, _said(tree, found), Markup("").join(parts))


def _place(branch: Branch, parent: _Placed | None, rows: list[int]) -> Iterator[_Placed]:
    """Every node, parents first; `rows` holds how many leaves are placed already."""
    x = 4.0 if parent is None else _right(parent) + _ACROSS
    first, last = rows[0], rows[0] + len(branch.tasks) - 1
    node = _Placed(branch, x, (first + last) / 2 * _DOWN + _DOWN / 2, parent)
    yield node
    for child in branch.branches:
        yield from _place(child, node, rows)
    if not branch.branches:
        rows[0] += 1


def _line(node: _Placed) -> Markup:
    assert node.parent is not None
    x = _right(node.parent)
    return Markup(
        '<path class="l" d="M{:.0f} {:.0f}C{:.0f} {:.0f} {:.0f} {:.0f} {:.0f} {:.0f}"/>'
    ).format(x, node.parent.y, x + 18, node.parent.y, node.x - 18, node.y, node.x, node.y)


def _node(node: _Placed, found: Shares, labels: Mapping[str, str]) -> Markup:
    branch, parts = node.branch, []
    if branch.parts:
        parts.append(_box(node, found))
    else:
        parts.append(Markup('<circle cx="{:.0f}" cy="{:.0f}" r="4"/>').format(node.x, node.y))
    if not branch.branches:
        parts.append(
            Markup('<text class="t" x="{:.0f}" y="{:.0f}">{}</text>').format(
                _end(node), node.y + 4, labels[branch.tasks[0]]
            )
        )
    return Markup("<g><title>{}</title>{}</g>").format(_title(branch), Markup("").join(parts))


def _box(node: _Placed, found: Shares) -> Markup:
    """Names and size; the filled part of it is the share of all parameters."""
    branch, top = node.branch, node.y - _HIGH / 2
    share = found.share(branch.parameters)
    return Markup(
        '<rect class="n" x="{0:.0f}" y="{1:.0f}" width="{2}" height="{3}" rx="4"/>'
        '<rect class="f" x="{0:.0f}" y="{1:.0f}" width="{4:.1f}" height="{3}" rx="4"/>'
        '<text class="t" x="{5:.0f}" y="{6:.0f}">{7}</text>'
        '<text x="{5:.0f}" y="{8:.0f}">{9:,} · {10:.1f} %</text>'
    ).format(
        *(node.x, top, _WIDE, _HIGH, _WIDE * share / 100, node.x + 7, top + 14),
        *(_short(branch), top + 28, branch.parameters, share),
    )


def _right(node: _Placed) -> float:
    return node.x + (_WIDE if node.branch.parts else 0)


def _end(node: _Placed, labels: Mapping[str, str] | None = None) -> float:
    """Where the node's box ends; with `labels`, its label too."""
    end = _right(node) + 8
    if labels is None or node.branch.branches:
        return end
    return end + _LETTER * len(labels[node.branch.tasks[0]])


def _short(branch: Branch) -> str:
    more = len(branch.parts) - 1
    end = f" + {more}" if more else ""
    room = int(_WIDE / _LETTER) - 1 - len(end)
    name = branch.parts[0].name
    return (name if len(name) <= room else f"…{name[1 - room :]}") + end


def _title(branch: Branch) -> str:
    names = ", ".join(f"{part.name} ({part.parameters:,})" for part in branch.parts[:12])
    more = f" and {len(branch.parts) - 12} more" if len(branch.parts) > 12 else ""
    return f"{', '.join(branch.tasks)}: {names or 'no parameters of their own'}{more}"


def _said(branch: Branch, found: Shares) -> str:
    """The tree as words, for those who do not see it."""
    own = f"{branch.parameters:,} parameters ({found.share(branch.parameters):.1f} %)"
    if not branch.branches:
        return f"{branch.tasks[0]} alone has {own}"
    inside = "; ".join(_said(child, found) for child in branch.branches)
    return f"{', '.join(branch.tasks)} share {own}, of them: {inside}"

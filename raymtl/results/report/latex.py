"""Tables as LaTeX, for the packages booktabs and longtable."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import repeat

_SPECIAL = {
    "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "$": r"\$", "&": r"\&", "#": r"\#",
    "%": r"\%", "_": r"\_", "^": r"\textasciicircum{}", "~": r"\textasciitilde{}",
    "<": r"\textless{}", ">": r"\textgreater{}", "|": r"\textbar{}", '"': r"\textquotedbl{}",
    "±": r"$\pm$", "−": r"$-$", "≈": r"$\approx$", "Δ": r"$\Delta$", "×": r"$\times$",
    "·": r"$\cdot$", "\n": " ", "\r": " ",
}  # fmt: skip
_ESCAPES = str.maketrans(_SPECIAL)
ONE_PAGE = 45  # rows of a tabular; what is longer runs over pages


def latex_table(
    heads: Sequence[str],
    rows: Sequence[Sequence[str]],
    caption: str,
    right: Sequence[bool] = (),
    label: str = "",
) -> str:
    """A table of plain words, every one escaped.

    Args:
        right: which columns are aligned to the right; empty: all but the first.
        label: of ``\\label``; none when empty.
    """
    right = right or [False, *repeat(True, len(heads) - 1)]
    columns = "".join("r" if one else "l" for one in right)
    named = rf"\caption{{{escaped(caption)}}}" + (rf"\label{{tab:{label}}}" if label else "")
    body = [_line(row) for row in rows]
    make = _over_pages if len(rows) > ONE_PAGE else _floating
    return "\n".join(make(columns, named, _line(heads), body)) + "\n"


def escaped(text: str) -> str:
    """Text that LaTeX prints as it is."""
    return text.translate(_ESCAPES)


def _floating(columns: str, caption: str, head: str, body: Sequence[str]) -> list[str]:
    return [
        r"% needs \usepackage{booktabs}, and \usepackage[T1]{fontenc} or LuaLaTeX",
        r"\begin{table}",
        r"\centering",
        caption,
        rf"\begin{{tabular}}{{{columns}}}",
        *(r"\toprule", head, r"\midrule", *body, r"\bottomrule"),
        r"\end{tabular}",
        r"\end{table}",
    ]


def _over_pages(columns: str, caption: str, head: str, body: Sequence[str]) -> list[str]:
    return [
        r"% needs \usepackage{booktabs,longtable}, and \usepackage[T1]{fontenc} or LuaLaTeX",
        rf"\begin{{longtable}}{{{columns}}}",
        caption + r"\\",
        *(r"\toprule", head, r"\midrule", r"\endhead", r"\bottomrule", r"\endfoot", *body),
        r"\end{longtable}",
    ]


def _line(cells: Sequence[str]) -> str:
    """A row; a bracket at its start would be read as an argument of the row before it."""
    line = " & ".join(escaped(cell) for cell in cells) + r" \\"
    return "{}" + line if line.lstrip().startswith(("[", "*")) else line

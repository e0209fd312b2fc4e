r"""A table as LaTeX, with ``booktabs``: to be read in by ``\input``."""

from __future__ import annotations

import re

from .table import Table

# Of TeX's own characters each, and of those that an input encoding may lack.
_ESCAPES = {
    "\\": r"\textbackslash{}",
    "&": r"\&",
    "%": r"\%",
    "$": r"\$",
    "#": r"\#",
    "_": r"\_",
    "{": r"\{",
    "}": r"\}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "[": "{[}",  # behind a line's end it would be an option
    "]": "{]}",
    "\N{EN DASH}": "--",
    "\N{MINUS SIGN}": "$-$",
    "\N{MULTIPLICATION SIGN}": r"$\times$",
}


def latex_of(table: Table) -> str:
    r"""The table; it needs ``\usepackage{booktabs}``, and ``graphicx`` to be as wide as a page."""
    columns = "".join("l" if column.kind == "text" else "r" for column in table.columns)
    lines = [
        "% \\usepackage{booktabs,graphicx}",
        r"\begin{table*}",
        r"\centering",
        rf"\caption{{{escaped(table.heading)}}}",
        rf"\label{{tab:{table.name}}}",
        r"\resizebox{\textwidth}{!}{%",
        rf"\begin{{tabular}}{{{columns}}}",
        r"\toprule",
        _line(table.titles),
        r"\midrule",
        *(_line(row) for row in table.texts),
        r"\bottomrule",
        r"\end{tabular}}",
        *(rf"\\[2pt]\footnotesize {escaped(note)}" for note in table.notes),
        r"\end{table*}",
    ]
    return "\n".join(lines) + "\n"


def escaped(text: str) -> str:
    """Text that TeX sets as it is."""
    plain = "".join(_ESCAPES.get(letter, letter) for letter in " ".join(text.split()))
    return re.sub(r'"([^"]*)"', r"``\1''", plain)


def _line(cells: tuple[str, ...]) -> str:
    return " & ".join(map(escaped, cells)) + r" \\"

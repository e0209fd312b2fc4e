"""Drawings for a page that is read on phones, by day and by night: matplotlib's SVG, recoloured.

Colours are roles here, not values: what matplotlib writes for a role is replaced by a CSS variable
of the page, so that one drawing follows the reader's colour scheme. Text stays text, in the page's
own font, and is drawn for the width of a phone: it is never smaller than the page can show it.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from ..errors import MissingDependencyError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

WIDTH = 340.0  # of a drawing, in CSS pixels: a phone of 360 without the page's margins
FONT_SIZE = 11.0

# Values that stand for roles until the SVG is written; no colour of a drawing is one by itself.
TEXT, GRID, PAPER = "#010203", "#010204", "#010205"
SERIES = tuple(f"#0102{number:02x}" for number in range(16, 23))
MARKERS = "os^DvPX"  # one for each of SERIES: colour alone tells nothing to those who do not see it
_VARIABLES = {
    TEXT: "currentColor",
    GRID: "var(--grid)",
    PAPER: "var(--paper)",
    **{value: f"var(--series-{number})" for number, value in enumerate(SERIES, start=1)},
}

_STYLE: dict[Any, Any] = {  # the names of settings are a type of their own in some releases
    "svg.fonttype": "none",
    "text.parse_math": False,  # a name may hold a dollar sign
    "font.family": "sans-serif",
    "font.size": FONT_SIZE,
    "axes.edgecolor": GRID,
    "axes.labelcolor": TEXT,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "grid.color": GRID,
    "grid.linewidth": 0.6,
    "text.color": TEXT,
    "xtick.color": GRID,
    "ytick.color": GRID,
    "xtick.labelcolor": TEXT,
    "ytick.labelcolor": TEXT,
    "legend.frameon": False,
    "legend.handlelength": 1.2,
    "legend.columnspacing": 1.2,
    "legend.borderaxespad": 0.0,
}


def require_library() -> None:
    """Look for what draws, before anything is computed for it.

    Raises:
        MissingDependencyError: matplotlib is not installed.
    """
    try:
        import matplotlib  # noqa: F401
    except ModuleNotFoundError:
        raise MissingDependencyError("matplotlib", "report", "a report as HTML") from None


@contextmanager
def style() -> Iterator[None]:
    """Draw in the page's style while the block runs, whatever the user's own settings are."""
    import matplotlib

    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(_STYLE)
        yield


def new_figure(height: float, n_axes: int = 1) -> tuple[Figure, list[Axes]]:
    """An empty drawing, its axes below each other with one horizontal axis.

    Args:
        height: In CSS pixels.
        n_axes: How many.
    """
    from matplotlib.figure import Figure

    # A pixel of the page is a point of the drawing, which is what the SVG counts in.
    figure = Figure(figsize=(WIDTH / 72, height / 72), dpi=72, layout="constrained")
    axes = figure.subplots(n_axes, 1, sharex=True, squeeze=False)
    return figure, list(axes[:, 0])


def svg_of(figure: Figure, name: str, title: str) -> str:
    """The drawing as an element for a page.

    Args:
        figure: What was drawn.
        name: Of the drawing, unlike those of others on the page: identifiers begin with it.
        title: What a screen reader says of it; the page has a table with the figures.
    """
    import matplotlib

    file = io.BytesIO()
    with matplotlib.rc_context({"svg.hashsalt": name}):
        figure.savefig(file, format="svg", transparent=True, metadata={"Date": None})
    text = file.getvalue().decode()
    body = text[text.index("<defs>") if "<defs>" in text else text.index("<g") :]
    # It speaks of every element of the page; page.css says the same of drawings alone.
    body = re.sub(r"<style.*?</style>", "", body, flags=re.DOTALL)
    body = re.sub(r'\bid="', f'id="{name}-', body)
    body = re.sub(r'(href="|url\()#', rf"\1#{name}-", body)
    body = re.sub(r"font: ([\d.]+)px [^;\"]*", r"font-size: \1px", body)
    for value, variable in _VARIABLES.items():
        body = body.replace(value, variable)
    box = re.search(r'viewBox="[^"]*"', text)
    assert box is not None
    return (
        f'<svg {box[0]} role="img" aria-label="{_escaped(title)}" '
        f'xmlns:xlink="http://www.w3.org/1999/xlink">{body}'
    )


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace('"', "&quot;").replace("<", "&lt;")

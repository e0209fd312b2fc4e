"""Word errors against size and time: a mark for each precision, a colour for each target."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.resources import files
from typing import TYPE_CHECKING, NamedTuple

from ..reports.svg import GRID, MARKERS, PAPER, SERIES, TEXT, new_figure, style, svg_of
from .figure import Figure, exact
from .format_table import latency_of
from .study import Format, Study

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Drawing

HEIGHT = 360.0  # pixels of a page
PNG_DPI = 200
_LOG_FROM = 4.0  # the largest value over the smallest, from which an axis is logarithmic


class Point(NamedTuple):
    """One artifact: its name, target and precision, and where it lies."""

    one: Format
    across: Figure
    wrong: Figure


@dataclass(frozen=True)
class Picture:
    """One picture, for a page and as files.

    Attributes:
        name: Of its files.
        title: What it shows.
        caption: How to read it.
        element: For a page of HTML, which has its colours as variables.
        svg: A file that follows the reader's colour scheme.
        png: A file in light colours.
    """

    name: str
    title: str
    caption: str
    element: str
    svg: bytes
    png: bytes


def pictures_of(study: Study) -> list[Picture]:
    """Two for each checkpoint that has words; fewer where times are missing.

    Raises:
        MissingDependencyError: matplotlib is not installed.
    """
    found = []
    for number, checkpoint in enumerate(study.config.worded, start=1):
        for kind, title, label, across in (
            ("size", "Words wrong against size", "size, MB", _size),
            ("latency", "Words wrong against latency", "latency, s", _latency),
        ):
            points = list(_points(study, checkpoint, across))
            if points:
                name = f"words-{kind}" + (f"-{number}" if len(study.config.worded) > 1 else "")
                found.append(_picture(points, name, f"{title}: {checkpoint}", label))
    return found


def _points(
    study: Study, checkpoint: str, across: Callable[[Study, Format], Figure | None]
) -> Iterator[Point]:
    first = study.config.sets[0].name
    for one in study.formats:
        accuracy = study.accuracy(one.digest, first) if one.checkpoint == checkpoint else None
        wrong = Figure.of(accuracy.summary.wer) if accuracy else None
        at = across(study, one)
        if wrong and at:
            yield Point(one, at, wrong.scaled(100))


def _size(_: Study, one: Format) -> Figure | None:
    return exact(one.size_bytes / 1e6)


def _latency(study: Study, one: Format) -> Figure | None:
    return latency_of(study, one)


def _picture(points: Sequence[Point], name: str, title: str, label: str) -> Picture:
    with style():
        element = svg_of(_drawing(points, label), name, f"{title}; the tables have the figures")
    with style(), _light():
        file = io.BytesIO()
        _drawing(points, label, _LIGHT).savefig(
            file, format="png", dpi=PNG_DPI, metadata={"Software": None}
        )
    return Picture(
        name,
        title,
        "Left and down is better. The bars are the intervals of 95 %: over speakers for words, "
        "and the passes that enclose the median for times.",
        element,
        _standalone(element),
        file.getvalue(),
    )


def _drawing(
    points: Sequence[Point], label: str, colours: Mapping[str, str] | None = None
) -> Drawing:
    """Draw; colours are roles that a page fills in, unless they are given."""
    from matplotlib.lines import Line2D

    shown = colours or {}
    targets = list(dict.fromkeys(point.one.target for point in points))
    precisions = list(dict.fromkeys(point.one.precision for point in points))
    colour = {
        target: shown.get(role, role)
        for target, role in zip(targets, _repeated(SERIES, len(targets)), strict=True)
    }
    mark = dict(zip(precisions, MARKERS, strict=False))
    figure, (axes,) = new_figure(HEIGHT)
    for point in points:
        axes.errorbar(
            [point.across.value],
            [point.wrong.value],
            xerr=_bars(point.across),
            yerr=_bars(point.wrong),
            fmt=mark[point.one.precision],
            color=colour[point.one.target],
            markersize=7,
            markeredgecolor=shown.get(PAPER, PAPER),
            markeredgewidth=0.6,
            elinewidth=0.8,
        )
    _axis(axes, label, [point.across.value for point in points])
    axes.set_ylabel("words wrong, %")
    axes.set_ylim(bottom=0)
    text = shown.get(TEXT, TEXT)
    colours_legend = [
        Line2D([], [], color=colour[one], marker="o", linestyle="", label=one) for one in targets
    ]
    marks_legend = [
        Line2D([], [], color=text, marker=mark[one], linestyle="", label=one) for one in precisions
    ]
    figure.legend(handles=colours_legend, loc="outside upper left", ncols=4)
    figure.legend(handles=marks_legend, loc="outside lower left", ncols=5)
    return figure


def _bars(figure: Figure) -> list[list[float]] | None:
    """How far the interval goes to either side; None where it is a point."""
    if figure.low is None or figure.high is None or figure.low == figure.high:
        return None
    return [[figure.value - figure.low], [figure.high - figure.value]]


def _axis(axes: Axes, label: str, values: Sequence[float]) -> None:
    from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter

    axes.set_xlabel(label)
    axes.margins(x=0.1)
    axes.xaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10]))
    if max(values) / min(values) > _LOG_FROM:
        axes.set_xscale("log")
        axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5), numticks=6))
        axes.xaxis.set_minor_formatter(NullFormatter())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))


def _repeated(values: Sequence[str], n: int) -> list[str]:
    return [values[index % len(values)] for index in range(n)]


# What the roles of ``edge/reports/svg.py`` are by day, as ``page.css`` has them.
_LIGHT = {
    TEXT: "#1b1f24",
    GRID: "#d5dae0",
    PAPER: "#ffffff",
    **dict(
        zip(
            SERIES,
            ("#0b6fb8", "#d9690a", "#0a8f6a", "#b04a97", "#6f7b87", "#a88300", "#4fa8de"),
            strict=True,
        )
    ),
}


@contextmanager
def _light() -> Iterator[None]:
    """Within ``style``: its roles as colours."""
    import matplotlib

    settings = dict(matplotlib.rcParams)
    roles = {key: _LIGHT[value] for key, value in settings.items() if _is_role(value)}
    with matplotlib.rc_context(roles | {"savefig.facecolor": _LIGHT[PAPER]}):
        yield


def _is_role(value: object) -> bool:
    return isinstance(value, str) and value in _LIGHT


def _standalone(element: str) -> bytes:
    """The element as a file: with the page's colours, by day and by night."""
    css = (files("whisperq_edge.edge.reports") / "page.css").read_text("utf-8")
    variables = css[: css.index("* {")]
    rules = (
        "svg { color: var(--ink); background: var(--paper); font-family: sans-serif; }"
        " svg * { stroke-linejoin: round; stroke-linecap: butt; }"
    )
    opening, body = element.split(">", 1)
    head = opening.replace("<svg ", '<svg xmlns="http://www.w3.org/2000/svg" ', 1)
    return f"{head}><style>{variables}{rules}</style>{body}\n".encode()

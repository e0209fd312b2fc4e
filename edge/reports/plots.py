"""The plots of a report, each from the rows of one record."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from ..profiling.summary import Spread
from .pareto import pareto_front
from .rows import STAGES, Row
from .svg import FONT_SIZE, GRID, MARKERS, PAPER, SERIES, TEXT, new_figure, style, svg_of
from .wording import megabytes, number

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MOST_BARS = 16  # of a plot; the table has the rest
MOST_LETTERS = 48  # of a name beside a bar
BAR_PITCH = 31.0  # pixels from one bar to the next, with its name above it
_LOG_FROM = 8.0  # the largest value over the smallest, from which an axis counts in powers of ten


def plot_accuracy(rows: Sequence[Row], name: str) -> str | None:
    """Speed against accuracy, with the Pareto front; None where no words were counted.

    Args:
        rows: Those with costs.
        name: Of the drawing.
    """
    judged = with_accuracy(rows)
    if not judged:
        return None
    points = [_point(row) for row in judged]
    targets = [row.outcome.configuration.target for row in judged]
    front = [points[at] for at in accuracy_front(judged)]
    with style():
        figure, (axes,) = new_figure(300)
        for kind, target in enumerate(sorted(set(targets))):
            those = [point for point, its in zip(points, targets, strict=True) if its == target]
            axes.errorbar(
                [speed.median for speed, _ in those],
                [wrong for _, wrong in those],
                xerr=[
                    [speed.median - speed.low for speed, _ in those],
                    [speed.high - speed.median for speed, _ in those],
                ],
                fmt=MARKERS[kind % len(MARKERS)],
                color=SERIES[kind % len(SERIES)],
                markersize=7,
                elinewidth=1,
                label=target,
            )
        axes.step(
            [speed.median for speed, _ in front],
            [wrong for _, wrong in front],
            where="post",
            color=TEXT,
            linewidth=1,
            linestyle=(0, (4, 3)),
            zorder=1,
        )
        for at in accuracy_front(judged):
            speed, wrong = points[at]
            axes.annotate(
                str(judged[at].number),
                (speed.median, wrong),
                xytext=(6, 6),
                textcoords="offset points",
                fontweight="bold",
            )
        _speed_axis(axes, [speed.median for speed, _ in points])
        axes.set_ylabel("words wrong, %")
        axes.margins(x=0.1)
        axes.set_ylim(0, 1.15 * max(wrong for _, wrong in points) or 1)
        figure.legend(loc="outside upper left", ncols=3)
        return svg_of(figure, name, "Speed against accuracy; the table below has the figures")


def with_accuracy(rows: Sequence[Row]) -> list[Row]:
    """Those that can stand in the plot of speed against accuracy, the fastest first."""
    return [row for row in by_speed(rows) if row.real_time_factor and row.error_rate is not None]


def accuracy_front(rows: Sequence[Row]) -> list[int]:
    """Which of ``with_accuracy`` nothing beats in both."""
    return pareto_front([(speed.median, wrong) for speed, wrong in map(_point, rows)])


def plot_stages(rows: Sequence[Row], name: str) -> str | None:
    """What each stage takes of the longest clip; None without passes.

    Args:
        rows: Those with costs.
        name: Of the drawing.
    """
    shown = [row for row in by_speed(rows) if row.stages][:MOST_BARS]
    bars = [(row.name, [row.stages.get(stage, 0.0) for stage in STAGES]) for row in shown]
    return _stacked(
        bars,
        STAGES,
        lambda total: f"{number(total, 3)} s",
        "seconds",
        name,
        "Time in each stage; the table below has the figures",
    )


def plot_memory(rows: Sequence[Row], name: str) -> str | None:
    """What Python, the artifact and the work need; None where it was not measured.

    Args:
        rows: Likewise.
        name: Of the drawing.
    """
    bars = [
        (row.name, [part / 1e6 for part in memory_parts(row)])
        for row in by_speed(rows)
        if row.memory
    ][:MOST_BARS]
    return _stacked(
        bars,
        ("Python", "the artifact", "at work"),
        lambda total: megabytes(1e6 * total),
        "MB",
        name,
        "Memory of each configuration; the table below has the figures",
    )


def memory_parts(row: Row) -> tuple[float, float, float]:
    """Bytes before the library, added by opening the artifact, added at the most."""
    memory, peak = row.memory, row.peak_bytes
    if memory is None or peak is None:
        return 0.0, 0.0, 0.0
    loaded = max(memory.loaded, memory.before)
    return float(memory.before), float(loaded - memory.before), float(max(peak - loaded, 0))


def plot_sustained(row: Row, name: str) -> str | None:
    """Speed over time, with the temperature below where the board says it.

    Args:
        row: One configuration.
        name: Of the drawing.
    """
    moments = row.outcome.sustained
    if not moments:
        return None
    warm = [(m.at_s / 60, m.temperature_c) for m in moments if m.temperature_c is not None]
    slowed = [m for m in moments if m.throttled]
    with style():
        figure, axes = new_figure(260 if warm else 160, 2 if warm else 1)
        speed = axes[0]
        speed.plot(
            [m.at_s / 60 for m in moments],
            [m.real_time_factor for m in moments],
            color=SERIES[0],
            linewidth=1.5,
        )
        if slowed:
            speed.plot(
                [m.at_s / 60 for m in slowed],
                [m.real_time_factor for m in slowed],
                "x",
                color=SERIES[1],
                markersize=4,
                label="throttled",
            )
            figure.legend(loc="outside upper left")
        speed.set_ylabel("of real time")
        speed.set_ylim(bottom=0)
        if warm:
            axes[1].plot(*zip(*warm, strict=True), color=SERIES[1], linewidth=1.5)
            axes[1].set_ylabel("°C")
        axes[-1].set_xlabel("minutes")
        return svg_of(figure, name, f"Speed over time of {row.name}; the table has the figures")


def by_speed(rows: Sequence[Row]) -> list[Row]:
    """The fastest first, and last those without a speed."""

    def speed(row: Row) -> float:
        return row.real_time_factor.median if row.real_time_factor else float("inf")

    return sorted(rows, key=speed)


def _stacked(
    bars: Sequence[tuple[str, Sequence[float]]],
    parts: Sequence[str],
    total_text: Callable[[float], str],
    unit: str,
    name: str,
    title: str,
) -> str | None:
    """Horizontal bars, each below its name: a phone has no room for names at the side."""
    if not bars:
        return None
    with style():
        figure, (axes,) = new_figure(90 + BAR_PITCH * len(bars))
        places = range(len(bars))
        left = [0.0] * len(bars)
        for kind, part in enumerate(parts):
            widths = [values[kind] for _, values in bars]
            axes.barh(
                places,
                widths,
                left=left,
                height=0.42,
                color=SERIES[kind],
                edgecolor=PAPER,
                linewidth=0.8,
                label=part,
            )
            left = [start + width for start, width in zip(left, widths, strict=True)]
        longest = max(left) or 1.0
        for place, (label, _) in enumerate(bars):
            total = total_text(left[place])
            # Out of the layout, which would else shrink the bars until a long name fits.
            axes.text(0, place - 0.3, _shortened(label), va="bottom", in_layout=False)
            axes.text(left[place] + longest / 80, place, total, va="center", in_layout=False)
        axes.set_ylim(len(bars) - 0.6, -0.95)
        axes.set_xlim(0, 1.22 * longest)
        axes.set_yticks([])
        axes.grid(axis="y", visible=False)
        axes.spines["left"].set_visible(False)
        axes.set_xlabel(unit)
        figure.legend(loc="outside upper left", ncols=3)  # more are too wide for a phone
        return svg_of(figure, name, title)


def _shortened(name: str) -> str:
    """A name that is not wider than the drawing; its end tells configurations apart."""
    return name if len(name) <= MOST_LETTERS else f"{name[:12]}…{name[13 - MOST_LETTERS :]}"


def _speed_axis(axes: Axes, values: Sequence[float]) -> None:
    from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter

    axes.set_xlabel("time computed per second of sound, s")
    axes.xaxis.set_major_locator(MaxNLocator(5, steps=[1, 2, 5, 10]))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    if min(values) > 0 and max(values) / min(values) > _LOG_FROM:
        axes.set_xscale("log")
        axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5), numticks=5))
        axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: number(value, 1)))
        axes.xaxis.set_minor_formatter(NullFormatter())
    if min(values) <= 1.5 and max(values) >= 0.7:
        axes.axvline(1.0, color=GRID, linewidth=1.5)
        axes.annotate(
            "real time",
            (1.0, 1.0),
            xycoords=("data", "axes fraction"),
            xytext=(-3, -3),
            textcoords="offset points",
            ha="right",
            va="top",
            rotation=90,
            fontsize=FONT_SIZE - 1,
        )


def _point(row: Row) -> tuple[Spread, float]:
    """Speed, and percent of words wrong."""
    assert row.real_time_factor is not None and row.error_rate is not None
    return row.real_time_factor, 100 * row.error_rate

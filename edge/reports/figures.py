"""The figures of a page: each plot with its caption, and a table of what it shows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..profiling.record import Moment, Record
from .plots import (
    MOST_BARS,
    accuracy_front,
    by_speed,
    memory_parts,
    plot_accuracy,
    plot_memory,
    plot_stages,
    plot_sustained,
    with_accuracy,
)
from .rows import STAGES, Row
from .wording import ABSENT, megabytes, number, percent, spread

Cells = tuple[str, ...]


@dataclass(frozen=True)
class Figure:
    """A drawing, and the same in words.

    Attributes:
        title: What it shows.
        svg: The drawing, as markup.
        caption: How to read it.
        columns: Of the table.
        rows: Of the table.
    """

    title: str
    svg: str
    caption: str
    columns: Cells
    rows: Sequence[Cells]


def figures_of(record: Record, rows: Sequence[Row], name: str) -> list[Figure]:
    """All that the record has figures for.

    Args:
        record: What was measured.
        rows: ``rows_of(record)``.
        name: Of the record, for the identifiers of its drawings.
    """
    real = [row for row in rows if row.is_measured and row.has_costs]
    found = [
        _accuracy(real, f"{name}-accuracy"),
        _stages(record, real, f"{name}-stages"),
        _memory(real, f"{name}-memory"),
        *(_sustained(row, f"{name}-sustained-{row.number}") for row in real),
    ]
    return [figure for figure in found if figure]


def _accuracy(rows: Sequence[Row], name: str) -> Figure | None:
    svg = plot_accuracy(rows, name)
    if svg is None:
        return None
    judged = with_accuracy(rows)
    front = set(accuracy_front(judged))
    cells = [
        (
            row.name,
            str(row.number),
            spread(row.real_time_factor),
            percent(row.error_rate),
            "yes" if index in front else "no",
        )
        for index, row in enumerate(judged)
    ]
    best = "; ".join(f"{judged[at].number} is {judged[at].name}" for at in accuracy_front(judged))
    return Figure(
        "Speed against accuracy",
        svg,
        f"Left is faster, down is better. Nothing beats those on the line in both: {best}.",
        ("configuration", "#", "of real time", "words wrong", "on the line"),
        cells,
    )


def _stages(record: Record, rows: Sequence[Row], name: str) -> Figure | None:
    svg = plot_stages(rows, name)
    if svg is None:
        return None
    shown = [row for row in by_speed(rows) if row.stages]
    cells = [
        (
            row.name,
            *(number(row.stages[stage], 3) if stage in row.stages else ABSENT for stage in STAGES),
        )
        for row in shown
    ]
    longest = record.protocol.clips[-1].name
    return Figure(
        f"Where the time goes, {longest}",
        svg,
        f"One pass each, the one whose total is the median.{_bars_note(shown)}",
        ("configuration", *(f"{stage}, s" for stage in STAGES)),
        cells,
    )


def _memory(rows: Sequence[Row], name: str) -> Figure | None:
    svg = plot_memory(rows, name)
    if svg is None:
        return None
    shown = [row for row in by_speed(rows) if row.memory]
    cells = [
        (row.name, *map(megabytes, memory_parts(row)), megabytes(row.peak_bytes)) for row in shown
    ]
    return Figure(
        "Memory",
        svg,
        "Resident, with the parts of mapped files that were read: Python with the package, what "
        f"opening the artifact adds, and the most that work adds.{_bars_note(shown)}",
        ("configuration", "Python", "the artifact", "at work", "peak"),
        cells,
    )


def _sustained(row: Row, name: str) -> Figure | None:
    svg = plot_sustained(row, name)
    if svg is None:
        return None
    moments = row.outcome.sustained
    minutes = sorted({int(moment.at_s // 60) for moment in moments})
    cells = [
        _minute(minute, [moment for moment in moments if moment.at_s // 60 == minute])
        for minute in minutes
    ]
    first, last = moments[0].real_time_factor, moments[-1].real_time_factor
    return Figure(
        f"Kept busy: {row.name}",
        svg,
        f"The first pass took {number(first)} of real time, the last {number(last)}.",
        ("minute", "of real time", "warmest, °C", "throttled"),
        cells,
    )


def _minute(minute: int, moments: Sequence[Moment]) -> Cells:
    speeds = [moment.real_time_factor for moment in moments]
    warm = [moment.temperature_c for moment in moments if moment.temperature_c is not None]
    throttled = sorted({reason for moment in moments for reason in moment.throttled or ()})
    low, high = number(min(speeds)), number(max(speeds))
    return (
        str(minute + 1),
        low if low == high else f"{low} to {high}",
        number(max(warm), 3) if warm else ABSENT,
        ", ".join(throttled) or "no",
    )


def _bars_note(rows: Sequence[Row]) -> str:
    """That the drawing may show fewer than there are."""
    if len(rows) <= MOST_BARS:
        return ""
    return f" The {MOST_BARS} fastest of {len(rows)}; the table has all."

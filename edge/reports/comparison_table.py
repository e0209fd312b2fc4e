"""A comparison in words: a table for each measure, a row for each configuration."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ..profiling.comparison import Compared, Comparison, Measure, Ratio
from ..profiling.summary import Spread
from .wording import ABSENT, TIMES, first_few, megabytes, number, percent, seconds, spread

MEASURES: dict[Measure, str] = {
    "real_time_factor": "Time computed per second of sound",
    "token_s": "A token",
    "load_s": "Opening the artifact",
    "peak_bytes": "Peak memory",
    "size_bytes": "Artifact on the disk",
    "error_rate": "Words wrong",
}


@dataclass(frozen=True)
class MeasureTable:
    """One measure of all configurations.

    Attributes:
        title: What it is.
        columns: "configuration", and the records.
        rows: As many cells as there are columns.
    """

    title: str
    columns: tuple[str, ...]
    rows: list[tuple[str, ...]]


def comparison_tables(comparison: Comparison) -> list[MeasureTable]:
    """A table for each measure that any record has."""
    columns = ("configuration", *comparison.names)
    tables = []
    for measure, title in MEASURES.items():
        found = [
            (row.name, compared)
            for row in comparison.rows
            for compared in row.measures
            if compared.measure == measure
        ]
        if any(value for _, compared in found for value in compared.values):
            rows = [(name, *_cells(compared)) for name, compared in found]
            tables.append(MeasureTable(title, columns, rows))
    return tables


def comparison_notes(comparison: Comparison) -> list[str]:
    """What to know beside the tables, the records' labels first."""
    notes = list(comparison.notes)
    notes += [f"{row.name}: {note}" for row in comparison.rows for note in row.notes]
    for record in comparison.names:
        alone = [name for name, where in comparison.alone if where == record]
        if alone:
            notes.append(f"only in {record}: {first_few(alone)}")
    if not comparison.rows:
        notes.append("no configuration was measured in two of them")
    return notes


def measure_text(measure: Measure, value: Spread | None) -> str:
    """A value with its unit."""
    if value is None:
        return ABSENT
    if measure == "real_time_factor":
        return spread(value)
    if measure in ("token_s", "load_s"):
        return seconds(value)
    if measure == "error_rate":
        return percent(value.median)
    return megabytes(value.median)


def ratio_text(ratio: Ratio) -> str:
    """How many times, and a mark where the spreads cannot tell the two apart."""
    if ratio.low == ratio.high:
        return "the same" if ratio.median == 1 else f"{TIMES} {number(ratio.median)}"
    bounds = f"{TIMES} {number(ratio.median)} ({number(ratio.low)} to {number(ratio.high)})"
    return bounds if ratio.is_clear else f"{bounds}, no clear difference"


def _cells(compared: Compared) -> Iterator[str]:
    for value, ratio in zip(compared.values, compared.ratios, strict=True):
        text = measure_text(compared.measure, value)
        yield f"{text}, {ratio_text(ratio)}" if ratio else text

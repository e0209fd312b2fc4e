"""A table as CSV, for a spreadsheet: units in the names, SI, an interval in columns of its own."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator

from .figure import Figure
from .table import Column, Table, Value

Cell = str | float | None


def csv_of(table: Table) -> str:
    """The table; what was not measured is an empty cell."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    spread = [_has_ends(table, at) for at in range(len(table.columns))]
    writer.writerow(
        name
        for column, has_ends in zip(table.columns, spread, strict=True)
        for name in _names(column, has_ends)
    )
    for row in table.rows:
        writer.writerow(
            cell
            for value, has_ends in zip(row, spread, strict=True)
            for cell in _cells(value, has_ends)
        )
    return text.getvalue()


def _has_ends(table: Table, at: int) -> bool:
    """Whether any value of a column is not known exactly."""
    values = (row[at] for row in table.rows)
    return any(isinstance(one, Figure) and not one.low == one.value == one.high for one in values)


def _names(column: Column, has_ends: bool) -> Iterator[str]:
    yield column.key
    if has_ends:
        yield from (f"{column.key}_low", f"{column.key}_high")


def _cells(value: Value, has_ends: bool) -> Iterator[Cell]:
    if isinstance(value, Figure):
        yield value.value
        if has_ends:
            yield from (value.low, value.high)
        return
    # No spreadsheet takes it for a formula: a name may come from somebody else's file.
    yield f"'{value}" if value and value.startswith(("=", "+", "-", "@")) else value
    if has_ends:
        yield from (None, None)

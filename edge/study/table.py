"""A table as every writer takes it: values with their intervals, and how people read them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from ..reports.wording import ABSENT, TIMES, number
from .figure import Figure, Printed

Kind = Literal["text", "percent", "ms", "s", "MB", "MiB", "ratio", "share"]
_DECIMALS_OF_PERCENT = 2
_FACTORS: dict[Kind, float] = {"percent": 100.0, "ms": 1000.0, "MB": 1e-6, "MiB": 2**-20}
_SIGNIFICANT, _PRINTED = 3, 8
_NUMBERS = {"table-1": "I", "table-2": "II", "table-3": "III"}


@dataclass(frozen=True)
class Column:
    """One column.

    Attributes:
        title: For people, the unit in it.
        key: For programs; the unit of its values is part of it, and is SI.
        kind: How a value is shown.
        is_published: Whether these are the study's figures and not ours.
    """

    title: str
    key: str
    kind: Kind = "text"
    is_published: bool = False


Value = str | Figure | None


@dataclass(frozen=True)
class Table:
    """One table.

    Attributes:
        name: For a file: "table-1".
        title: What it shows.
        columns: From left to right.
        rows: As many values as there are columns.
        notes: What to know of it, a line each.
    """

    name: str
    title: str
    columns: tuple[Column, ...]
    rows: Sequence[tuple[Value, ...]]
    notes: tuple[str, ...] = ()

    @property
    def texts(self) -> list[tuple[str, ...]]:
        """The rows as people read them."""
        return [
            tuple(shown(column, value) for column, value in zip(self.columns, row, strict=True))
            for row in self.rows
        ]

    @property
    def heading(self) -> str:
        """The title, with the number of the study's table that it repeats."""
        return f"Table {_NUMBERS[self.name]}: {self.title}" if self.name in _NUMBERS else self.title

    @property
    def published_columns(self) -> tuple[int, ...]:
        """Places of the columns that hold the study's figures."""
        return tuple(at for at, column in enumerate(self.columns) if column.is_published)

    @property
    def titles(self) -> tuple[str, ...]:
        """Of the columns."""
        return tuple(column.title for column in self.columns)

    def is_empty(self, key: str) -> bool:
        """Whether a column has no value at all."""
        at = next(i for i, column in enumerate(self.columns) if column.key == key)
        return all(row[at] is None for row in self.rows)


def shown(column: Column, value: Value) -> str:
    """A value such as "4.12 (3.31 to 5.04)"; its unit is in the column's title."""
    if value is None:
        return ABSENT
    if isinstance(value, str):
        return value
    scaled = value.scaled(_FACTORS.get(column.kind, 1.0))
    if isinstance(value, Printed):
        return f"{scaled.value:.{_PRINTED}g}"
    mark = f"{TIMES} " if column.kind == "ratio" else ""
    middle = mark + _digits(column.kind, scaled.value)
    if scaled.low is None or scaled.high is None or scaled.low == scaled.high:
        return middle
    return f"{middle} ({_digits(column.kind, scaled.low)} to {_digits(column.kind, scaled.high)})"


def _digits(kind: Kind, value: float) -> str:
    if kind == "percent":
        return f"{value:.{_DECIMALS_OF_PERCENT}f}"
    return number(value, _SIGNIFICANT)

"""A report as Markdown, as long as fits a pull request."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ..profiling.comparison import Comparison, Named
from .comparison_table import comparison_notes, comparison_tables
from .facts import board_facts, board_name, protocol_facts
from .rows import Row, rows_of
from .verdict import verdict
from .wording import megabytes, percent, seconds, spread

COLUMNS = (
    "#",
    "configuration",
    "of real time",
    "words wrong",
    "peak memory",
    "a token",
    "from nothing to the first text",
    "notes",
)


def markdown(records: Sequence[Named]) -> str:
    """A section for each record: the verdict, the table, and how was measured.

    Args:
        records: At least one.
    """
    return "\n".join(line for named in records for line in _section(named))


def comparison_markdown(comparison: Comparison) -> str:
    """A table for each measure, a row for each configuration."""
    return "\n".join(_comparison_lines(comparison))


def _section(named: Named) -> Iterator[str]:
    record = named.record
    rows = rows_of(record)
    found = verdict(record, rows)
    yield f"## {escaped(board_name(record))}"
    yield ""
    yield from (f"**{escaped(label)}**\n" for label in record.labels)
    yield f"**{escaped(found.sentence)}**"
    yield ""
    yield from (f"- {escaped(doubt)}" for doubt in found.doubts)
    yield ""
    yield from table(COLUMNS, [cells(row) for row in rows])
    yield ""
    yield "<details><summary>Board and protocol</summary>"
    yield ""
    yield from table(("board", ""), board_facts(record))
    yield ""
    yield from table(("protocol", ""), protocol_facts(record.protocol))
    yield ""
    yield "</details>"
    yield ""


def cells(row: Row) -> tuple[str, ...]:
    """A cell for each of ``COLUMNS``."""
    return (
        str(row.number),
        row.name,
        spread(row.real_time_factor),
        percent(row.error_rate),
        megabytes(row.peak_bytes),
        seconds(row.token_s),
        seconds(row.cold_s),
        "; ".join(row.notes),
    )


def _comparison_lines(comparison: Comparison) -> Iterator[str]:
    for measure in comparison_tables(comparison):
        yield f"### {measure.title}"
        yield ""
        yield from table(measure.columns, measure.rows)
        yield ""
    yield from (f"- {escaped(note)}" for note in comparison_notes(comparison))


def table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """The lines of a Markdown table."""
    yield f"| {' | '.join(map(escaped, columns))} |"
    yield f"|{' --- |' * len(columns)}"
    for row in rows:
        yield f"| {' | '.join(map(escaped, row))} |"


def escaped(text: str) -> str:
    """Text that Markdown takes for nothing else, on one line."""
    text = " ".join(text.split()).replace("\\", "\\\\")
    for character in "|*_`[]<>":
        text = text.replace(character, f"&#{ord(character)};")
    return text

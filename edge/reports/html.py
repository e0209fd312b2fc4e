"""A report as one page of HTML: it opens offline, asks for nothing and runs no script."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

from ... import __version__
from ..errors import ConfigError, MissingDependencyError
from ..profiling.comparison import Named, compare
from ..profiling.whole_file import write_whole
from .comparison_table import comparison_notes, comparison_tables
from .facts import Fact, board_facts, board_name, protocol_facts
from .figures import Figure, figures_of
from .raw_table import COLUMNS, raw_cells
from .rows import rows_of
from .svg import require_library
from .verdict import Verdict, verdict


@dataclass(frozen=True)
class Section:
    """A record, as the page shows it.

    Attributes:
        source: Where it was read from.
        board: What to call the board.
        created: When it was measured.
        labels: What to know before anything else.
        verdict: What should run.
        figures: Plots, with a table each.
        columns: Of the table of all figures.
        rows: Of that table.
        chosen: The index of the row that is advised; None if none is.
        protocol: How was measured.
        facts: On what.
    """

    source: str
    board: str
    created: str
    labels: tuple[str, ...]
    verdict: Verdict
    figures: list[Figure]
    columns: tuple[str, ...]
    rows: list[tuple[str, ...]]
    chosen: int | None
    protocol: list[Fact]
    facts: list[Fact]


def write_report(records: Sequence[Named], path: Path) -> None:
    """Write the page, whole or not at all.

    Args:
        records: At least one; several are set beside each other if their protocols are alike.
        path: The file.

    Raises:
        MissingDependencyError: The extra ``report`` is not installed.
        WhisperqError: The disk refuses.
    """
    write_whole(page(records).encode(), path)


def page(records: Sequence[Named]) -> str:
    """The page's text; see ``write_report``."""
    require_library()
    try:
        from jinja2 import Environment, StrictUndefined
    except ModuleNotFoundError:
        raise MissingDependencyError("Jinja2", "report", "a report as HTML") from None

    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    folder = files(__package__)
    template = environment.from_string((folder / "page.html.jinja").read_text("utf-8"))
    sections = [_section(named, index) for index, named in enumerate(records, start=1)]
    boards = list(dict.fromkeys(section.board for section in sections))
    return template.render(
        css=(folder / "page.css").read_text("utf-8"),
        version=__version__,
        title=f"Speech recognition on {' and '.join(boards)}",
        sections=sections,
        comparison=_comparison(records) if len(records) > 1 else None,
    )


def _section(named: Named, number: int) -> Section:
    record = named.record
    rows = rows_of(record)
    found = verdict(record, rows)
    return Section(
        source=named.name,
        board=board_name(record),
        created=record.created,
        labels=record.labels,
        verdict=found,
        figures=figures_of(record, rows, f"r{number}"),
        columns=COLUMNS,
        rows=[raw_cells(row) for row in rows],
        chosen=found.row.number - 1 if found.row else None,
        protocol=protocol_facts(record.protocol),
        facts=board_facts(record),
    )


def _comparison(records: Sequence[Named]) -> dict[str, Any]:
    try:
        found = compare(records)
    except ConfigError as error:
        return {"refusal": f"{error}.", "tables": [], "notes": []}
    return {
        "refusal": None,
        "tables": comparison_tables(found),
        "notes": comparison_notes(found),
    }

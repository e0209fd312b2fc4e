"""``whisperq-edge report``: what a record says, as a page or a table."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .record_input import read_records
from .screen import Screen

if TYPE_CHECKING:
    from ..profiling.comparison import Named

STANDARD_OUTPUT = Path("-")


def report(
    ctx: typer.Context,
    records: Annotated[list[Path], typer.Argument(metavar="RECORD...", help="One or more.")],
    html: Annotated[
        Path | None, typer.Option("--html", help="One page that opens offline; - for stdout.")
    ] = None,
    markdown: Annotated[
        Path | None, typer.Option("--markdown", help="For a pull request; - for stdout.")
    ] = None,
    csv: Annotated[
        Path | None, typer.Option("--csv", help="For a spreadsheet; - for stdout.")
    ] = None,
) -> None:
    """Say what should run on a board, and show what that rests on.

    Without a file to write, the advice and a table are printed.
    """
    from ..errors import ConfigError
    from ..profiling.whole_file import write_whole
    from ..reports.csv_table import csv_table
    from ..reports.html import page
    from ..reports.markdown import markdown as markdown_text

    screen: Screen = ctx.obj
    asked = ((html, page), (markdown, markdown_text), (csv, csv_table))
    if sum(path == STANDARD_OUTPUT for path, _ in asked) > 1:
        raise ConfigError("only one of the reports can go to stdout")
    found = read_records(records)
    for path, text_of in asked:
        if path == STANDARD_OUTPUT:
            typer.echo(text_of(found), nl=False)
        elif path is not None:
            write_whole(text_of(found).encode(), path)
            screen.note(f"wrote {path}")
    if not any(path for path, _ in asked):
        for named in found:
            _print(screen, named)


def _print(screen: Screen, named: Named) -> None:
    """The advice, the table, and what to know beside them."""
    from ..reports.facts import board_name
    from ..reports.markdown import COLUMNS, cells
    from ..reports.rows import rows_of
    from ..reports.verdict import verdict

    rows = rows_of(named.record)
    found = verdict(named.record, rows)
    typer.echo(f"{board_name(named.record)} ({named.name})")
    for line in (*named.record.labels, found.sentence, *found.doubts):
        typer.echo(line)
    if rows:
        screen.table(COLUMNS, [cells(row) for row in rows])

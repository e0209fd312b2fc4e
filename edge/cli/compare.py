"""``whisperq-edge compare``: records beside each other, if they were measured in the same way."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import msgspec
import typer

from .record_input import read_records
from .screen import Screen


def compare(
    ctx: typer.Context,
    records: Annotated[
        list[Path],
        typer.Argument(metavar="RECORD...", help="Ratios are to the first."),
    ],
    as_markdown: Annotated[
        bool, typer.Option("--markdown", help="Print Markdown, for a pull request.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Compare records of several boards, or of one board before and after a change.

    Records of unlike protocols are refused, and the message names the field.
    """
    from ..errors import ConfigError
    from ..profiling.comparison import compare as set_beside
    from ..reports.comparison_table import comparison_notes, comparison_tables
    from ..reports.markdown import comparison_markdown

    screen: Screen = ctx.obj
    if as_markdown and as_json:
        raise ConfigError("--markdown and --json cannot be combined")
    if len(records) < 2:
        raise ConfigError("two records or more can be compared")
    found = set_beside(read_records(records))
    if as_json:
        typer.echo(msgspec.json.encode(found).decode())
        return
    if as_markdown:
        typer.echo(comparison_markdown(found))
        return
    for table in comparison_tables(found):
        typer.echo(f"\n{table.title}")
        screen.table(table.columns, table.rows)
    for note in comparison_notes(found):
        screen.note(f"note: {note}")

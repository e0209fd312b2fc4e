"""Where the measurements of a stream go, and what its text is compared with."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import typer

from .screen import aligned
from .stream_report import COLUMNS, rows

if TYPE_CHECKING:
    from ..streaming.metrics import StreamReport
    from ..streaming.reference import Reference


def given_reference(text_or_file: str | None) -> Reference | None:
    """What ``--reference`` gives: the text itself, or a file by its ending.

    Raises:
        ConfigError: The file cannot be read, or there are no words.
        MissingDependencyError: jiwer is not installed.
    """
    from ..streaming.reference import SUFFIXES, Reference, read_reference
    from ..transcription.word_errors import load_jiwer

    if text_or_file is None:
        return None
    path = Path(text_or_file)
    if path.suffix in SUFFIXES:
        return read_reference(path)
    load_jiwer()  # now, and not after the stream
    return Reference(text_or_file)


def print_report(report: StreamReport, *, as_json: bool) -> None:
    """Print a table on stderr, beside the text; or one more JSON object after the events."""
    if as_json:
        record = {"kind": "report", **msgspec.structs.asdict(report)}
        typer.echo(msgspec.json.encode(record).decode())
        return
    for line in (*aligned([COLUMNS, *rows(report)]), *(f"note: {note}" for note in report.notes)):
        typer.echo(line, err=True)

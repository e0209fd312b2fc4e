"""What the user sees: results on stdout, everything else on stderr, colour only in a terminal."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from ..types import Progress


@dataclass(frozen=True)
class Screen:
    """Where a command writes.

    Attributes:
        verbose: Also say what most users do not ask.
        quiet: Say results and errors only.
        debug: Let errors show where they come from.
    """

    verbose: bool = False
    quiet: bool = False
    debug: bool = False

    def __post_init__(self) -> None:
        """Show the package's own warnings as lines of the program."""
        level = logging.ERROR if self.quiet else logging.WARNING
        handler = logging.StreamHandler()
        handler.setFormatter(logging.Formatter("warning: %(message)s"))
        logger = logging.getLogger("whisperq_edge")
        logger.handlers = [handler]
        logger.setLevel(level)

    @property
    def draws(self) -> bool:
        """Whether progress is drawn rather than told."""
        return sys.stderr.isatty() and not self.quiet

    def note(self, text: str) -> None:
        """Say on stderr what happened."""
        if not self.quiet:
            typer.echo(text, err=True)

    def detail(self, text: str) -> None:
        """Say on stderr what only ``--verbose`` asks for."""
        if self.verbose:
            typer.echo(text, err=True)

    def table(self, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        """Print a result on stdout: a drawn table in a terminal, aligned columns in a pipe."""
        if not sys.stdout.isatty():
            for line in aligned([columns, *rows]):
                typer.echo(line)
            return
        from rich.console import Console
        from rich.table import Table

        table = Table(*columns)
        for row in rows:
            table.add_row(*row)
        Console().print(table)

    @contextmanager
    def progress(self) -> Iterator[Progress]:
        """Draw how far a job is, with the time left, while the block runs."""
        if not self.draws:
            yield self._stages_only()
            return
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.percentage:>3.0f} %"),
            TimeRemainingColumn(),
        )
        # Text that goes to a pipe must not be caught and drawn above the bar.
        bar = Progress(
            *columns,
            console=Console(stderr=True),
            transient=True,
            redirect_stdout=sys.stdout.isatty(),
        )
        task = bar.add_task("", total=1.0)
        shown = ""

        def draw(stage: str, done: float) -> None:
            nonlocal shown
            if stage != shown:
                bar.reset(task, description=stage)
                shown = stage
            bar.update(task, completed=done)

        with bar:
            yield draw

    def _stages_only(self) -> Progress:
        shown = ""

        def say(stage: str, done: float) -> None:
            nonlocal shown
            if stage != shown:
                self.detail(f"{stage} ...")
                shown = stage

        return say


def aligned(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """The rows as lines of left-aligned columns, two spaces apart."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        yield "  ".join(cells).rstrip()

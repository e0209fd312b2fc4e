"""How far each of several boards is: a row each in a terminal, otherwise lines."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from .screen import Screen

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

# What `profile` writes on the board, where it draws nothing: " 12%  tiny int8 onnx: times".
_SHARE = re.compile(r"\s*(\d+)%\s+(.*)")


class HostRow:
    """Shows one board.

    Args:
        screen: Where.
        name: What to call the board.
        bar: What is drawn, and the board's row in it; None where nothing is drawn.
    """

    def __init__(self, screen: Screen, name: str, bar: tuple[Progress, TaskID] | None) -> None:
        self._screen, self._name, self._bar = screen, name, bar
        self._stage = ""

    def progress(self, stage: str, done: float) -> None:
        """Show what is sent."""
        if self._bar:
            self._draw(stage, done)
        elif stage != self._stage:
            self._screen.note(f"{self._name}: {stage}")
        self._stage = stage

    def line(self, text: str) -> None:
        """Show how far the profile is; what else is written there is a detail."""
        if found := _SHARE.fullmatch(text):
            if self._bar:
                self._draw(found[2], int(found[1]) / 100)
            else:
                self._screen.note(f"{self._name}: {text}")
        else:
            self._screen.detail(f"{self._name}: {text}")

    def note(self, text: str) -> None:
        """Say what happens."""
        if self._bar and not self._screen.quiet:
            self._bar[0].console.print(f"{self._name}: {text}", markup=False, highlight=False)
        else:
            self._screen.note(f"{self._name}: {text}")

    def _draw(self, text: str, done: float) -> None:
        if self._bar:
            bar, row = self._bar
            bar.update(row, completed=done, description=f"{self._name}  {text}")


@contextmanager
def host_rows(screen: Screen, names: Sequence[str]) -> Iterator[list[HostRow]]:
    """A row for each board, while the block runs."""
    if not screen.draws:
        yield [HostRow(screen, name, None) for name in names]
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn

    columns = (
        BarColumn(bar_width=20),
        TextColumn("{task.percentage:>3.0f} %  {task.description}", markup=False),
    )
    console = Console(stderr=True)
    with Progress(*columns, console=console, transient=True, redirect_stdout=False) as bar:
        yield [HostRow(screen, name, (bar, bar.add_task(name, total=1.0))) for name in names]

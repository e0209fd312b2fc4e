"""Where the events of a stream go: captions in a terminal, lines or JSON in a pipe."""

from __future__ import annotations

import sys
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

import msgspec
import typer

from .screen import Screen

if TYPE_CHECKING:
    from ..streaming.events import Event


class EventOutput(ABC):
    """Shows events as they come.

    Args:
        screen: Says what is no result.
    """

    def __init__(self, screen: Screen) -> None:
        self.screen = screen

    @abstractmethod
    def show(self, event: Event) -> None:
        """Take one event."""

    def note(self, text: str) -> None:
        """Say something on stderr, beside what is shown."""
        self.screen.note(text)

    @abstractmethod
    def close(self) -> None:
        """Show what is committed and not shown yet."""


class JsonLines(EventOutput):
    """Prints each event as one JSON object."""

    def show(self, event: Event) -> None:
        """See EventOutput."""
        typer.echo(msgspec.json.encode(event).decode())

    def close(self) -> None:
        """See EventOutput; everything is."""


class UtteranceLines(EventOutput):
    """Prints each utterance as one line, when it has ended."""

    def __init__(self, screen: Screen) -> None:
        super().__init__(screen)
        self._committed = ""

    def show(self, event: Event) -> None:
        """See EventOutput."""
        if event.kind == "committed":
            self._committed += event.text
        elif event.kind == "endpoint":
            self.close()

    def close(self) -> None:
        """See EventOutput."""
        text, self._committed = self._committed.strip(), ""
        if text:
            typer.echo(text)


def event_output(screen: Screen, *, as_json: bool) -> EventOutput:
    """The output for what stdout is."""
    if as_json:
        return JsonLines(screen)
    if not sys.stdout.isatty():
        return UtteranceLines(screen)
    from rich.console import Console

    from .captions import Captions

    console = Console()
    return UtteranceLines(screen) if console.is_dumb_terminal else Captions(screen, console)

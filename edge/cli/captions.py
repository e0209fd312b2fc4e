"""Live captions in a terminal: solid what stays, dim what may still change."""

from __future__ import annotations

from threading import RLock
from typing import TYPE_CHECKING

from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from .event_output import EventOutput
from .screen import Screen

if TYPE_CHECKING:
    from ..streaming.events import Event

CLEAR_LINE = "\x1b[K"  # from the cursor on
CLEAR_BELOW = "\x1b[J"


class Captions(EventOutput):
    """Draws the utterance that is being spoken as a paragraph, which grows below those before it.

    Only that paragraph is drawn again, in one write and over itself: nothing flickers, and what
    has ended stays in the terminal's own memory. Notes may come from another thread.

    Args:
        screen: Says what is no result, above the paragraph.
        console: The terminal.
    """

    def __init__(self, screen: Screen, console: Console) -> None:
        super().__init__(screen)
        self._console = console
        self._committed = ""
        self._partial = ""
        self._drawn: list[Text] = []
        self._lock = RLock()

    def show(self, event: Event) -> None:
        """See EventOutput."""
        with self._lock:
            self._take(event)

    def note(self, text: str) -> None:
        """See EventOutput."""
        with self._lock:
            self._write(self._to_start() + CLEAR_BELOW)
            self._drawn = []
            self.screen.note(text)
            self._draw()

    def close(self) -> None:
        """End the paragraph."""
        with self._lock:
            self._partial = ""
            self._draw()
            if self._drawn:
                self._write("\n")
            self._committed, self._drawn = "", []

    def _take(self, event: Event) -> None:
        if event.kind == "endpoint":
            self.close()
            return
        if event.kind == "partial":
            self._partial = event.text
        else:
            self._committed += event.text
            goes_on = self._partial.startswith(event.text)
            self._partial = self._partial[len(event.text) :] if goes_on else ""
        self._draw()

    def _draw(self) -> None:
        committed = _printable(self._committed).lstrip()
        partial = _printable(self._partial)
        text = Text(committed).append(partial if committed else partial.lstrip(), style="dim")
        # In a full line the cursor would hang behind the last column, which some terminals clear.
        lines = list(text.wrap(self._console, self._console.width - 1)) if text else []
        start, n_most = self._to_start(), self._console.height - 1
        n_left = self._leave(lines, committed, n_most)
        # Of text that may change, no more is drawn than the cursor can come back to.
        self._drawn = lines[n_left:][-n_most:]
        rows = [self._rendered(line) for line in (*lines[:n_left], *self._drawn)]
        self._write(start + f"{CLEAR_LINE}\n".join(rows) + CLEAR_LINE + CLEAR_BELOW)

    def _leave(self, lines: list[Text], committed: str, n_most: int) -> int:
        """How many of the lines will scroll away and have to be final; they are forgotten."""
        n_left = 0
        for line in lines[: max(0, len(lines) - n_most)]:
            if not committed.startswith(line.plain.rstrip()):
                break
            self._committed = committed = committed[len(line.plain.rstrip()) :].lstrip()
            n_left += 1
        return n_left

    def _to_start(self) -> str:
        """Moves the cursor to the paragraph's start, in a terminal that may have a new width."""
        width = self._console.width
        n_rows = sum(max(1, -(-cell_len(line.plain) // width)) for line in self._drawn)
        return "\r" + (f"\x1b[{n_rows - 1}A" if n_rows > 1 else "")

    def _rendered(self, line: Text) -> str:
        with self._console.capture() as capture:
            self._console.print(line, end="", soft_wrap=True)
        return capture.get()

    def _write(self, text: str) -> None:
        self._console.file.write(text)
        self._console.file.flush()


def _printable(text: str) -> str:
    """A model may spell control characters, which are the terminal's."""
    return "".join(letter if letter.isprintable() else " " for letter in text)

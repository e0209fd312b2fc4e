"""How far a study is, and what is left of it."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Literal, NamedTuple

Part = Literal["export", "evaluate", "stages", "recordings", "report"]
PARTS: tuple[Part, ...] = ("export", "evaluate", "stages", "recordings", "report")


class Step(NamedTuple):
    """How far it is.

    Attributes:
        part: Of the work; they come one after the other.
        what: Is at hand, for people.
        done: Share of the part.
        left_s: Of the part, expected; None while nothing is known.
    """

    part: Part
    what: str
    done: float
    left_s: float | None


Report = Callable[[Step], None]


def no_report(step: Step) -> None:
    """The Report of a caller who does not ask."""


class Pace:
    """Tells how far one part is, from pieces of work that are done.

    Args:
        part: Which.
        n_pieces: That are to be done.
        report: Told after each.
    """

    def __init__(self, part: Part, n_pieces: int, report: Report) -> None:
        self._part, self._n_pieces, self._report = part, n_pieces, report
        self._n_done = 0.0
        self._began = time.monotonic()

    def tell(self, what: str, share: float = 0.0) -> None:
        """Say what is at hand, and how much of it is done."""
        n_done = self._n_done + share
        left_s = None
        if n_done:
            spent_s = time.monotonic() - self._began
            left_s = spent_s * (self._n_pieces - n_done) / n_done
        self._report(Step(self._part, what, n_done / max(self._n_pieces, 1), left_s))

    def finish(self, n_pieces: float = 1.0) -> None:
        """So many pieces more are done."""
        self._n_done += n_pieces

"""What to leave out when computing falls behind the sound."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

EASY = 0.5  # share of the time between two updates that one may take, to be called easy
FEWEST_UPDATES = 3  # in which it has to be easy, before more is done again
MOST_UPDATES = 48  # likewise: twice as many after each time that it was too early


class Effort(NamedTuple):
    """How much work a stream is given.

    Attributes:
        from_s: Sound waiting, in seconds, from which no more than this is done.
        chunk: Sound between updates, as a multiple of what was asked for.
        partials: Whether text that may change is shown.
        longest_s: The buffer's length limit in seconds, where it is lower than the one asked for.
        saves: What is saved, in the user's words.
    """

    from_s: float
    chunk: float
    partials: bool
    longest_s: float
    saves: str


EFFORTS = (
    Effort(0.0, 1, True, 30.0, "updating as asked"),
    Effort(1.5, 2, True, 30.0, "updating half as often"),
    Effort(4.0, 4, False, 30.0, "updating a quarter as often, without partial text"),
    Effort(
        8.0, 4, False, 8.0, "updating a quarter as often, without partial text, from a short window"
    ),
    Effort(30.0, 4, False, 8.0, "nothing more can be saved; a smaller model would keep pace"),
)


class Pressure:
    """Chooses the effort by how much sound waits.

    Work is saved at once, and taken up again when the updates have become quick enough for it: who
    is given the full work as soon as nothing waits is behind again a moment later.

    Args:
        chunk_s: New sound between two updates, as asked for.
        notify: Told in one line at every change.

    Attributes:
        effort: What is done now.
    """

    def __init__(self, chunk_s: float, notify: Callable[[str], None]) -> None:
        self.effort = EFFORTS[0]
        self._chunk_s = chunk_s
        self._notify = notify
        self._n_wanted = FEWEST_UPDATES
        self._was_easy = False
        self._n_updates = 0
        self._behind_s = self._longest_wait_s = 0.0

    def take(self, behind_s: float) -> None:
        """Learn how much sound waits, in seconds."""
        self._behind_s = behind_s
        self._longest_wait_s = max(self._longest_wait_s, behind_s)
        wanted = max(effort for effort in EFFORTS if effort.from_s <= behind_s)
        if wanted <= self.effort:
            return
        if self._was_easy:
            self._n_wanted = min(2 * self._n_wanted, MOST_UPDATES)
            self._was_easy = False
        self._change(wanted)
        self._notify(f"{behind_s:.1f} s behind the sound: {wanted.saves}")

    def count_update(self) -> None:
        """One was made; what waits because of it is learnt at the next ``take``."""
        self._n_updates += 1
        if self._n_updates < self._n_wanted:
            return
        possible = [effort for effort in EFFORTS if effort < self.effort and self._is_easy(effort)]
        self._change(possible[0] if possible else self.effort)
        if possible:
            self._was_easy = True
            self._notify(f"caught up with the sound: {self.effort.saves}")

    def _is_easy(self, effort: Effort) -> bool:
        """Whether the last updates were quick enough for it."""
        return self._longest_wait_s <= EASY * self._chunk_s * effort.chunk

    def _change(self, effort: Effort) -> None:
        self.effort = effort
        self._n_updates = 0
        self._longest_wait_s = self._behind_s

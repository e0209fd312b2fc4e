"""What of a sweep is still to be done, in which order, and who is suspected of ending workers."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import msgspec

from ..errors import InferenceError
from .attempt import Refusal
from .sweep_progress import Kind, kind_of
from .task import Task

LOST_OFTEN = 2
OF_ARTIFACT = 3


@dataclass
class Piece:
    """A task, or one utterance of it, on its way.

    Attributes:
        task: What it consists of.
        n_lost: How many workers it was lost with.
        is_alone: Whether nothing else is done meanwhile.
    """

    task: Task
    n_lost: int = 0
    is_alone: bool = False

    @property
    def kind(self) -> Kind:
        """See ``kind_of``."""
        return kind_of(self.task)

    def split(self) -> Iterator[Piece]:
        """One for each utterance."""
        for utterance in self.task.utterances:
            yield Piece(msgspec.structs.replace(self.task, utterances=(utterance,)))


class SweepQueue:
    """Hands out tasks until each is done or given up.

    A worker may die of what it does, or of what else its machine does. So a task that was lost with
    a worker once is done again at once; one that was lost ``LOST_OFTEN`` times waits until all else
    is done and is then done alone, where nothing else can be to blame. If it is lost again, its
    utterances are done one by one, and those that end their workers are given up. They are not
    halved: each loss costs a worker, and one by one there are as many as there are culprits.

    An artifact whose tasks were lost ``OF_ARTIFACT`` times without one answer in between is
    suspected as a whole: the rest of it waits as well, and goes on as soon as one task comes back.
    After so many utterances that were lost alone it is given up.

    Args:
        tasks: In the order in which they are to be done.
    """

    def __init__(self, tasks: Iterable[Task]) -> None:
        self._waiting = deque(Piece(task) for task in tasks)
        self._held: deque[Piece] = deque()  # for the sake of their artifact
        self._suspects: deque[Piece] = deque()
        self._lost_in_a_row: Counter[Kind] = Counter()  # tasks
        self._died_in_a_row: Counter[Kind] = Counter()  # utterances, alone
        self._given_up: dict[Kind, Refusal] = {}

    def __bool__(self) -> bool:
        """Whether anything is left."""
        return bool(self._waiting or self._held or self._suspects)

    def take(self, *, is_idle: bool) -> Piece | None:
        """What is to be done next.

        Args:
            is_idle: Whether nothing is being done.

        Returns:
            None while that has to be awaited.
        """
        while self._waiting:
            piece = self._waiting.popleft()
            is_held = self._lost_in_a_row[piece.kind] >= OF_ARTIFACT
            if piece.kind in self._given_up or not is_held:
                piece.is_alone = False
                return piece
            self._held.append(piece)
        if not is_idle or not self:
            return None
        piece = (self._suspects or self._held).popleft()
        piece.is_alone = True
        return piece

    def why_given_up(self, piece: Piece) -> Refusal | None:
        """Why it need not be tried: its artifact is given up; None if it is not."""
        return self._given_up.get(piece.kind)

    def trust(self, piece: Piece) -> None:
        """It came back: its artifact works, and what was held for its sake may go on."""
        self._lost_in_a_row[piece.kind] = self._died_in_a_row[piece.kind] = 0
        freed = [held for held in self._held if held.kind == piece.kind]
        self._held = deque(held for held in self._held if held.kind != piece.kind)
        self._waiting.extend(freed)

    def refuse(self, piece: Piece, refusal: Refusal) -> Refusal | None:
        """A worker said that it cannot be done.

        Returns:
            Why it is given up; None if its utterances are tried one by one.
        """
        if refusal.is_of_artifact:
            self._given_up[piece.kind] = refusal
        elif len(piece.task.utterances) > 1:
            self._waiting.extendleft(reversed(list(piece.split())))
            return None
        return refusal

    def lose(self, piece: Piece, n_workers: int, reason: str) -> Refusal | None:
        """It was lost with ``n_workers`` workers.

        Returns:
            Why it is given up; None if it is tried again.
        """
        piece.n_lost += n_workers
        self._lost_in_a_row[piece.kind] += 1
        if not piece.is_alone:
            if piece.n_lost < LOST_OFTEN:
                self._waiting.appendleft(piece)
            else:
                self._suspects.append(piece)
            return None
        if len(piece.task.utterances) > 1:
            self._suspects.extendleft(reversed(list(piece.split())))
            return None
        self._died_in_a_row[piece.kind] += 1
        if self._died_in_a_row[piece.kind] >= OF_ARTIFACT:
            why = f"given up after {OF_ARTIFACT} other utterances of its artifact: {reason}"
            self._given_up[piece.kind] = Refusal(why, InferenceError.exit_code, True)
        return Refusal(reason, InferenceError.exit_code, False)

"""How far a sweep is, and how long the rest of it takes."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import NamedTuple

from .result import Result, Settings
from .task import Task
from .utterance import Utterance

Kind = tuple[str, Settings]


def kind_of(task: Task) -> Kind:
    """What tasks have in common that need the same session: the artifact's digest, and settings."""
    return task.digest, task.settings


class SweepProgress(NamedTuple):
    """How far a sweep is; what was in the store before it began is not part of it.

    Attributes:
        n_done: Utterances that nothing more is to be done for, the failed ones among them.
        n_total: Utterances in all, once for each artifact and settings.
        n_failed: Utterances that could not be transcribed.
        done_s: Seconds of sound likewise.
        total_s: In all.
        left_s: Seconds that the rest is going to take; None while nothing is known.
    """

    n_done: int
    n_total: int
    n_failed: int
    done_s: float
    total_s: float
    left_s: float | None


Watcher = Callable[[SweepProgress], None]


class Pace:
    """Counts what is done, and learns how long each artifact takes for a second of sound.

    Args:
        tasks: All of them.
        sound_s: How long an utterance is, in seconds.
        clock: In seconds.
    """

    def __init__(
        self,
        tasks: Iterable[Task],
        sound_s: Callable[[Utterance], float],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._sound_s, self._clock = sound_s, clock
        self._start_s = clock()
        self._left_s: dict[Kind, float] = defaultdict(float)  # of sound
        self._heard_s: dict[Kind, float] = defaultdict(float)  # of sound
        self._computed_s: dict[Kind, float] = defaultdict(float)
        self._n_done = self._n_failed = self._n_total = 0
        for task in tasks:
            self._n_total += len(task.utterances)
            self._left_s[kind_of(task)] += self._sum_s(task.utterances)
        self._total_s = sum(self._left_s.values())

    def finish(self, task: Task, results: Iterable[Result], n_failed: int) -> None:
        """Count a task: nothing more will be done for any of its utterances."""
        self._n_done += len(task.utterances)
        self._n_failed += n_failed
        self._left_s[kind_of(task)] -= self._sum_s(task.utterances)
        for result in results:
            self._heard_s[kind_of(task)] += result.duration_s
            self._computed_s[kind_of(task)] += result.compute_s

    def read(self) -> SweepProgress:
        """How far it is now."""
        done_s = self._total_s - sum(self._left_s.values())
        counts = (self._n_done, self._n_total, self._n_failed)
        return SweepProgress(*counts, done_s, self._total_s, self._remaining_s())

    def _remaining_s(self) -> float | None:
        """What is left, at the rate at which the work so far was done."""
        if not (computed_s := sum(self._computed_s.values())):
            return None
        overall = computed_s / sum(self._heard_s.values())
        left_s = 0.0
        for kind, sound_s in self._left_s.items():
            heard_s = self._heard_s[kind]
            left_s += sound_s * (self._computed_s[kind] / heard_s if heard_s else overall)
        return max(0.0, left_s) * (self._clock() - self._start_s) / computed_s

    def _sum_s(self, utterances: Iterable[Utterance]) -> float:
        return sum(self._sound_s(utterance) for utterance in utterances)

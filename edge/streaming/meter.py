"""A streamer's calls, timed and counted."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Protocol

from ..transcription.word_errors import Unit
from ..types import SAMPLE_RATE, FloatArray
from .events import Event
from .metrics import StreamReport, Usage, report_on
from .recognizer import Counts
from .reference import Reference
from .tally import Tally


class Transcribes(Protocol):
    """What a Streamer does."""

    def feed(self, samples: FloatArray, *, behind_s: float = 0.0) -> list[Event]:
        """See Streamer."""

    def finish(self) -> list[Event]:
        """See Streamer."""


class StreamMeter:
    """Stands in for a streamer that starts at 0 s, and measures it.

    A recording is fed faster than it lasts. What would have happened if the sound had arrived in
    real time is worked out beside it: a call starts when all of its sound has arrived and the call
    before has ended, and its events are told when it ends::

        busy = max(busy, seconds of sound fed so far) + seconds that the call computed

    That is an event's computation-aware time; its computation-unaware one is ``audio_time``, or the
    length of the sound for what ``finish`` tells.

    What the caller feeds is what is measured: pieces of a tenth of a second are like a microphone,
    and an hour in one call is an hour that was waited for until its end.

    Memory does not grow with the stream: delays are counted (``Distribution``), and of the words
    the first ``MOST_WORDS`` are kept.

    Args:
        streamer: To be measured, from its first sound on.
        unit: What counts as a word of the text and of the reference; see ``unit_of``.
        clock: Seconds.
        cpu_clock: Seconds of processor time, of all threads of this process.
    """

    def __init__(
        self,
        streamer: Transcribes,
        *,
        unit: Unit = "word",
        clock: Callable[[], float] = time.perf_counter,
        cpu_clock: Callable[[], float] = time.process_time,
    ) -> None:
        self._streamer = streamer
        self._clock, self._cpu_clock = clock, cpu_clock
        self._tally = Tally(unit)
        self._n_samples = 0
        self._busy_s = self._compute_s = self._cpu_s = self._most_behind_s = 0.0

    @property
    def behind_s(self) -> float:
        """Sound that would wait now if it arrived in real time, in seconds.

        To be passed to ``feed`` by who wants to see the streamer save work as it would live.
        """
        return max(0.0, self._busy_s - self._fed_s)

    def feed(self, samples: FloatArray, *, behind_s: float = 0.0) -> list[Event]:
        """See Streamer."""
        return self._measure(
            lambda: self._streamer.feed(samples, behind_s=behind_s), n_samples=len(samples)
        )

    def finish(self) -> list[Event]:
        """See Streamer."""
        return self._measure(self._streamer.finish, n_samples=0, sound_is_over=True)

    def report(self, reference: Reference | None = None) -> StreamReport:
        """What was measured so far.

        Args:
            reference: What was said.

        Raises:
            MissingDependencyError: There is a reference, and jiwer is not installed.
        """
        counts = getattr(self._streamer, "counts", None)
        usage = Usage(
            sound_s=self._fed_s,
            compute_s=self._compute_s,
            cpu_s=self._cpu_s,
            most_behind_s=self._most_behind_s,
            encoded_s=counts.encoded_s if isinstance(counts, Counts) else None,
        )
        return report_on(self._tally, usage, reference)

    @property
    def _fed_s(self) -> float:
        """Sound fed so far."""
        return self._n_samples / SAMPLE_RATE

    def _measure(
        self, call: Callable[[], list[Event]], *, n_samples: int, sound_is_over: bool = False
    ) -> list[Event]:
        began, cpu_began = self._clock(), self._cpu_clock()
        events = call()
        compute_s, cpu_s = self._clock() - began, self._cpu_clock() - cpu_began
        self._n_samples += n_samples
        self._compute_s += compute_s
        self._cpu_s += cpu_s
        self._busy_s = max(self._busy_s, self._fed_s) + compute_s
        self._most_behind_s = max(self._most_behind_s, self.behind_s)
        self._tally.take(events, self._fed_s, self._busy_s, sound_is_over=sound_is_over)
        return events

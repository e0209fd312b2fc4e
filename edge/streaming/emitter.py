"""Events, with their places in the stream and the times they are told at."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ..decoding.timing import WordTiming
from ..transcription.transcript import Word
from ..types import SAMPLE_RATE
from .events import Event, EventKind


class Emitter:
    """Makes the events of one stream.

    Args:
        clock: Seconds.
        start_s: Where the sound starts in a stream that was begun before, in seconds.
    """

    def __init__(self, clock: Callable[[], float], start_s: float) -> None:
        self._clock = clock
        self._start_s = start_s
        self._began: float | None = None
        self._n_heard = 0
        self._last_end = start_s

    def begin(self) -> None:
        """Sound comes in; the first time starts the clock."""
        if self._began is None:
            self._began = self._clock()

    def hear(self, n_heard: int) -> None:
        """Learn how many samples were taken in so far."""
        self._n_heard = n_heard

    def placed(self, words: Sequence[WordTiming], start: int, *, stay: bool) -> list[Word]:
        """The words with their times in the stream, which never run back.

        Args:
            words: With times from the sample ``start``.
            start: The stream's sample.
            stay: Whether they are committed, so that all that follow come later.
        """
        offset_s = self._start_s + start / SAMPLE_RATE
        heard_s = self._start_s + self._n_heard / SAMPLE_RATE
        end, placed = self._last_end, []
        for word in words:
            begin = min(max(end, word.start + offset_s), heard_s)
            end = min(max(begin, word.end + offset_s), heard_s)
            placed.append(Word(word.word, round(begin, 3), round(end, 3), word.probability))
        if stay:
            self._last_end = end
        return placed

    def event(self, kind: EventKind, words: Sequence[Word]) -> Event:
        """An event that is told now; one without words is about the end of what is committed."""
        assert self._began is not None
        return Event(
            kind,
            text="".join(word.word for word in words),
            words=tuple(words),
            start=words[0].start if words else round(self._last_end, 3),
            end=words[-1].end if words else round(self._last_end, 3),
            audio_time=round(self._start_s + self._n_heard / SAMPLE_RATE, 3),
            emission_time=round(self._start_s + self._clock() - self._began, 3),
        )

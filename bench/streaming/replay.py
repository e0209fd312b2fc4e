"""A stream that was played before, given to the meter that measures every stream."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np

from whisperq_edge.edge.streaming.events import Event
from whisperq_edge.edge.streaming.meter import StreamMeter
from whisperq_edge.edge.streaming.metrics import StreamReport
from whisperq_edge.edge.streaming.recognizer import Counts
from whisperq_edge.edge.streaming.reference import Reference
from whisperq_edge.edge.transcription.transcript import Word
from whisperq_edge.edge.types import FloatArray

from .results import Played
from .sounds import Sound


class Replay:
    """Tells again what an engine told, in as much time as it took.

    So engines of any environment are measured by one code, in CPU time, as if the sound had
    arrived in real time at a core that nobody else uses. No word is told to start or end where
    nobody speaks: alignment knows no silence, and what an engine makes of it is not its lag.
    """

    def __init__(self, played: Played, silences: Sequence[tuple[float, float]]) -> None:
        self.counts = Counts(**played.counts)  # type: ignore[arg-type]
        self._durations = played.calls
        self._told: list[list[Event]] = [[] for _ in played.calls]
        for number, event in played.events:
            self._told[number].append(_tight(event, silences))
        self._n_calls = 0
        self._now_s = 0.0

    def feed(self, samples: FloatArray, *, behind_s: float = 0.0) -> list[Event]:
        """See Streamer."""
        return self.finish()

    def finish(self) -> list[Event]:
        """See Streamer; every call tells what it told."""
        told = self._told[self._n_calls]
        self._now_s += self._durations[self._n_calls]
        self._n_calls += 1
        return told

    def clock(self) -> float:
        """Seconds of computing so far."""
        return self._now_s


def measured(
    played: Played, sound: Sound, silences: Sequence[tuple[float, float]], n_frame: int
) -> StreamReport:
    """The figures of one stream."""
    replay = Replay(played, silences)
    meter = StreamMeter(replay, clock=replay.clock, cpu_clock=replay.clock)
    silence = np.zeros(n_frame, np.float32)
    for start in range(0, sound.n_samples, n_frame):
        meter.feed(silence[: sound.n_samples - start])
    meter.finish()
    return meter.report(Reference.of(sound.said) if sound.said else None)


def _tight(event: Event, silences: Sequence[tuple[float, float]]) -> Event:
    """The event with its words' times where a voice was heard."""
    words = tuple(_tight_word(word, silences) for word in event.words)
    if not words:
        return event
    return msgspec.structs.replace(event, words=words, start=words[0].start, end=words[-1].end)


def _tight_word(word: Word, silences: Sequence[tuple[float, float]]) -> Word:
    start, end = word.start, word.end
    for silent_from, silent_to in silences:
        if silent_from <= start < silent_to:
            start = silent_to
    for silent_from, silent_to in reversed(silences):
        if silent_from < end <= silent_to:
            end = silent_from
    return msgspec.structs.replace(word, start=start, end=max(start, end))

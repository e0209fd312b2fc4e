"""Going on with a stream that was interrupted."""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from ..transcription.transcript import Word
from ..types import FloatArray
from .events import Event
from .meter import Transcribes

SHIFT_S = 0.5  # by which the times of a word that is heard again may differ
LONGEST_AGAIN_S = 60.0  # heard again at most; who speaks longer without a pause is cut in between


class Start(NamedTuple):
    """Where a streamer takes up a stream.

    Attributes:
        at_s: In seconds from the start of the stream.
        previous_text: What was committed of the sound before that.
        known: What was committed of the sound after it.
    """

    at_s: float = 0.0
    previous_text: str = ""
    known: tuple[Word, ...] = ()


class Past(NamedTuple):
    """What is committed of a stream.

    Attributes:
        text: All of it, joined.
        end_s: Where its last word ends, in seconds from the start of the stream.
        ended_text: Of that, the utterances that ended.
        heard_s: The sound that had been taken in when the last of them ended.
        words: Those of the utterance that did not end.
    """

    text: str = ""
    end_s: float = 0.0
    ended_text: str = ""
    heard_s: float = 0.0
    words: tuple[Word, ...] = ()

    def hear_again(self) -> Start:
        """For sound that is still there: from the last pause, where a model finds its way.

        In the middle of a sentence it would hear half a word first, and often another sentence.
        """
        if self.end_s - self.heard_s > LONGEST_AGAIN_S:
            return self.go_on()
        return Start(self.heard_s, self.ended_text, self.words)

    def go_on(self) -> Start:
        """For sound that is gone: behind the last word."""
        return Start(self.end_s, self.text)


class Continuation:
    """Stands in for a streamer that hears an utterance again, and leaves out what is known of it.

    Args:
        streamer: Made for the same start.
        known: Words of the utterance that are committed, with their times.
    """

    def __init__(self, streamer: Transcribes, known: tuple[Word, ...]) -> None:
        self._streamer = streamer
        self._known = known
        self._expected = list(known)  # those that were not heard again yet
        self._new: list[Word] = []

    def feed(self, samples: FloatArray, *, behind_s: float = 0.0) -> list[Event]:
        """See Streamer."""
        return self._without_known(self._streamer.feed(samples, behind_s=behind_s))

    def finish(self) -> list[Event]:
        """See Streamer."""
        return self._without_known(self._streamer.finish())

    def _without_known(self, events: list[Event]) -> list[Event]:
        return [new for event in events if (new := self._changed(event)) is not None]

    def _changed(self, event: Event) -> Event | None:
        if not self._known:
            return event
        known_s = self._known[-1].end
        if event.kind == "endpoint":
            if event.audio_time <= known_s:
                return None
            words, self._known = [*self._known, *self._new], ()
        else:
            expected = self._expected if event.kind == "committed" else self._expected.copy()
            words = [
                msgspec.structs.replace(word, start=max(word.start, known_s))
                for word in event.words
                if not _meets(word, expected, known_s)
            ]
            if not words and event.words:
                return None
            if event.kind == "committed":
                self._new += words
        if not words:
            return event
        return msgspec.structs.replace(
            event,
            text="".join(word.word for word in words),
            words=tuple(words),
            start=words[0].start,
            end=words[-1].end,
        )


def _meets(word: Word, expected: list[Word], known_s: float) -> bool:
    """Whether a word is one of those expected, which it and those before it then no longer are."""
    texts = [known.word for known in expected]
    if word.word in texts and word.start < known_s + SHIFT_S:
        del expected[: texts.index(word.word) + 1]
        return True
    # What is read otherwise this time is known by its place, until the last known word is met.
    return bool(expected) and (word.start + word.end) / 2 <= known_s

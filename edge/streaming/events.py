"""What a stream tells: text that may change, text that stays, and where somebody stopped."""

from __future__ import annotations

from typing import Literal

import msgspec

from ..transcription.transcript import Word

EventKind = Literal["partial", "committed", "endpoint"]


class Event(msgspec.Struct, frozen=True):
    """One piece of news.

    Attributes:
        kind: "partial": all of this utterance that is not committed yet; it replaces the partial
            before it, and may be empty where nothing is left of that. "committed": what is new and
            is never taken back; all of these texts joined are the transcript. "endpoint": the
            speaker paused; the text is that of the whole utterance, committed already.
        text: As Whisper spells it, with the space before it.
        words: The words of the text, with their times in the stream.
        start: Of the text, in seconds from the start of the stream.
        end: Of the text, likewise.
        audio_time: Seconds of sound that had been taken in when this was told: the time of
            emission if computing took none.
        emission_time: Seconds by the clock from the first sound to this event.
    """

    kind: EventKind
    text: str
    words: tuple[Word, ...]
    start: float
    end: float
    audio_time: float
    emission_time: float

"""One thing that somebody said, and what is known of it."""

from __future__ import annotations

import msgspec


class TimedWord(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A word and when it was said, in seconds from the start of the recording."""

    text: str
    start_s: float
    end_s: float


class Utterance(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One recording of a set.

    Attributes:
        id: Unique in its set, the same on every machine.
        audio: Absolute path of the sound file.
        digest: sha256 of the file.
        text: What was said, as the set writes it; empty where nobody speaks.
        speaker: Who said it; the id where the set does not say.
        language: Code ("en").
        words: When each word was said, where the set knows.
    """

    id: str
    audio: str
    digest: str
    text: str
    speaker: str
    language: str = "en"
    words: tuple[TimedWord, ...] = ()


class SpeechSet(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Utterances that are judged together.

    Attributes:
        name: For people, and for a column of a table.
        utterances: In a fixed order.
    """

    name: str
    utterances: tuple[Utterance, ...]

"""Where the words of a recording are known to lie."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from whisperq_edge.edge.streaming.reference import ReferenceSegment
from whisperq_edge.edge.transcription.word_errors import split

LONGEST_WORD_S = 1.2  # a recording of one word in which more was cut out is no place of a word


class Spoken(msgspec.Struct, frozen=True):
    """A word that was said, plain; its bounds in seconds where they are known."""

    word: str
    start: float | None
    end: float | None


def spoken(segments: Iterable[ReferenceSegment]) -> tuple[Spoken, ...]:
    """The words of stretches of speech: where the first starts and the last ends is known."""
    words: list[Spoken] = []
    for segment in segments:
        texts = split(segment.text, "word")
        is_loose = len(texts) == 1 and segment.end - segment.start > LONGEST_WORD_S
        for index, text in enumerate(texts):
            start = segment.start if index == 0 and not is_loose else None
            end = segment.end if index == len(texts) - 1 and not is_loose else None
            words.append(Spoken(text, start, end))
    return tuple(words)

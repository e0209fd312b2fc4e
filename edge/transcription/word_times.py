"""Words with times for the segments of one window.

Source: openai/whisper ``whisper/timing.py``, ``add_word_timestamps``. There the segments behind a
word that two of them share may get each other's words; here a word is the first one's.
"""

from __future__ import annotations

import statistics
from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate, pairwise
from typing import NamedTuple

import msgspec

from ..decoding.punctuation import merge_punctuation
from ..decoding.timing import WordTiming
from .options import TranscriptionOptions
from .transcript import Segment, Word

SENTENCE_ENDS = ".。!！?？"  # noqa: RUF001
LONGEST_TYPICAL_S = 0.7
TOLERANCE_S = 0.5  # that a segment's own times may differ from its words' before they count


class TypicalWord(NamedTuple):
    """How long words are in a window, in seconds.

    Attributes:
        median: Of all words; 0 without any.
    """

    median: float

    @property
    def longest(self) -> float:
        """A word beside a pause that is longer has taken in some of the pause."""
        return 2 * self.median

    @classmethod
    def of(cls, timings: Sequence[WordTiming]) -> TypicalWord:
        """Measured, words without a length left out."""
        lengths = [timing.end - timing.start for timing in timings if timing.end != timing.start]
        return cls(min(LONGEST_TYPICAL_S, statistics.median(lengths)) if lengths else 0.0)


def add_words(
    segments: Sequence[Segment],
    n_tokens: Sequence[int],
    timings: Sequence[WordTiming],
    options: TranscriptionOptions,
    *,
    start_s: float,
    last_speech_s: float,
) -> list[Segment]:
    """The same segments with their words, and with times that follow from those.

    Args:
        segments: Of one window.
        n_tokens: How many tokens of text each has.
        timings: The words of all of them, from ``align_words``.
        options: Which marks go with which word.
        start_s: Of the window in the recording.
        last_speech_s: Where speech ended before the window, in the recording.
    """
    typical = TypicalWord.of(timings)
    merged = merge_punctuation(
        _without_pauses(timings, typical),
        options.prepend_punctuations,
        options.append_punctuations,
    )
    timed: list[Segment] = []
    for segment, group in zip(segments, _grouped(merged, n_tokens), strict=True):
        words = [_placed(timing, start_s) for timing in group]
        if words:
            _shorten_after_pause(words, typical, last_speech_s)
            segment = _fitted(segment, words, typical)
            last_speech_s = segment.end
        timed.append(segment)
    return timed


def _without_pauses(timings: Sequence[WordTiming], typical: TypicalWord) -> list[WordTiming]:
    """Shorten what is too long at the end of a sentence: the mark, and the word behind it."""
    shortened = list(timings[:1])
    for before, timing in pairwise(timings):
        if timing.end - timing.start > typical.longest > 0:
            if timing.word in SENTENCE_ENDS:
                timing = timing._replace(end=timing.start + typical.longest)
            elif before.word in SENTENCE_ENDS:
                timing = timing._replace(start=timing.end - typical.longest)
        shortened.append(timing)
    return shortened


def _grouped(timings: Sequence[WordTiming], n_tokens: Sequence[int]) -> list[list[WordTiming]]:
    """The words of each segment: those whose first token lies in it."""
    groups: list[list[WordTiming]] = [[] for _ in n_tokens]
    ends, n_before = list(accumulate(n_tokens)), 0
    for timing in timings:
        groups[bisect_right(ends, n_before)].append(timing)
        n_before += len(timing.tokens)
    return groups


def _placed(timing: WordTiming, start_s: float) -> Word:
    return Word(
        timing.word,
        round(start_s + timing.start, 2),
        round(start_s + timing.end, 2),
        timing.probability,
    )


def _moved(word: Word, *, start: float | None = None, end: float | None = None) -> Word:
    return msgspec.structs.replace(
        word,
        start=word.start if start is None else round(start, 2),
        end=word.end if end is None else round(end, 2),
    )


def _shorten_after_pause(words: list[Word], typical: TypicalWord, last_speech_s: float) -> None:
    """Shorten the first two words, in place, if they reach back into a pause before them."""
    first, second = words[0], words[1] if len(words) > 1 else None
    if first.end - last_speech_s <= 4 * typical.median:
        return
    too_long = first.end - first.start > typical.longest
    if second is not None:
        too_long = too_long or second.end - first.start > 2 * typical.longest
    if not too_long:
        return
    if second is not None and second.end - second.start > typical.longest:
        boundary = max(second.end / 2, second.end - typical.longest)
        first, words[1] = _moved(first, end=boundary), _moved(second, start=boundary)
    words[0] = _moved(first, start=max(0.0, first.end - typical.longest))


def _fitted(segment: Segment, words: list[Word], typical: TypicalWord) -> Segment:
    """Let the segment begin and end with its words, or those with it where they are too long."""
    start, end = segment.start, segment.end
    first = words[0]
    if first.start + TOLERANCE_S < start < first.end:
        words[0] = _moved(first, start=max(0.0, min(first.end - typical.median, start)))
    else:
        start = first.start
    last = words[-1]
    if last.start < end < last.end - TOLERANCE_S:
        words[-1] = _moved(last, end=max(last.start + typical.median, end))
    else:
        end = last.end
    return msgspec.structs.replace(segment, start=start, end=end, words=tuple(words))

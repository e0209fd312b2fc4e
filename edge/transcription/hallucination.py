"""Segments that a model has most likely made up, told by their words and the silence around them.

Source: openai/whisper ``whisper/transcribe.py``, ``hallucination_silence_threshold``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from ..decoding.punctuation import APPENDED, PREPENDED
from .transcript import Segment, Word

UNLIKELY = 0.15  # probability of a word
SHORT_S, LONG_S = 0.133, 2.0  # words beyond these are as good as never spoken
N_JUDGED = 8  # words that a segment is judged by
EDGE_S = 2.0  # what lies this near to the end of a window has little sound around it to go by
LEAST_ADVANCE_S = 1.0


class Surroundings(NamedTuple):
    """What lies around the segments of a window, in seconds from the start of the recording.

    Attributes:
        start: Of the window.
        sound_end: Where the window's sound ends.
        window_end: Where the longest window that starts here would end.
        recording_end: Where the recording ends.
        last_speech: Where speech ended before the window.
    """

    start: float
    sound_end: float
    window_end: float
    recording_end: float
    last_speech: float


class Kept(NamedTuple):
    """What is left of the segments.

    Attributes:
        segments: Those that are believed.
        resume: Where the next window has to start, in seconds; None leaves it where it was.
    """

    segments: list[Segment]
    resume: float | None = None


def skip_hallucinations(
    segments: Sequence[Segment], around: Surroundings, threshold_s: float
) -> Kept:
    """Leave out a strange segment with silence around it, and all behind it, which is read again.

    Args:
        segments: Of one window, with words.
        around: Where they lie.
        threshold_s: Silence longer than this makes a strange segment incredible.
    """
    first = _next_spoken(segments)
    if first is not None and is_strange(first) and first.start - around.start > threshold_s:
        return Kept([], first.start)
    heard_until = around.last_speech
    for index, segment in enumerate(segments):
        if not segment.words:
            continue
        if is_strange(segment):
            following = _next_spoken(segments[index + 1 :])
            next_start = following.words[0].start if following else around.sound_end
            silence_before = (
                segment.start - heard_until > threshold_s
                or segment.start < threshold_s
                or segment.start - around.start < EDGE_S
            )
            silence_after = (
                next_start - segment.end > threshold_s
                or is_strange(following)
                or around.window_end - segment.end < EDGE_S
            )
            if silence_before and silence_after:
                resume = max(around.start + LEAST_ADVANCE_S, segment.start)
                if around.recording_end - segment.end < threshold_s:
                    # The length of a recording may be an estimate; what was heard is there.
                    resume = max(around.recording_end, around.sound_end)
                return Kept(list(segments[:index]), resume)
        heard_until = segment.end
    return Kept(list(segments))


def is_strange(segment: Segment | None) -> bool:
    """Whether the first words of a segment are mostly improbable, too short or too long."""
    if segment is None:
        return False
    words = [word for word in segment.words if word.word not in PREPENDED + APPENDED][:N_JUDGED]
    score = sum(map(strangeness, words))
    return bool(segment.words) and (score >= 3 or score + 0.01 >= len(words))


def strangeness(word: Word) -> float:
    """0 for a word as they are spoken; 1 is enough to doubt it."""
    length_s = word.end - word.start
    too_short = max(0.0, SHORT_S - length_s) * 15
    too_long = max(0.0, length_s - LONG_S)
    return float(word.probability < UNLIKELY) + too_short + too_long


def _next_spoken(segments: Sequence[Segment]) -> Segment | None:
    return next((segment for segment in segments if segment.words), None)

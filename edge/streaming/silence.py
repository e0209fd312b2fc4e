"""What silence says about words."""

from __future__ import annotations

from collections.abc import Sequence

from ..decoding.timing import WordTiming


def without_silence(word: WordTiming, silences: Sequence[tuple[float, float]]) -> WordTiming:
    """A word's times without the silence at its ends.

    Alignment leaves no gap between two words: a pause belongs to one of them, and what lies before
    the first word to that.

    Args:
        word: Its times in seconds.
        silences: In seconds of the same origin, in order.
    """
    for start, end in silences:
        if start <= word.start < end < word.end:
            word = word._replace(start=end)
        if word.start < start < word.end <= end:
            word = word._replace(end=start)
    return word

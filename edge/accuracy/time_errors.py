"""How far off the times of words are."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from statistics import fmean, median

import msgspec

from .raw_words import aligned, word_key
from .utterance import TimedWord


class TimeErrors(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Absolute differences in seconds, of the words that were recognized.

    Attributes:
        n_words: How many.
        start_mean_s: Of their starts.
        start_median_s: Of their starts.
        end_mean_s: Of their ends.
        end_median_s: Of their ends.
    """

    n_words: int
    start_mean_s: float
    start_median_s: float
    end_mean_s: float
    end_median_s: float


def time_errors(
    timed: Iterable[tuple[Sequence[TimedWord], Sequence[TimedWord], str]],
) -> TimeErrors | None:
    """Compare times of words that stand for each other and are the same.

    Args:
        timed: Of each utterance, the words of the reference, those recognized, and the language.

    Returns:
        None where no word has two times.
    """
    starts: list[float] = []
    ends: list[float] = []
    for reference, found, language in timed:
        expected, heard = _keyed(reference, language), _keyed(found, language)
        keys = [key for key, _ in expected], [key for key, _ in heard]
        for one, other in aligned(*keys):
            (key, word), (heard_key, heard_word) = expected[one], heard[other]
            if key == heard_key:
                starts.append(abs(heard_word.start_s - word.start_s))
                ends.append(abs(heard_word.end_s - word.end_s))
    if not starts:
        return None
    return TimeErrors(len(starts), fmean(starts), median(starts), fmean(ends), median(ends))


def _keyed(words: Sequence[TimedWord], language: str) -> list[tuple[str, TimedWord]]:
    keyed = ((word_key(word.text.strip(), language), word) for word in words)
    return [(key, word) for key, word in keyed if key]

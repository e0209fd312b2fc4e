"""Where a buffer that is too long is cut."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from ..decoding.timing import WordTiming
from .options import BufferTrimming

SENTENCE_ENDS = tuple(".?!。？！…")  # noqa: RUF001 (what Chinese and Japanese write)
LEAST_PAUSE_S = 0.1


class Cut(NamedTuple):
    """A place in the buffer.

    Attributes:
        n_words: Committed words before it.
        at_s: Seconds from the buffer's start.
    """

    n_words: int
    at_s: float


def choose_cut(
    words: Sequence[WordTiming],
    silences: Sequence[tuple[float, float]],
    trimming: BufferTrimming,
    least_s: float,
) -> Cut | None:
    """The best place to cut after one of the committed words.

    A cut is moved into the pause beside it, where it cannot leave the end of a word behind.

    Args:
        words: All that is committed of the buffer, with times from its start.
        silences: Its silent stretches, likewise, in order.
        trimming: "sentence" cuts after the last sentence that ended, or, as long as none did, like
            "segment": in the longest pause.
        least_s: How much has to go, in seconds; where that is not committed yet, as much as is.

    Returns:
        None where nothing is committed.
    """
    cuts = [
        (_near(word.end, silences), n_words, word) for n_words, word in enumerate(words, start=1)
    ]
    if not cuts:
        return None
    enough = [cut for cut in cuts if cut[0].at_s >= least_s] or cuts[-1:]
    ended = [cut for cut in enough if cut[2].word.endswith(SENTENCE_ENDS)]
    if trimming == "sentence" and ended:
        pause, n_words, _ = ended[-1]
    else:
        # Of equal pauses the last: as much as possible leaves the buffer.
        pause, n_words, _ = max(enough, key=lambda cut: (cut[0].length_s, cut[1]))
    return Cut(n_words, pause.at_s)


class _Pause(NamedTuple):
    at_s: float
    length_s: float


def _near(end_s: float, silences: Sequence[tuple[float, float]]) -> _Pause:
    """The pause at the end of a word; of no length where the next word follows at once."""
    for start, stop in silences:
        if stop - start >= LEAST_PAUSE_S and start - 0.3 <= end_s <= stop + 0.3:
            return _Pause((start + stop) / 2, stop - start)
    return _Pause(end_s, 0.0)

"""The peer's LocalAgreement-2, over any engine that gives words with times.

Written after what whisper_streaming does (Machacek et al. 2023, arXiv 2307.14743), for an engine
that has no way to go on from words that are decided: each update transcribes the whole buffer anew,
and the decided words are recognized in it by their times and their text.

Needs nothing but the standard library: it runs in the peer's environment.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import takewhile

SLACK_S = 0.1  # a new word may start so much before the end of the last decided one
NEAR_S = 1.0  # only words that start within it can be a repetition of decided ones
LONGEST_REPETITION = 5  # words
LEAST_PAUSE_S = 0.1
NEAR_PAUSE_S = 0.3  # from the end of a word, whose time is not exact


@dataclass(frozen=True)
class Heard:
    """A word with the space before it; times in seconds from the start of the stream."""

    word: str
    start: float
    end: float
    probability: float


@dataclass
class LocalAgreement:
    """Decides the words that two hypotheses in a row begin with.

    Attributes:
        decided: In order; without those that ``forget`` dropped.
        pending: The rest of the last hypothesis.
        decided_until: The end of the last decided word, in seconds of the stream.
    """

    decided: list[Heard] = field(default_factory=list)
    pending: list[Heard] = field(default_factory=list)
    decided_until: float = 0.0

    def take(self, hypothesis: Sequence[Heard]) -> list[Heard]:
        """Learn the next hypothesis.

        Args:
            hypothesis: All words of the buffer.

        Returns:
            Those that are decided now.
        """
        fresh = self._fresh(hypothesis)
        pairs = zip(fresh, self.pending, strict=False)
        n_agreed = sum(1 for _ in takewhile(lambda pair: pair[0].word == pair[1].word, pairs))
        self.pending = fresh[n_agreed:]
        return self._decide(fresh[:n_agreed])

    def take_last(self, hypothesis: Sequence[Heard]) -> list[Heard]:
        """Learn the hypothesis that no other will follow: all of it is decided."""
        self.pending = []
        return self._decide(self._fresh(hypothesis))

    def forget(self, until_s: float) -> list[Heard]:
        """Drop the decided words that end at ``until_s`` or before, and return them."""
        dropped = [word for word in self.decided if word.end <= until_s]
        self.decided = self.decided[len(dropped) :]
        return dropped

    def _fresh(self, hypothesis: Sequence[Heard]) -> list[Heard]:
        """The words behind the decided ones, by time; then by text, as times waver."""
        fresh = [word for word in hypothesis if word.start > self.decided_until - SLACK_S]
        if fresh and fresh[0].start - self.decided_until < NEAR_S:
            for n in range(1, min(LONGEST_REPETITION, len(self.decided), len(fresh)) + 1):
                if [w.word for w in self.decided[-n:]] == [w.word for w in fresh[:n]]:
                    return fresh[n:]
        return fresh

    def _decide(self, words: list[Heard]) -> list[Heard]:
        if words:
            self.decided += words
            self.decided_until = words[-1].end
        return words


def longest_pause(
    decided: Sequence[Heard], silences: Sequence[tuple[float, float]], least_s: float
) -> float | None:
    """Where a buffer that is too long is cut: as the streamer does, see ``trimming.py``.

    Args:
        decided: The buffer's decided words.
        silences: Silent stretches, in order.
        least_s: The cut must not lie before, unless nothing behind is decided.

    Returns:
        The middle of the longest silence beside the end of a decided word, or the end itself where
        the next word follows at once; None where nothing is decided.
    """
    pauses = [_pause(word.end, silences) for word in decided]
    far_enough = [pause for pause in pauses if pause[1] >= least_s] or pauses[-1:]
    return max(far_enough)[1] if far_enough else None


def _pause(end: float, silences: Sequence[tuple[float, float]]) -> tuple[float, float]:
    """Length and place of the pause at the end of a word."""
    for start, stop in silences:
        if stop - start >= LEAST_PAUSE_S and start - NEAR_PAUSE_S <= end <= stop + NEAR_PAUSE_S:
            return stop - start, (start + stop) / 2
    return 0.0, end


def prompt_of(previous: Sequence[Heard], n_characters: int) -> str:
    """The last words of a text, as many as fit."""
    taken: list[str] = []
    n_taken = 0
    for heard in reversed(previous):
        n_taken += len(heard.word)
        if n_taken > n_characters:
            break
        taken.append(heard.word)
    return "".join(reversed(taken)).strip()


def shifted(words: Sequence[Heard], by_s: float) -> list[Heard]:
    """The words with later times."""
    return [replace(word, start=word.start + by_s, end=word.end + by_s) for word in words]

"""The utterance that is being spoken."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from ..decoding.timing import WordTiming
from ..transcription.transcript import Word
from ..types import SAMPLE_RATE
from .recognizer import Given


@dataclass
class Utterance:
    """What is known of it.

    Attributes:
        start: The stream's sample at which the buffer starts: the utterance's first, until the
            buffer is cut.
        updated: The stream's sample up to which the last update heard.
        kept: The committed words that lie in the buffer, with times from its start.
        words: All that is committed of the utterance, with times in the stream.
        partial: The text shown last that is not committed.
    """

    start: int
    updated: int
    kept: list[WordTiming] = field(default_factory=list)
    words: list[Word] = field(default_factory=list)
    partial: str = ""

    def given(self, previous: Sequence[int]) -> Given:
        """What the next hypothesis follows; ``previous`` are tokens of the text before."""
        tokens = [token for word in self.kept for token in word.tokens]
        probabilities = [word.probability for word in self.kept for _ in word.tokens]
        return Given(previous, tokens, probabilities)

    def cut(self, n_words: int, at_s: float) -> list[int]:
        """Let the buffer start later.

        Args:
            n_words: Committed words that it loses.
            at_s: Where it starts from now on, in seconds from its start so far.

        Returns:
            The tokens of those words.
        """
        lost, rest = self.kept[:n_words], self.kept[n_words:]
        self.kept = [word._replace(start=word.start - at_s, end=word.end - at_s) for word in rest]
        self.start += round(at_s * SAMPLE_RATE)
        return [token for word in lost for token in word.tokens]

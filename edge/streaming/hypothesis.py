"""What the model makes of the buffer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from ..decoding.timing import WordTiming


@dataclass(frozen=True)
class Hypothesis:
    """The words that follow those the model was given.

    Attributes:
        words: With their times from the start of the buffer.
        attended: For each word the furthest encoder position that it was read from.
        n_positions: Encoder positions that hold sound.
        is_doubtful: Whether it fails the thresholds: too unlikely, or repeating itself.
        temperature: The one that it was decoded at.
    """

    words: tuple[WordTiming, ...]
    attended: tuple[int, ...]
    n_positions: int
    is_doubtful: bool
    temperature: float

    def outside(self, silences: Sequence[tuple[float, float]]) -> Hypothesis:
        """The same without the words that lie in one of the silences, which nobody said."""
        said = [
            (word, attended)
            for word, attended in zip(self.words, self.attended, strict=True)
            if not any(start <= word.start and word.end <= end for start, end in silences)
        ]
        words = tuple(word for word, _ in said)
        return replace(self, words=words, attended=tuple(attended for _, attended in said))

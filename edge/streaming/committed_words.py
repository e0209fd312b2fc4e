"""The committed text, word by word, with the times at which it was told."""

from __future__ import annotations

from array import array

from ..transcription.word_errors import Unit, plain, split

MOST_WORDS = 100_000  # kept, about eleven hours of speech; 5 MB of text and 2 MB of times


class CommittedWords:
    """Gathers what a reference is compared with.

    The words are those of the joined text, without case and punctuation. Past ``MOST_WORDS`` they
    are only counted: half a text has no error rate.

    Args:
        unit: What counts as a word.

    Attributes:
        n: How many there were.
        words: All of them, or none if there were too many.
        unaware_s: For each the sound taken in when it was told, in seconds.
        aware_s: For each when it would have been told with the sound arriving in real time.
    """

    def __init__(self, unit: Unit) -> None:
        self.unit = unit
        self.n = 0
        self.words: list[str] = []
        self.unaware_s, self.aware_s = array("d"), array("d")
        self._is_open = False  # whether the last word goes on if no space follows

    @property
    def complete(self) -> bool:
        """Whether all words are there."""
        return self.n == len(self.words)

    def add(self, text: str, unaware_s: float, aware_s: float) -> bool:
        """Take in what is committed next.

        Args:
            text: A word as the event has it, with the space before it.
            unaware_s: When it was told, by the sound.
            aware_s: Likewise, with computing.

        Returns:
            Whether there is a word in it; punctuation is none.
        """
        stripped, pieces = plain(text), split(text, self.unit)
        if pieces and self.words and self._goes_on(stripped):
            # The whole word is there only now.
            self.words[-1] += pieces.pop(0)
            self.unaware_s[-1], self.aware_s[-1] = unaware_s, aware_s
        if stripped:
            self._is_open = not stripped[-1].isspace()
        self.n += len(pieces)
        if self.n > MOST_WORDS:
            self.words.clear()
            del self.unaware_s[:], self.aware_s[:]
        else:
            self.words += pieces
            self.unaware_s.extend([unaware_s] * len(pieces))
            self.aware_s.extend([aware_s] * len(pieces))
        return bool(stripped.strip())

    def _goes_on(self, stripped: str) -> bool:
        return self.unit == "word" and self._is_open and not stripped[0].isspace()

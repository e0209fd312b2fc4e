"""Where a text differs from what was said, word by word."""

from __future__ import annotations

from typing import Literal, NamedTuple

from ..transcription.word_errors import compare


class MarkedWord(NamedTuple):
    """A word, and whether it is right, not what was said, or was said and is not there."""

    mark: Literal["right", "wrong", "missing"]
    word: str


def marked_words(reference: str, text: str) -> list[MarkedWord]:
    """The words of a text, and those that it lacks in their places, by the fewest edits.

    Args:
        reference: What was said, normalized.
        text: What was made of it, normalized.
    """
    said, got = reference.split(), text.split()
    if not said:
        return [MarkedWord("wrong", word) for word in got]
    marked = []
    for match in compare(said, got)[1]:
        truths, words = said[slice(*match.reference)], got[slice(*match.text)]
        if not words:
            marked += [MarkedWord("missing", word) for word in truths]
            continue
        is_right = truths == words
        marked += [MarkedWord("right" if is_right else "wrong", word) for word in words]
    return marked

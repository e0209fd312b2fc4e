"""The words of a text as somebody wrote it, with capitals and punctuation, beside another's."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

from ..decoding.words import UNSPACED_LANGUAGES
from ..transcription.word_errors import compare
from .normalizer import normalizer_for

MARKS = ".,?!:;"
SAME_MARK = str.maketrans("。।、،؟؛", "..,,?;")  # beyond what Unicode itself takes for the same
ENDING_MARKS = frozenset(".?!:")  # a sentence may begin behind these
OPENING_CATEGORIES = ("Ps", "Pi")  # brackets and quotation marks; so are these:
OPENING = "\"'¿¡"
POSSESSIVE = re.compile(r"['\u2019]s?(?=\W*$)")


class RawWord(NamedTuple):
    """A word.

    Attributes:
        text: As it is written.
        key: What it is compared by, normalized.
        marks: The punctuation behind it, of ``MARKS``.
        may_start: Whether a sentence may begin with it.
    """

    text: str
    key: str
    marks: frozenset[str]
    may_start: bool

    @property
    def is_capitalized(self) -> bool:
        """Whether its first letter is a capital."""
        return next((letter for letter in self.text if letter.isalpha()), "").isupper()


def raw_words(text: str, language: str) -> list[RawWord]:
    """Split a text into words; fillers ("uh") and what is no word are left out.

    Args:
        text: As written.
        language: Code ("en"); where it writes no spaces, each letter is a word.
    """
    words: list[RawWord] = []
    may_start = True
    for token in _letters(text) if language in UNSPACED_LANGUAGES else text.split():
        marks = _marks_behind(token)
        key = word_key(token, language)
        if key:
            words.append(RawWord(token, key, marks, may_start or _opens(token)))
        elif words:  # a mark that stands alone, as in French before "!"
            words[-1] = words[-1]._replace(marks=words[-1].marks | marks)
        may_start = bool(marks & ENDING_MARKS) or (may_start and not key)
    return words


@lru_cache(maxsize=100_000)
def word_key(word: str, language: str) -> str:
    """What a word is compared by: normalized, in one piece, "Anna" for "Anna's"."""
    bare = POSSESSIVE.sub("", word) if language == "en" else word
    parts = normalizer_for(language)(bare).split()
    # In English the normalizer leaves two of the three dots of an ellipsis.
    return "_".join(part for part in parts if any(sign.isalnum() for sign in part))


def aligned(reference: Sequence[str], text: Sequence[str]) -> list[tuple[int, int]]:
    """Which words stand for each other by the fewest edits, the same ones or others.

    Args:
        reference: Keys.
        text: Keys.

    Returns:
        Indices into both lists, in order; missing and inserted words are in no pair.

    Raises:
        MissingDependencyError: jiwer is not installed.
    """
    if not reference or not text:
        return []
    _, matches = compare(reference, text)
    return [
        pair
        for match in matches
        for pair in zip(range(*match.reference), range(*match.text), strict=False)
    ]


def _marks_behind(token: str) -> frozenset[str]:
    last = max((index for index, sign in enumerate(token) if sign.isalnum()), default=-1)
    behind = unicodedata.normalize("NFKC", token[last + 1 :])  # full-width marks, three dots in one
    return frozenset(behind.translate(SAME_MARK)) & frozenset(MARKS)


def _opens(token: str) -> bool:
    return token[0] in OPENING or unicodedata.category(token[0]) in OPENING_CATEGORIES


def _letters(text: str) -> list[str]:
    """Letters with the vowel signs and the punctuation that follow each."""
    letters: list[str] = []
    for sign in "".join(text.split()):
        if letters and unicodedata.category(sign)[0] not in "LN":
            letters[-1] += sign
        else:
            letters.append(sign)
    return letters

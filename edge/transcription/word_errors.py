"""Word error rate, and character error rate for languages without spaces."""

from __future__ import annotations

import re
from collections.abc import Sequence
from types import ModuleType
from typing import Literal

import msgspec

from ..decoding.words import UNSPACED_LANGUAGES
from ..errors import MissingDependencyError

Unit = Literal["word", "char"]


class WordErrors(msgspec.Struct, frozen=True):
    """What a text has otherwise than its reference, by the fewest edits.

    Attributes:
        rate: Edits per word of the reference; above 1 where there are more edits than words.
        n_reference: Words of the reference.
        substitutions: Words that are others.
        insertions: Words too many.
        deletions: Words that are missing.
    """

    rate: float
    n_reference: int
    substitutions: int
    insertions: int
    deletions: int


class Match(msgspec.Struct, frozen=True):
    """A stretch of the reference and what stands for it; either may be empty.

    Attributes:
        reference: From where to where in the reference's words.
        text: From where to where in the text's.
    """

    reference: tuple[int, int]
    text: tuple[int, int]


def word_error_rate(truths: Sequence[str], texts: Sequence[str]) -> float:
    """Substituted, deleted and inserted words per word of the truth, over all texts together.

    Case and punctuation do not count.

    Args:
        truths: What was said; at least one word in each.
        texts: What was recognized.

    Raises:
        MissingDependencyError: jiwer is not installed.
    """
    rate: float = load_jiwer().wer(
        [plain(text) for text in truths], [plain(text) for text in texts]
    )
    return rate


def compare(reference: Sequence[str], text: Sequence[str]) -> tuple[WordErrors, list[Match]]:
    """Align two lists of words by the fewest edits.

    Args:
        reference: At least one word, plain.
        text: Any number of them.

    Returns:
        The errors, and the stretches in order: together they are all of both lists. Within one,
        words stand for each other one by one.

    Raises:
        MissingDependencyError: jiwer is not installed.
    """
    found = load_jiwer().process_words([" ".join(reference)], [" ".join(text)])
    n_edits = (found.substitutions, found.insertions, found.deletions)
    errors = WordErrors(sum(n_edits) / len(reference), len(reference), *n_edits)
    matches = [
        Match((chunk.ref_start_idx, chunk.ref_end_idx), (chunk.hyp_start_idx, chunk.hyp_end_idx))
        for chunk in found.alignments[0]
    ]
    return errors, matches


def plain(text: str) -> str:
    """The text without case and punctuation; its spaces stay."""
    # jiwer has transformations for this, which look through the whole of Unicode on each call.
    return re.sub(r"[^\w\s']", "", text.lower())


def split(text: str, unit: Unit) -> list[str]:
    """The plain words of a text, or its plain characters without the spaces."""
    words = plain(text).split()
    return words if unit == "word" else list("".join(words))


def unit_of(language: str) -> Unit:
    """What errors and delays are counted in: words, or characters where nobody writes spaces.

    Args:
        language: Code ("en").
    """
    return "char" if language in UNSPACED_LANGUAGES else "word"


def load_jiwer() -> ModuleType:
    """The library; to be asked for before an hour of sound is transcribed in vain.

    Raises:
        MissingDependencyError: It is not installed.
    """
    try:
        import jiwer
    except ModuleNotFoundError:
        raise MissingDependencyError("jiwer", "verify", "measuring word error rates") from None
    module: ModuleType = jiwer
    return module

"""Whisper's text normalizers, which decide what counts as the same word."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable
from functools import cache
from typing import Any

from ..decoding.words import UNSPACED_LANGUAGES
from ..errors import MissingDependencyError

# whisper-normalizer rewrites these words; openai/whisper, by which papers count, does not. It makes
# "because" of every "cause" ("the cause of it"), so that taking one for the other is no error.
ADDED_RULES = (r"\bkinda\b", r"\bsorta\b", r"\bdunno\b", r"\bcause\b")

# Python turns no more than 4300 digits into a number, and the normalizer fails on more: a loop of
# digits is parted, so that one made-up text does not end the judging of a whole set.
TOO_MANY_DIGITS = re.compile(r"((?:\d,?){4000})(?=\d)")


@cache
def normalizer_for(language: str) -> Callable[[str], str]:
    r"""The function that brings a text into the form in which it is compared.

    English: numbers in digits, American spelling, contractions in full, no fillers ("uh"). Others:
    lower case, symbols out. Both leave out what stands in brackets. Where a language writes no
    spaces, each letter becomes a word, so that the word error rate is one of letters.

    Symbols include the marks of Unicode, which are vowels in Devanagari and its relatives: their
    words fall apart. It is what published error rates of Whisper are counted by, so it stays.

    Args:
        language: Code ("en").

    Returns:
        From a text to its words with single spaces between, and none at the ends.

    Raises:
        MissingDependencyError: whisper-normalizer is not installed.

    Source:
        openai/whisper ``whisper/normalizers``; Radford et al., arXiv 2212.04356, appendix C.
    """
    english, basic = _load()
    if language == "en":
        normalize = english.EnglishTextNormalizer()
        for rule in ADDED_RULES:
            normalize.replacers.pop(rule, None)  # None: an older version has not got it
    else:
        normalize = basic.BasicTextNormalizer(split_letters=language in UNSPACED_LANGUAGES)

    def normalized(text: str) -> str:
        return " ".join(str(normalize(TOO_MANY_DIGITS.sub(r"\1 ", text))).split())

    return normalized


def _load() -> tuple[Any, Any]:
    with warnings.catch_warnings():
        # A docstring of the library's has "\X" in it, which Python warns of when it compiles it.
        warnings.simplefilter("ignore")
        try:
            from whisper_normalizer import basic, english
        except ModuleNotFoundError:
            raise MissingDependencyError(
                "whisper-normalizer", "evaluate", "comparing texts as Whisper's papers do"
            ) from None
    return english, basic

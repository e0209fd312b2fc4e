"""Which tokens make up which word."""

from __future__ import annotations

import string
from collections.abc import Sequence
from typing import NamedTuple

from .tokens import Tokenizer

UNSPACED_LANGUAGES = frozenset({"zh", "ja", "th", "lo", "my", "yue"})
REPLACEMENT = "\ufffd"  # what bytes that are no character decode to


class WordTokens(NamedTuple):
    """A word, with the space before it, and its ids."""

    word: str
    tokens: tuple[int, ...]


def split_words(tokens: Sequence[int], tokenizer: Tokenizer, language: str) -> list[WordTokens]:
    """Split a text into words, as openai/whisper's tokenizer does.

    Args:
        tokens: The text, without timestamps.
        tokenizer: Of the same checkpoint.
        language: Where it writes no spaces, every character or group of them is a word.

    Returns:
        All tokens in order; punctuation is a word of its own.
    """
    pieces = _characters(tokens, tokenizer)
    if language in UNSPACED_LANGUAGES:
        return pieces
    words: list[WordTokens] = []
    for piece in pieces:
        if words and not _starts_word(piece.word):
            word, before = words[-1]
            words[-1] = WordTokens(word + piece.word, before + piece.tokens)
        else:
            words.append(piece)
    return words


def _starts_word(text: str) -> bool:
    return text.startswith(" ") or text.strip() in string.punctuation


def _characters(tokens: Sequence[int], tokenizer: Tokenizer) -> list[WordTokens]:
    """The smallest groups of tokens that spell whole characters."""
    pieces: list[WordTokens] = []
    rest = tokenizer.decode(tokens)
    start = 0
    for end in range(1, len(tokens) + 1):
        text = tokenizer.decode(tokens[start:end])
        # A character may be spread over tokens; but bytes of none at all do not wait for the end.
        if REPLACEMENT in text and text + tokenizer.decode(tokens[end:]) != rest:
            continue
        pieces.append(WordTokens(text, tuple(tokens[start:end])))
        rest = rest[len(text) :]
        start = end
    return pieces

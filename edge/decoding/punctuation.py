"""Punctuation marks, which take no time of their own and belong to the word beside them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .timing import WordTiming

PREPENDED = "\"'“¿([{-"  # go with the word behind them
APPENDED = "\"'.。,，!！?？:：”)]}、"  # noqa: RUF001  # go with the word before them


def merge_punctuation(
    words: Sequence[WordTiming], prepended: str = PREPENDED, appended: str = APPENDED
) -> list[WordTiming]:
    """Join punctuation that stands alone with a word; times and probability stay the word's.

    Args:
        words: In order.
        prepended: Marks that go with the word behind them, where a space stands before them.
        appended: Marks that go with the word before them, where no space lies between.
    """
    backwards: list[WordTiming] = []
    for word in reversed(words):
        if backwards and word.word.startswith(" ") and word.word.strip() in prepended:
            backwards[-1] = _joined(word, backwards[-1], like=backwards[-1])
        else:
            backwards.append(word)

    merged: list[WordTiming] = []
    for word in reversed(backwards):
        if merged and word.word in appended and not merged[-1].word.endswith(" "):
            merged[-1] = _joined(merged[-1], word, like=merged[-1])
        else:
            merged.append(word)
    return merged


def _joined(first: WordTiming, second: WordTiming, like: WordTiming) -> WordTiming:
    return like._replace(word=first.word + second.word, tokens=first.tokens + second.tokens)

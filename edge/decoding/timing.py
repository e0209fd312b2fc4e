"""When each word was said, from where the alignment heads looked while it was written.

Source: openai/whisper ``whisper/timing.py``.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate, pairwise
from typing import NamedTuple

import numpy as np

from ..types import POSITIONS_PER_SECOND, FloatArray
from .dtw import row_starts
from .punctuation import merge_punctuation
from .tokens import Tokenizer
from .words import split_words

FILTER_WIDTH = 7  # positions


class WordTiming(NamedTuple):
    """One word in a window.

    Attributes:
        word: With the space before it and the punctuation around it.
        tokens: Its ids.
        start: In seconds from the start of the window.
        end: Likewise.
        probability: Mean probability of its tokens, those of the punctuation around it left out.
    """

    word: str
    tokens: tuple[int, ...]
    start: float
    end: float
    probability: float


def word_timings(
    attention: FloatArray,
    tokens: Sequence[int],
    probabilities: Sequence[float],
    tokenizer: Tokenizer,
    language: str,
    *,
    n_prompt: int = 0,
) -> list[WordTiming]:
    """Align the words of a text with the sound, and join punctuation with the word beside it.

    See ``align_words`` for the arguments.
    """
    return merge_punctuation(
        align_words(attention, tokens, probabilities, tokenizer, language, n_prompt=n_prompt)
    )


def align_words(
    attention: FloatArray,
    tokens: Sequence[int],
    probabilities: Sequence[float],
    tokenizer: Tokenizer,
    language: str,
    *,
    n_prompt: int = 0,
) -> list[WordTiming]:
    """Align the words of a text with the sound.

    Args:
        attention: Cross-attention of the alignment heads, shape (n_heads, n_rows, n_positions);
            only the positions that hold sound. Row ``n_prompt + i`` is what predicted token ``i``,
            the row behind the last of them what predicted the end of the text. The rows before and
            behind those have no word, but count for the scale of the others.
        tokens: The text, without timestamps.
        probabilities: Of each token.
        tokenizer: Of the same checkpoint.
        language: Some are split into words otherwise.
        n_prompt: Rows before those of the text.

    Returns:
        The words in order, all tokens in them; punctuation is a word of its own.
    """
    if not tokens:
        return []
    rows = alignment_matrix(attention)[n_prompt : n_prompt + len(tokens) + 1]
    times = (row_starts(-rows) / POSITIONS_PER_SECOND).tolist()
    words = split_words(tokens, tokenizer, language)
    bounds = accumulate((len(word.tokens) for word in words), initial=0)
    return [
        WordTiming(
            word.word,
            word.tokens,
            times[first],
            times[end],
            float(np.mean(probabilities[first:end])),
        )
        for word, (first, end) in zip(words, pairwise(bounds), strict=True)
    ]


def alignment_matrix(attention: FloatArray) -> FloatArray:
    """How much each row looked at each position, beside what the other rows did there.

    Args:
        attention: See ``align_words``; what was cut off its rows may be missing from their sums.

    Returns:
        Shape (n_rows, n_positions): standardized over the rows, smoothed over the positions and
        averaged over the heads.
    """
    # Head by head, so that what is computed stays near the processor.
    matrix: FloatArray = np.mean([_head_matrix(head) for head in attention], axis=0)
    return matrix


def _head_matrix(attention: FloatArray) -> FloatArray:
    tiny = np.finfo(np.float32).tiny
    shares = attention / np.maximum(attention.sum(axis=-1, keepdims=True), tiny)
    spread = shares.std(axis=0)
    # Where all rows agree, the position says nothing about any of them.
    scaled = (shares - shares.mean(axis=0)) / np.where(spread > 0, spread, 1)
    return median_filter(scaled, FILTER_WIDTH)


def median_filter(values: FloatArray, width: int) -> FloatArray:
    """The median of each value and its neighbours along the last axis, mirrored at the ends.

    Args:
        values: Any shape; returned as they are where the last axis has no room for the mirror.
        width: How many values each median is of; odd.
    """
    n_beside, n_values = width // 2, values.shape[-1]
    if n_values <= n_beside:
        return values
    padding = [(0, 0)] * (values.ndim - 1) + [(n_beside, n_beside)]
    padded = np.pad(values, padding, mode="reflect")
    neighbours = [padded[..., shift : shift + n_values] for shift in range(width)]
    # Of one more than half of all, the largest and the smallest are never the median. Whole arrays
    # are compared at once, which is several times faster than sorting a few values very often.
    kept = neighbours[: n_beside + 1]
    for neighbour in neighbours[n_beside + 1 :]:
        kept = _without_extremes([*kept, neighbour])
    return kept[0]


def _without_extremes(arrays: list[FloatArray]) -> list[FloatArray]:
    """One array less at each end, element by element; their order does not matter."""
    largest, *others = arrays
    for index, other in enumerate(others):
        others[index], largest = np.minimum(largest, other), np.maximum(largest, other)
    smallest, *others = others
    for index, other in enumerate(others):
        others[index], smallest = np.maximum(smallest, other), np.minimum(smallest, other)
    return others

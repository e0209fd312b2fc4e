"""When each word was said, from where the alignment heads looked while it was written.

Source: openai/whisper ``whisper/timing.py``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from ..types import FloatArray
from .tokens import Tokenizer


class WordTiming(NamedTuple):
    """One word in a window.

    Attributes:
        word: With the space before it and the punctuation around it.
        tokens: Its ids.
        start: In seconds from the start of the window.
        end: Likewise.
        probability: Mean probability of its tokens.
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
) -> list[WordTiming]:
    """Align the words of a text with the sound.

    Args:
        attention: Cross-attention of the alignment heads, shape (n_heads, n_tokens + 1,
            n_positions): row ``i`` is what predicted token ``i``, the last row what predicted the
            end of the text; only the positions that hold sound.
        tokens: The text, without timestamps.
        probabilities: Of each token.
        tokenizer: Of the same checkpoint.
        language: Some are split into words otherwise.

    Returns:
        The words in order, all tokens in them; punctuation belongs to the word beside it.
    """
    raise NotImplementedError

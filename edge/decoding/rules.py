"""Rules that forbid tokens, by setting their logits to minus infinity in place.

Source: openai/whisper ``whisper/decoding.py``, the ``LogitFilter`` classes.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence

import numpy as np

from ..errors import ConfigError
from ..types import FloatArray
from .tokens import Tokenizer

_FORBIDDEN = np.float32(-np.inf)
DEFAULT_TOKENS = -1  # among the tokens to suppress, stands for the checkpoint's own list


class LogitRule(ABC):
    """Forbids tokens at one step."""

    @abstractmethod
    def apply(self, logits: FloatArray, sampled: Sequence[Sequence[int]]) -> None:
        """Forbid in place.

        Args:
            logits: Shape (n_hypotheses, n_vocab).
            sampled: The tokens after the prompt, of each hypothesis; all of one length.
        """


class SuppressTokens(LogitRule):
    """Forbids the same tokens at every step."""

    def __init__(self, tokens: Iterable[int]) -> None:
        self._tokens = np.array(sorted(set(tokens)), np.intp)

    def apply(self, logits: FloatArray, sampled: Sequence[Sequence[int]]) -> None:
        """See LogitRule."""
        logits[:, self._tokens] = _FORBIDDEN


class SuppressBlank(SuppressTokens):
    """Forbids tokens at the first step: a space, and mostly the end of the text."""

    def apply(self, logits: FloatArray, sampled: Sequence[Sequence[int]]) -> None:
        """See LogitRule."""
        if not sampled[0]:
            super().apply(logits, sampled)


class TimestampRules(LogitRule):
    """Makes timestamps come first, in pairs, in order, and wherever they are likelier than text.

    Args:
        tokenizer: Says which tokens are timestamps.
        latest_first: The latest that the first timestamp may be, in steps of 20 ms.
    """

    def __init__(self, tokenizer: Tokenizer, latest_first: int) -> None:
        self._eot = tokenizer.eot
        self._begin, self._end = tokenizer.timestamp_begin, tokenizer.timestamp_end
        self._is_time = tokenizer.is_time
        self._latest_first = latest_first

    def apply(self, logits: FloatArray, sampled: Sequence[Sequence[int]]) -> None:
        """See LogitRule."""
        for row, tokens in zip(logits, sampled, strict=True):
            if tokens:
                self._continue(row, tokens)
            else:
                row[: self._begin] = _FORBIDDEN
                row[self._begin + self._latest_first + 1 :] = _FORBIDDEN

    def _continue(self, row: FloatArray, tokens: Sequence[int]) -> None:
        # A fine-tune's own tokens lie behind the timestamps.
        text, timestamps, added = np.split(row, [self._begin, self._end])
        after_timestamp = self._is_time(tokens[-1])
        after_pair = after_timestamp and (len(tokens) < 2 or self._is_time(tokens[-2]))
        if after_pair:  # the next segment must begin with text
            timestamps[:] = _FORBIDDEN
            return
        if after_timestamp:  # a segment ended: another one starts, or the text is over
            text[: self._eot] = added[:] = _FORBIDDEN
        last = next((token for token in reversed(tokens) if self._is_time(token)), None)
        if last is not None:
            # The next segment may start where the last one ended, but none may be empty.
            earliest = last - self._begin + (0 if after_timestamp else 1)
            timestamps[:earliest] = _FORBIDDEN
        if _outweighs(timestamps, float(max(text.max(), added.max(initial=-np.inf)))):
            text[:] = added[:] = _FORBIDDEN


def _outweighs(timestamps: FloatArray, best_text: float) -> bool:
    """Whether all timestamps together are likelier than the best other token.

    The softmax's denominator would cancel, so it is never computed, and in most steps the best
    timestamp alone decides: the sum of n exponentials is at most n times the largest.
    """
    best = float(timestamps.max(initial=-np.inf))
    if best > best_text:
        return True
    if best == -math.inf or best + math.log(len(timestamps)) <= best_text:
        return False
    return best + math.log(float(np.exp(timestamps - np.float32(best)).sum())) > best_text


def suppressed_tokens(
    wanted: Sequence[int], default: Iterable[int], tokenizer: Tokenizer, n_vocab: int
) -> set[int]:
    """The tokens that may never be chosen.

    Args:
        wanted: Ids, or -1 for the checkpoint's list.
        default: That list.
        tokenizer: Its control tokens are always among them, and so are ids without a meaning; the
            end of the text never.
        n_vocab: The size of the vocabulary.

    Raises:
        ConfigError: An id is not in the vocabulary.
    """
    tokens = {token for token in wanted if token != DEFAULT_TOKENS}
    if outside := sorted(token for token in tokens if not 0 <= token < n_vocab):
        raise ConfigError(
            f"suppress_tokens: {outside[0]} is not a token; give 0 to {n_vocab - 1}, "
            f"or {DEFAULT_TOKENS} for the model's own list"
        )
    if DEFAULT_TOKENS in wanted:
        tokens.update(default)
    tokens.update(tokenizer.control_tokens, range(tokenizer.n_tokens, n_vocab))
    return {token for token in tokens if token != tokenizer.eot and token < n_vocab}

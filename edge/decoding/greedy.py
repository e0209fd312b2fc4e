"""The likeliest token at every step."""

from __future__ import annotations

import numpy as np

from ..types import FloatArray
from .search import Candidate, Choice, Search
from .softmax import Normalizer


class GreedySearch(Search):
    """Follows one hypothesis.

    Args:
        eot: The token that ends the text.
        normalizer: For the log probability.
    """

    def __init__(self, eot: int, normalizer: Normalizer) -> None:
        self.sampled = [[]]
        self._eot = eot
        self._normalizer = normalizer
        self._logprobs: list[float] = []
        self._ended = False

    def choose(self, logits: FloatArray) -> Choice | None:
        """See Search."""
        row = logits[0]
        token = int(row.argmax())
        logit = float(row[token])
        self._logprobs.append(logit - self._normalizer.log_sum_exp(row, highest=logit))
        if token == self._eot:
            self._ended = True
            return None
        self.sampled[0].append(token)
        return Choice(np.array([[token]], np.int64))

    def candidates(self) -> list[Candidate]:
        """See Search."""
        return [Candidate(tuple(self.sampled[0]), tuple(self._logprobs), self._ended)]

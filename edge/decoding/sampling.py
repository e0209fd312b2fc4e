"""Tokens drawn at random, by their probability at a temperature."""

from __future__ import annotations

import numpy as np

from ..types import FloatArray
from .search import Candidate, Choice, Search
from .softmax import Normalizer


class SamplingSearch(Search):
    """Draws several texts side by side; the likeliest is taken in the end.

    Args:
        eot: The token that ends the text.
        normalizer: For the probabilities.
        temperature: Divides the logits before the draw; above 0.
        n_texts: How many texts are drawn ("best of").
        generator: The source of chance; seed it to repeat a run.
    """

    def __init__(
        self,
        eot: int,
        normalizer: Normalizer,
        temperature: float,
        n_texts: int,
        generator: np.random.Generator,
    ) -> None:
        self.n_start = n_texts
        self.sampled = [[] for _ in range(n_texts)]
        self._eot = eot
        self._normalizer = normalizer
        self._temperature = temperature
        self._generator = generator
        self._logprobs: list[list[float]] = [[] for _ in range(n_texts)]
        self._ended = [False] * n_texts

    def choose(self, logits: FloatArray) -> Choice | None:
        """See Search; a text that has ended goes along until the last one has."""
        tokens = np.full((len(logits), 1), self._eot, np.int64)
        for index, row in enumerate(logits):
            if self._ended[index]:
                continue
            token = self._draw(row)
            self._logprobs[index].append(float(row[token]) - self._normalizer.log_sum_exp(row))
            if token == self._eot:
                self._ended[index] = True
            else:
                self.sampled[index].append(token)
                tokens[index] = token
        return None if all(self._ended) else Choice(tokens)

    def candidates(self) -> list[Candidate]:
        """See Search."""
        texts = zip(self.sampled, self._logprobs, self._ended, strict=True)
        return [Candidate(tuple(tokens), tuple(each), ended) for tokens, each, ended in texts]

    def _draw(self, row: FloatArray) -> int:
        weights = self._normalizer.weights(row, float(row.max()), self._temperature)
        limits = np.cumsum(weights, dtype=np.float64)
        # Strictly below the total, and to the right of equals: never a token of weight 0.
        point = min(self._generator.random() * limits[-1], np.nextafter(limits[-1], 0))
        return int(np.searchsorted(limits, point, side="right"))

"""Beam search: the likeliest few hypotheses go on together.

Source: openai/whisper ``whisper/decoding.py``, ``BeamSearchDecoder``; patience from Kasai et al.
2022 (arXiv 2204.05424).
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from ..types import FloatArray
from .search import Candidate, Choice, Search
from .softmax import Normalizer


class BeamSearch(Search):
    """Keeps ``beam_size`` hypotheses and stops once enough of them have ended.

    Args:
        eot: The token that ends the text.
        normalizer: For the log probabilities.
        beam_size: Hypotheses that go on after every step.
        patience: ``beam_size * patience`` texts have to end.
    """

    def __init__(
        self, eot: int, normalizer: Normalizer, beam_size: int, patience: float | None = None
    ) -> None:
        self.sampled = [[]]
        self._eot = eot
        self._normalizer = normalizer
        self._beam_size = beam_size
        self._n_wanted = round(beam_size * (patience or 1.0))
        self._logprobs: list[list[float]] = [[]]
        self._finished: list[Candidate] = []

    def choose(self, logits: FloatArray) -> Choice | None:
        """See Search; logits are used up."""
        sums = [sum(each) for each in self._logprobs]
        continuations = [
            (total + logprob, source, token, logprob)
            for source, (row, total) in enumerate(zip(logits, sums, strict=True))
            for token, logprob in self._likeliest(row)
        ]
        continuations.sort(key=lambda continuation: -continuation[0])

        sources: list[int] = []
        tokens: list[int] = []
        logprobs: list[list[float]] = []
        for _, source, token, logprob in continuations:
            every = [*self._logprobs[source], logprob]
            if token == self._eot:
                if len(self._finished) < self._n_wanted:
                    self._finished.append(
                        Candidate(tuple(self.sampled[source]), tuple(every), True)
                    )
                continue
            logprobs.append(every)
            sources.append(source)
            tokens.append(token)
            if len(tokens) == self._beam_size:
                break

        self.sampled = [
            [*self.sampled[source], token] for source, token in zip(sources, tokens, strict=True)
        ]
        self._logprobs = logprobs
        if len(self._finished) >= self._n_wanted or not tokens:
            return None
        moved = sources != list(range(len(logits)))
        return Choice(
            np.array(tokens, np.int64)[:, None], np.array(sources, np.int64) if moved else None
        )

    def candidates(self) -> list[Candidate]:
        """See Search; where too few texts ended, the likeliest unfinished ones make up for it."""
        unfinished = [
            Candidate(tuple(tokens), tuple(each), False)
            for tokens, each in zip(self.sampled, self._logprobs, strict=True)
        ]
        unfinished.sort(key=lambda candidate: -candidate.sum_logprob)
        n_missing = max(0, self._beam_size - len(self._finished))
        return self._finished + unfinished[:n_missing]

    def _likeliest(self, row: FloatArray) -> Iterator[tuple[int, float]]:
        """The ``beam_size + 1`` likeliest tokens: enough even if one of them ends the text.

        Searching the row that often is 20 times faster than NumPy's partition.
        """
        log_sum_exp = self._normalizer.log_sum_exp(row)
        for _ in range(self._beam_size + 1):
            token = int(row.argmax())
            logit = float(row[token])
            if logit == -math.inf:
                return
            row[token] = -np.inf
            yield token, logit - log_sum_exp

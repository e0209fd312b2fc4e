"""Probabilities from logits, without an array per call: a token costs only a few milliseconds."""

from __future__ import annotations

import math

import numpy as np

from ..errors import InferenceError
from ..types import FloatArray


class Normalizer:
    """Computes the softmax's denominator in memory that is allocated once.

    Args:
        n_vocab: Length of the rows of logits.
    """

    def __init__(self, n_vocab: int) -> None:
        self._scratch: FloatArray = np.empty(n_vocab, np.float32)

    def log_sum_exp(self, logits: FloatArray) -> float:
        """The logarithm of the sum of the exponentials of one row, which stays as it is.

        Raises:
            InferenceError: The row holds NaN or infinity, or nothing but minus infinity.
        """
        highest = float(logits.max())
        return highest + math.log(float(self.weights(logits, highest).sum()))

    def weights(self, logits: FloatArray, highest: float, temperature: float = 1.0) -> FloatArray:
        """``exp((logits - highest) / temperature)``, valid until the next call.

        Raises:
            InferenceError: ``highest`` is not a finite number.
        """
        if not math.isfinite(highest):
            raise InferenceError(
                "the decoder's logits are not finite; check the artifact with: whisperq-edge verify"
            )
        scratch = self._scratch[: len(logits)]
        np.subtract(logits, np.float32(highest), out=scratch)
        if temperature != 1.0:
            scratch /= np.float32(temperature)
        return np.exp(scratch, out=scratch)

    def probability(self, logits: FloatArray, token: int) -> float:
        """The softmax of one row at ``token``."""
        return math.exp(float(logits[token]) - self.log_sum_exp(logits))

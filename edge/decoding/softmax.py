"""Probabilities from logits, without an array per call: a token costs only a few milliseconds."""

from __future__ import annotations

import math

import numpy as np

from ..errors import InferenceError
from ..types import FloatArray

_PIECE = 8192  # logits; 32 KiB


class Normalizer:
    """Computes the softmax's denominator in memory that is allocated once.

    Args:
        n_vocab: Length of the rows of logits.
    """

    def __init__(self, n_vocab: int) -> None:
        self._scratch: FloatArray = np.empty(n_vocab, np.float32)

    def log_sum_exp(self, logits: FloatArray, highest: float | None = None) -> float:
        """The logarithm of the sum of the exponentials of one row, which stays as it is.

        Args:
            logits: Shape (n_vocab,).
            highest: The largest of them, where it is known already.

        Raises:
            InferenceError: The row holds NaN or infinity, or nothing but minus infinity.
        """
        if highest is None:
            highest = float(logits.max())
        # Piece by piece, so that what is computed stays in the nearest cache: after a decoder step
        # has swept all its weights through the farther ones, this takes half the time.
        pieces = range(0, len(logits), _PIECE)
        total = sum(
            float(self.weights(logits[start : start + _PIECE], highest).sum()) for start in pieces
        )
        return highest + math.log(total)

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

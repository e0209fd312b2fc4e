"""What a precision costs, in logits: the artifact reads the text that the checkpoint wrote."""

from __future__ import annotations

import numpy as np

from ..parity import Loss
from ..types import FloatArray

# Logits as close as odds of 1.1 to 1 are no choice. In a trained model that is one place in a
# hundred; in a random one, one in ten.
NEAR_TIE = 0.1


class LossMeter:
    """Sums over the places of all texts."""

    def __init__(self) -> None:
        self._error = self._energy = self._divergence = 0.0
        self._n_tokens = self._n_same = self._n_ties = 0

    def add(self, ours: FloatArray, checkpoint: FloatArray) -> None:
        """Add the logits of one text.

        Args:
            ours: Of what is judged: (n_places, n_vocab).
            checkpoint: Of the unquantized checkpoint: the same shape.
        """
        self._error += float(np.square(ours - checkpoint, dtype=np.float64).sum())
        self._energy += float(np.square(checkpoint, dtype=np.float64).sum())
        log_p, log_q = _log_softmax(checkpoint), _log_softmax(ours)
        self._divergence += float((np.exp(log_p) * (log_p - log_q)).sum())
        rows, chosen = np.arange(len(ours)), ours.argmax(1)
        behind = checkpoint.max(1) - checkpoint[rows, chosen]
        same = chosen == checkpoint.argmax(1)
        self._n_tokens += len(ours)
        self._n_same += int(same.sum())
        self._n_ties += int((~same & (behind <= NEAR_TIE)).sum())

    def result(self) -> Loss:
        """Of all texts together."""
        return Loss(
            relative_error=(self._error / self._energy) ** 0.5,
            divergence=self._divergence / self._n_tokens,
            token_agreement=self._n_same / self._n_tokens,
            near_ties=self._n_ties / self._n_tokens,
            n_tokens=self._n_tokens,
        )


def _log_softmax(logits: FloatArray) -> FloatArray:
    shifted = logits - logits.max(1, keepdims=True)
    result: FloatArray = shifted - np.log(np.exp(shifted).sum(1, keepdims=True))
    return result

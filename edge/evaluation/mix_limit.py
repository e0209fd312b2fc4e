"""What a mixture of precisions has to keep."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ..parity import CurvePoint

ROUND_OFF = 1e-9  # a rate is a quotient, and a rise the difference of two


@dataclass(frozen=True)
class MixLimit:
    """One limit; where none is given, those of ``--precision auto``.

    Attributes:
        max_wer: The most words wrong, as a share.
        wer_increase: The most more than the checkpoint in floats gets wrong.
        max_loss: The largest divergence from it, in nats.
    """

    max_wer: float | None = None
    wer_increase: float | None = None
    max_loss: float | None = None

    @property
    def is_given(self) -> bool:
        """Whether there is one."""
        return self != MixLimit()

    def __str__(self) -> str:
        """In words."""
        if self.max_wer is not None:
            return f"a word error rate of {self.max_wer:g}"
        if self.wer_increase is not None:
            return f"a rise of the word error rate by {self.wer_increase:g}"
        if self.max_loss is not None:
            return f"a divergence of {self.max_loss:g}"
        return "the limits of --precision auto"

    def passes(self, wer_reference: float) -> Callable[[CurvePoint], bool]:
        """Whether a point keeps it.

        Args:
            wer_reference: Of the checkpoint in floats, on the same recordings.
        """
        most_wer = self.max_wer
        if self.wer_increase is not None:
            most_wer = wer_reference + self.wer_increase
        if most_wer is not None:
            highest = most_wer + ROUND_OFF
            return lambda point: point.wer <= highest
        if self.max_loss is not None:
            largest = self.max_loss
            return lambda point: point.divergence <= largest
        return lambda point: point.passed

"""What decides that a word stays."""

from __future__ import annotations

from abc import ABC, abstractmethod

from .hypothesis import Hypothesis


class Policy(ABC):
    """Judges one hypothesis of a growing buffer after the other."""

    @abstractmethod
    def agreed(self, hypothesis: Hypothesis) -> int:
        """How many of the hypothesis's first words are sure enough to stay.

        The caller commits exactly those: the next hypothesis follows them.
        """

    @abstractmethod
    def reset(self) -> None:
        """Forget the hypotheses so far: the next one is of another utterance."""

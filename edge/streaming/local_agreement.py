"""LocalAgreement-2: what two updates in a row agree on stays.

Source: Liu et al. 2020 (arXiv 2005.11185); Machacek et al. 2023 (arXiv 2307.14743) for Whisper.
"""

from __future__ import annotations

from itertools import takewhile

from .hypothesis import Hypothesis
from .policy import Policy


class LocalAgreement(Policy):
    """Commits the words that the last two hypotheses begin with."""

    def __init__(self) -> None:
        self._previous: tuple[str, ...] = ()

    def agreed(self, hypothesis: Hypothesis) -> int:
        """See Policy."""
        words = tuple(word.word for word in hypothesis.words)
        pairs = zip(words, self._previous, strict=False)
        n_agreed = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))
        self._previous = words[n_agreed:]
        return n_agreed

    def reset(self) -> None:
        """See Policy."""
        self._previous = ()

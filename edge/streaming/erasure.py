"""How much of what was shown is taken back."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import takewhile


class Erasure:
    """Counts the words that vanish from the screen or change on it.

    What is shown after update ``i`` is ``o_i``: all that is committed, and the partial text behind
    it. To get from one to the next, words are erased from the end of the old until it begins the
    new::

        E_i = |o_(i-1)| - |longest common prefix of o_(i-1) and o_i|

    Normalized erasure is the sum of all ``E_i`` over the words of the final text: how many words
    are shown in vain for each one that stays.

    Words are compared as they are shown, with case and punctuation.

    Source: Arivazhagan et al. 2020, "Re-translation versus streaming for simultaneous translation"
    (arXiv 2004.03643).

    Attributes:
        n_erased: The sum of all ``E_i``.
        n_final: Words committed so far.
    """

    def __init__(self) -> None:
        self.n_erased = 0
        self.n_final = 0
        self._partial: tuple[str, ...] = ()

    @property
    def normalized(self) -> float | None:
        """None as long as there is no final text."""
        return self.n_erased / self.n_final if self.n_final else None

    def update(self, committed: Sequence[str], partial: Sequence[str] | None) -> None:
        """Learn what an update shows.

        Args:
            committed: The words that it commits.
            partial: Those shown behind them; None if it leaves the partial text as it was.
        """
        before = self._partial
        if partial is not None:
            self._partial = tuple(partial)
        pairs = zip(before, [*committed, *self._partial], strict=False)
        n_same = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))
        self.n_erased += len(before) - n_same
        self.n_final += len(committed)

"""What every runtime's session does alike: it counts its tokens."""

from __future__ import annotations

from ..edge.types import Session
from .checks import check_rewind


class CountedSession(Session):
    """A session whose cache holds ``_n_past`` tokens of every hypothesis."""

    _n_past: int = 0

    @property
    def n_past(self) -> int:
        """See Session."""
        return self._n_past

    def rewind(self, n_tokens: int) -> None:
        """See Session."""
        check_rewind(n_tokens, self._n_past)
        if n_tokens < self._n_past:
            self._forget(n_tokens)
            self._n_past = n_tokens

    def _forget(self, n_tokens: int) -> None:
        """Take all but the first tokens out of the cache; fewer than ``_n_past``.

        Nothing to do where the graph is told at every step how much of the cache is valid.
        """

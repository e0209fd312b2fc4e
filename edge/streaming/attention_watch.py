"""Where the decoder looked while it wrote a text, gathered step by step."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..types import FloatArray, Session


class AttentionWatch:
    """Gathers the alignment heads' attention of one search; a ``Watch``.

    To be made right after the prompt was fed. Alignment costs no step of its own this way.

    Args:
        session: Holds the window and the prompt.
        n_given: Tokens at the prompt's end that belong to the text.
        n_positions: Encoder positions that hold sound; those behind them are left out.
        limit: Stop at a token that was read from this position or one behind it; None goes on.

    Attributes:
        n_before: Rows of the prompt before those of the text.
        stopped: Whether the limit was met.
    """

    def __init__(
        self,
        session: Session,
        n_given: int,
        n_positions: int,
        limit: int | None = None,
    ) -> None:
        self._session = session
        self._n_positions = n_positions
        self._limit = limit
        self.stopped = False
        self._prompt = self._rows()
        self.n_before = self._prompt.shape[1] - n_given - 1
        self._steps: list[FloatArray] = []

    def restart(self) -> None:
        """Another search follows the same prompt."""
        self._steps.clear()
        self.stopped = False

    def __call__(self, sampled: Sequence[Sequence[int]]) -> bool:
        """See Watch."""
        # The first token was chosen by the prompt, whose rows are there already.
        if len(sampled[0]) > 1:
            self._steps.append(self._rows())
        if self._limit is not None:
            newest = self._steps[-1] if self._steps else self._prompt
            self.stopped = int(newest[:, -1].mean(axis=0).argmax()) >= self._limit
        return self.stopped

    def rows(self, n_tokens: int, *, ended: bool) -> FloatArray:
        """The attention so far, shape (n_heads, n_rows, n_positions).

        Row ``n_before + i`` is what chose token ``i`` of the text, given ones included; the last
        row is what chose its end.

        Args:
            n_tokens: Tokens of the text that the search found.
            ended: Whether it found the end of the text as well.
        """
        if ended and n_tokens:
            self._steps.append(self._rows())
        n_rows = self._prompt.shape[1] + n_tokens
        rows = np.concatenate([self._prompt, *self._steps], axis=1)
        # A text that was cut off has no end whose row would bound its last word: the last one has.
        missing = n_rows - rows.shape[1]
        return np.pad(rows, ((0, 0), (0, max(0, missing)), (0, 0)), mode="edge")[:, :n_rows]

    def _rows(self) -> FloatArray:
        return self._session.alignment[0, :, :, : self._n_positions].copy()

"""The sound that is still needed, by its place in the stream."""

from __future__ import annotations

import numpy as np

from ..types import FloatArray


class SoundBuffer:
    """Holds a stretch of the stream: sound is added at its end and forgotten at its start.

    Attributes:
        start: The stream's first sample that is held.
        end: The first that has not come yet.
    """

    def __init__(self) -> None:
        self.start = 0
        self.end = 0
        self._pieces: list[FloatArray] = []

    def append(self, samples: FloatArray) -> None:
        """Take in what comes next."""
        self._pieces.append(samples)
        self.end += len(samples)

    def forget(self, until: int) -> None:
        """Let go of what lies before the sample ``until``, by whole pieces."""
        n_gone = 0
        for piece in self._pieces:
            if self.start + len(piece) > until:
                break
            self.start += len(piece)
            n_gone += 1
        del self._pieces[:n_gone]

    def between(self, start: int, stop: int) -> FloatArray:
        """The samples from ``start`` up to ``stop``; both are held."""
        if len(self._pieces) > 1:
            self._pieces = [np.concatenate(self._pieces)]
        return self._pieces[0][start - self.start : stop - self.start]

"""A recording that was heard in part."""

from __future__ import annotations

from ..types import SAMPLE_RATE, FloatArray
from .recording import AudioSource


class Remainder(AudioSource):
    """What follows in a recording.

    Args:
        source: The whole of it; closed with this.
        start_s: Where to begin; past the end nothing is left.
    """

    def __init__(self, source: AudioSource, start_s: float) -> None:
        self.name = source.name
        self._source = source
        self._first = round(start_s * SAMPLE_RATE)

    @property
    def n_samples(self) -> int:
        """See AudioSource."""
        return max(0, self._source.n_samples - self._first)

    def read(self, start: int, n: int) -> FloatArray:
        """See AudioSource."""
        return self._source.read(self._first + start, n)

    def close(self) -> None:
        """Close the whole recording."""
        self._source.close()

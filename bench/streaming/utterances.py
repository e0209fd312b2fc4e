"""Where the voice activity detection found somebody speaking, once for all engines.

Needs nothing but the standard library: it is read in the peer's environment as well.
"""

from __future__ import annotations

from typing import NamedTuple

SAMPLE_RATE = 16_000
TAIL_S = 0.3  # sound after the last voice that belongs to the utterance, as in the streamer


class Utterance(NamedTuple):
    """One utterance; all numbers are samples of the stream.

    Attributes:
        start: Where it starts.
        known: How much had been heard when that was noticed.
        voiced_until: The end of its last voice.
        ended: How much had been heard when its end was noticed.
    """

    start: int
    known: int
    voiced_until: int
    ended: int

    @property
    def stop(self) -> int:
        """The end of the sound that belongs to it."""
        return min(self.ended, self.voiced_until + round(TAIL_S * SAMPLE_RATE))

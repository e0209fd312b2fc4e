"""A recording that arrives as if it were being spoken."""

from __future__ import annotations

import time
from collections.abc import Callable

from ..types import SAMPLE_RATE, FloatArray
from .pace import Pace
from .recording import AudioSource
from .sound_stream import SoundStream

BLOCK = SAMPLE_RATE // 10  # samples handed out at once


class Played(SoundStream):
    """Plays a recording, from now on.

    No thread is needed: the recording itself keeps what the reader has not fetched in time.

    Args:
        source: What is played; closed with this.
        speed: 1 is real time and 2 twice as fast; 0 is as fast as it is read, and nothing waits.
        clock: Seconds.
        sleep: Waits for so many of the clock's seconds.

    Raises:
        ConfigError: The speed is negative, or no number.
    """

    def __init__(
        self,
        source: AudioSource,
        speed: float = 1.0,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._pace = Pace(speed, clock, sleep)
        self._source = source
        self._position = 0
        self.name = source.name

    def read(self) -> FloatArray | None:
        """See ``SoundStream``; a block is handed out when its last sample is due."""
        samples = self._source.read(self._position, BLOCK)
        if not len(samples):
            return None
        self._position += len(samples)
        self._pace.wait(self._position / SAMPLE_RATE)
        return samples.copy()  # a view would keep half a minute of the recording in memory

    @property
    def waiting_s(self) -> float:
        """See ``SoundStream``."""
        if not self._pace.speed:
            return 0.0
        arrived_s = min(self._pace.due_s, self._source.duration_s)
        return max(0.0, arrived_s - self._position / SAMPLE_RATE)

    def close(self) -> None:
        """Close the recording."""
        self._source.close()

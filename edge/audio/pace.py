"""When sound that is played, rather than captured, is due."""

from __future__ import annotations

import math
import time
from collections.abc import Callable

from ..errors import ConfigError

LONGEST_SLEEP_S = 0.1  # so that ``catch_up`` of another thread is noticed
SHORTEST_SLEEP_S = 0.001


class Pace:
    """Lets sound through no earlier than a microphone would have; its time begins now.

    Args:
        speed: 1 is real time and 2 twice as fast; 0 holds nothing back.
        clock: Seconds.
        sleep: Waits for so many of the clock's seconds.

    Raises:
        ConfigError: The speed is negative, or no number.
    """

    def __init__(
        self,
        speed: float,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        if not 0 <= speed < math.inf:
            raise ConfigError(f"speed must be 0 (no waiting) or more, it is {speed:g}")
        self.speed = speed
        self._clock, self._sleep = clock, sleep
        self._began = clock()

    @property
    def due_s(self) -> float:
        """How much of the sound may be heard by now, in seconds of sound."""
        if not self.speed:
            return math.inf
        return (self._clock() - self._began) * self.speed

    def wait(self, sound_s: float) -> None:
        """Return when the first ``sound_s`` seconds are due."""
        while (early_s := sound_s - self.due_s) > 0:
            self._sleep(min(max(early_s / self.speed, SHORTEST_SLEEP_S), LONGEST_SLEEP_S))

    def catch_up(self, sound_s: float) -> None:
        """Count the first ``sound_s`` seconds as due, and the rest from now on."""
        if sound_s > self.due_s:
            self._began = self._clock() - sound_s / self.speed

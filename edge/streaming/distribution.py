"""How a measured time is distributed, in a memory that does not grow with the stream."""

from __future__ import annotations

from collections import Counter

import msgspec


class Quantiles(msgspec.Struct, frozen=True):
    """Of one measured time.

    Attributes:
        n: How often it was measured.
        p50_s: The median, in seconds.
        p95_s: What 95 of 100 do not exceed.
        max_s: The longest.
    """

    n: int
    p50_s: float
    p95_s: float
    max_s: float


class Latency(msgspec.Struct, frozen=True):
    """A delay, twice.

    Attributes:
        unaware: Computation-unaware: by how much sound had been taken in.
        aware: Computation-aware: with the time that computing took.
    """

    unaware: Quantiles
    aware: Quantiles


class Distribution:
    """Counts values, each rounded to a millisecond and to three digits.

    So a quantile is off by half a percent at most, and there are some thousand different values
    however long the stream is.
    """

    def __init__(self) -> None:
        self._counts: Counter[float] = Counter()

    def add(self, seconds: float) -> None:
        """Count one value."""
        self._counts[float(f"{round(seconds, 3):.3g}")] += 1

    def quantiles(self) -> Quantiles | None:
        """None before the first value."""
        if not self._counts:
            return None
        return Quantiles(
            self._counts.total(), self._quantile(50), self._quantile(95), max(self._counts)
        )

    def _quantile(self, percent: int) -> float:
        """The smallest value that at least so many of 100 do not exceed: the nearest rank."""
        rank = -(-percent * self._counts.total() // 100)
        n_below = 0
        for value in sorted(self._counts):
            n_below += self._counts[value]
            if n_below >= rank:
                return value
        raise AssertionError("the counts do not sum to their total")


class Delays:
    """Two distributions, computation-unaware and computation-aware."""

    def __init__(self) -> None:
        self._unaware, self._aware = Distribution(), Distribution()

    def add(self, unaware_s: float, aware_s: float) -> None:
        """Count one delay.

        A delay below 0 counts as none: a word may seem to end behind the sound, by less than a
        frame, or text be shown early that is not what was said in the end.
        """
        self._unaware.add(max(0.0, unaware_s))
        self._aware.add(max(0.0, aware_s))

    def latency(self) -> Latency | None:
        """None before the first."""
        unaware, aware = self._unaware.quantiles(), self._aware.quantiles()
        return None if unaware is None or aware is None else Latency(unaware, aware)

"""A figure and where the truth may lie, for times and their ratios.

Words have intervals of their own (``edge/accuracy/interval.py``); times have none that a bootstrap
over seven passes could give, so theirs come from the order of the passes.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import median
from typing import Self

import msgspec

from ..accuracy.difference import Difference
from ..accuracy.interval import Interval

# Of each of two medians, so that their ratio has 0.95 at least, whatever they have in common.
LEVEL = 0.975


class Figure(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A value with the ends of its interval; None where there are none."""

    value: float
    low: float | None = None
    high: float | None = None

    @classmethod
    def of(cls, found: Interval | Difference | None) -> Self | None:
        """From what ``edge/accuracy`` computes."""
        return None if found is None else cls(found.estimate, found.low, found.high)

    @classmethod
    def median(cls, values: Sequence[float]) -> Self | None:
        """The median of measured values, and two of them that enclose it.

        The lower end is the k-th lowest value and the upper the k-th highest, with the largest k
        for which the two enclose the true median with ``LEVEL``, whatever the distribution. With
        fewer than seven values they are the lowest and the highest, and the level is less.

        Returns:
            None without values.

        Source:
            Le Boudec, "Performance Evaluation of Computer and Communication Systems" (2010),
            theorem 2.1; Hoefler and Belli, "Scientific Benchmarking of Parallel Computing
            Systems" (SC 2015), rule 8.
        """
        if not values:
            return None
        ordered, n = sorted(values), len(values)
        outside, rank = 0.0, 0
        while rank < n // 2:
            outside += 2 * math.comb(n, rank) / 2**n
            if outside > 1 - LEVEL:
                break
            rank += 1
        rank = max(rank, 1)
        return cls(median(ordered), ordered[rank - 1], ordered[n - rank])

    def over(self, other: Self) -> Self | None:
        """The ratio to another; its ends are the farthest that both intervals allow.

        Returns:
            None where the other may be nothing.
        """
        if not other.value or other.low == 0:
            return None
        value = self.value / other.value
        if self.low is None or self.high is None or other.low is None or other.high is None:
            return type(self)(value)
        return type(self)(value, self.low / other.high, self.high / other.low)

    def scaled(self, factor: float) -> Self:
        """In another unit; ``factor`` is above 0."""
        low = None if self.low is None else self.low * factor
        high = None if self.high is None else self.high * factor
        return type(self)(self.value * factor, low, high)


class Printed(Figure, frozen=True, forbid_unknown_fields=True):
    """A figure of the study, which is shown with the digits that it is printed with."""


def printed(value: float | None) -> Printed | None:
    """A figure of the study."""
    return None if value is None else Printed(value, value, value)


def exact(value: float | None) -> Figure | None:
    """A figure that is known as it is, a size say."""
    return None if value is None else Figure(value, value, value)

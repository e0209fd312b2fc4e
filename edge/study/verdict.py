"""What an interval says of a claim.

A claim holds where the whole interval says so, and does not where the whole interval says the
opposite. Otherwise it cannot be told.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from .figure import Figure

Verdict = Literal["holds", "does not hold", "cannot be told"]
VERDICTS: tuple[Verdict, ...] = ("holds", "does not hold", "cannot be told")
MARGIN = 0.01  # of words more that may be wrong where they are said to be kept


def is_less(ratio: Figure) -> Verdict:
    """Whether something is less than what it is set beside."""
    low, high = _ends(ratio)
    if high < 1:
        return "holds"
    return "does not hold" if low >= 1 else "cannot be told"


def is_more(ratio: Figure) -> Verdict:
    """Whether it is more."""
    low, high = _ends(ratio)
    if low > 1:
        return "holds"
    return "does not hold" if high <= 1 else "cannot be told"


def is_kept(more: Figure, margin: float = MARGIN) -> Verdict:
    """Whether no more words are lost than ``margin`` allows.

    Args:
        more: The word error rate minus that of what it is set beside.
        margin: A share of the words.
    """
    low, high = _ends(more)
    if high <= margin:
        return "holds"
    return "does not hold" if low > 0 else "cannot be told"


def all_below_zero(differences: Sequence[Figure]) -> Verdict:
    """Whether every difference is below zero."""
    ends = [_ends(one) for one in differences]
    if all(high < 0 for _, high in ends):
        return "holds"
    return "does not hold" if any(low >= 0 for low, _ in ends) else "cannot be told"


def _ends(figure: Figure) -> tuple[float, float]:
    """Of its interval; without one the truth may lie anywhere."""
    if figure.low is None or figure.high is None:
        return float("-inf"), float("inf")
    return figure.low, figure.high

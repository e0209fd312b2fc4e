"""Which word of one text is which of another's, and how far apart their times are."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from math import ceil
from typing import NamedTuple

from whisperq_edge.edge.transcription.word_errors import compare, plain


class Timed(NamedTuple):
    """A word and its bounds, in seconds; a bound that is not known is None."""

    word: str
    start: float | None
    end: float | None


class Pair(NamedTuple):
    """The same word in two texts."""

    one: Timed
    other: Timed


@dataclass(frozen=True)
class Comparison:
    """Two texts side by side.

    Attributes:
        n_one: Words of the first.
        n_other: Words of the second.
        n_wrong: Words of the second that are others, too many or missing, by the fewest edits.
        pairs: The words that both have.
    """

    n_one: int
    n_other: int
    n_wrong: int
    pairs: tuple[Pair, ...]


def compared(one: Sequence[Timed], other: Sequence[Timed]) -> Comparison:
    """Align two texts by the fewest edits; case and punctuation do not count."""
    one, other = _plain(one), _plain(other)
    if not one:
        return Comparison(0, len(other), len(other), ())
    errors, matches = compare([word.word for word in one], [word.word for word in other])
    pairs = tuple(
        Pair(left, right)
        for match in matches
        for left, right in zip(
            one[slice(*match.reference)], other[slice(*match.text)], strict=False
        )
        if left.word == right.word
    )
    n_wrong = errors.substitutions + errors.insertions + errors.deletions
    return Comparison(len(one), len(other), n_wrong, pairs)


def _plain(words: Sequence[Timed]) -> list[Timed]:
    stripped = [word._replace(word=plain(word.word).strip()) for word in words]
    return [word for word in stripped if word.word]


@dataclass
class Agreement:
    """What many comparisons come to.

    Attributes:
        n_one: Words of the first texts.
        n_wrong: See ``Comparison``.
        n_same: Words that both have.
        starts_ms: How much later they start in the second text, where both starts are known.
        ends_ms: Likewise, for their ends.
    """

    n_one: int = 0
    n_wrong: int = 0
    n_same: int = 0
    starts_ms: list[float] = field(default_factory=list)
    ends_ms: list[float] = field(default_factory=list)

    @classmethod
    def of(cls, comparisons: Iterable[Comparison]) -> Agreement:
        """All of them together."""
        whole = cls()
        for comparison in comparisons:
            whole.n_one += comparison.n_one
            whole.n_wrong += comparison.n_wrong
            whole.n_same += len(comparison.pairs)
            for one, other in comparison.pairs:
                whole.starts_ms += _later_ms(one.start, other.start)
                whole.ends_ms += _later_ms(one.end, other.end)
        return whole


def _later_ms(one: float | None, other: float | None) -> list[float]:
    return [] if one is None or other is None else [1000 * (other - one)]


@dataclass(frozen=True)
class Shift:
    """How far apart many times are, in milliseconds.

    Attributes:
        n: Of how many.
        median: Half of them differ by no more.
        p90: Nine of ten differ by no more.
        bias: Half of them are later than this, half earlier: the side on which they err.
    """

    n: int
    median: float
    p90: float
    bias: float

    @classmethod
    def of(cls, later_ms: Sequence[float]) -> Shift | None:
        """None where there are no times."""
        if not later_ms:
            return None
        sizes = sorted(map(abs, later_ms))
        n = len(sizes)
        p90 = sizes[ceil(0.9 * n) - 1]  # nearest rank
        return cls(n, statistics.median(sizes), p90, statistics.median(later_ms))

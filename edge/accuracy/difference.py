"""Whether one artifact makes fewer word errors than another, on the same utterances."""

from __future__ import annotations

import math
from collections.abc import Sequence

import msgspec
import numpy as np

from ..errors import ConfigError
from ..types import IntArray
from .interval import LEVEL, SEED, by_speaker, ratio_interval
from .scoring import Score
from .summary import refuse_repeated

MOST_EXACT = 14  # speakers: 2 ** 14 assignments of signs are all tried
N_FLIPS = 16_384
N_SIGNS_AT_ONCE = 1_000_000


class Difference(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The word error rate of one artifact minus that of another.

    Attributes:
        estimate: Negative where the first makes fewer errors.
        low: Lower end of its interval; None with one speaker.
        high: Upper end; None with one speaker.
        level: Of the interval.
        p_value: How often a difference this large, either way, would come about if the two were
            interchangeable for each speaker. Never 0. With n speakers it cannot be below
            2 / 2 ** n: fewer than six cannot reach 0.05.
        n_speakers: How many this rests on.
    """

    estimate: float
    low: float | None
    high: float | None
    level: float
    p_value: float
    n_speakers: int


def paired_difference(a: Sequence[Score], b: Sequence[Score], level: float = LEVEL) -> Difference:
    """Compare two artifacts by the same utterances; their order does not matter.

    The interval is a bootstrap over speakers (``ratio_interval``). Where no speaker has any
    difference, it is what chance allows at none among so many words, to either side.

    Args:
        a: Scores of the one.
        b: Scores of the other.
        level: Of the interval.

    Raises:
        ConfigError: The utterances or their references differ, one is there twice, or in all of
            them nobody speaks.
    """
    pairs = _paired(a, b)
    speakers = [one.speaker for one, _ in pairs]
    more = by_speaker(speakers, [one.words.errors - other.words.errors for one, other in pairs])
    words = by_speaker(speakers, [one.words.n_reference for one, _ in pairs])
    interval = ratio_interval(more, words, level)
    if interval is None:
        raise ConfigError("nobody speaks in these utterances; there is no word error rate")
    low, high = interval.low, interval.high
    if high is not None and not more.any():
        low = -high
    return Difference(interval.estimate, low, high, level, sign_flip(more), len(words))


def sign_flip(differences: IntArray) -> float:
    """The p-value of a sum of differences, one per speaker, by changing their signs.

    Were the two artifacts interchangeable, each speaker's difference could as well have come out
    with the other sign. All assignments are tried with ``MOST_EXACT`` speakers or fewer; with more,
    ``N_FLIPS`` random ones, and the one that happened is counted among them.

    Source:
        Fisher, "The Design of Experiments" (1935), section 21; Phipson and Smyth, "Permutation
        P-values Should Never Be Zero" (2010; arXiv 1603.05766).
    """
    changed = differences[differences != 0]  # the sign of nothing is nothing
    observed = abs(int(changed.sum()))
    if len(changed) <= MOST_EXACT:
        flips = np.arange(2 ** len(changed))[:, None] >> np.arange(len(changed)) & 1
        return float(np.mean(np.abs((1 - 2 * flips) @ changed) >= observed))
    bits = np.random.PCG64(SEED)
    n_block = max(1, N_SIGNS_AT_ONCE // len(changed))
    n_as_large = 0
    for start in range(0, N_FLIPS, n_block):
        shape = (min(n_block, N_FLIPS - start), len(changed))
        flips = (bits.random_raw(math.prod(shape)) >> np.uint64(63)).astype(np.int64)
        n_as_large += int(np.sum(np.abs((1 - 2 * flips.reshape(shape)) @ changed) >= observed))
    return (1 + n_as_large) / (1 + N_FLIPS)


def holm(p_values: Sequence[float]) -> list[float]:
    """Adjust p-values for there being several of them, in the order given.

    The smallest is multiplied by their number, the next by one less, and so on, never below the
    one before: then the chance of any false finding stays below the limit they are compared with,
    however they depend on each other.

    Source:
        Holm, "A Simple Sequentially Rejective Multiple Test Procedure" (Scandinavian Journal of
        Statistics 6, 1979).
    """
    adjusted = [0.0] * len(p_values)
    highest = 0.0
    order = sorted(range(len(p_values)), key=lambda index: p_values[index])
    for rank, index in enumerate(order):
        highest = max(highest, min(1.0, (len(p_values) - rank) * p_values[index]))
        adjusted[index] = highest
    return adjusted


def _paired(a: Sequence[Score], b: Sequence[Score]) -> list[tuple[Score, Score]]:
    refuse_repeated(a)
    refuse_repeated(b)
    others = {score.id: score for score in b}
    if odd := {score.id for score in a} ^ others.keys():
        raise ConfigError(
            f"the two were not judged by the same utterances: {len(odd)} have only one of them, "
            f"'{min(odd)}' first"
        )
    pairs = [(score, others[score.id]) for score in a]
    for one, other in pairs:
        if (one.reference, one.speaker) != (other.reference, other.speaker):
            raise ConfigError(f"the utterance '{one.id}' has two different references or speakers")
    return pairs

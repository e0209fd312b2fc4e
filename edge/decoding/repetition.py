"""Texts that go round in circles, found while they are decoded."""

from __future__ import annotations

from collections.abc import Sequence

LONGEST_PHRASE = 24  # tokens
FEWEST_ROUNDS = 4  # a phrase said three times is speech, or a song
FEWEST_TOKENS = 16  # people do say "no" ten times


def loop_start(tokens: Sequence[int]) -> int | None:
    """Where the end of a text begins to do nothing but repeat one phrase.

    A loop of this length fails the compression ratio as well; to stop at once saves the hundreds
    of tokens that a model would go on for.

    Args:
        tokens: A text so far.

    Returns:
        Index of the first token that only repeats what stands before it; None without a loop.
    """
    for n_phrase in range(1, LONGEST_PHRASE + 1):
        n_looped = max(FEWEST_ROUNDS * n_phrase, FEWEST_TOKENS)
        if n_looped > len(tokens):
            continue
        first = len(tokens) - n_looped
        if list(tokens[first:-n_phrase]) == list(tokens[first + n_phrase :]):
            while first and tokens[first - 1] == tokens[first - 1 + n_phrase]:
                first -= 1
            return first + n_phrase
    return None

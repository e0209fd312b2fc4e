"""Where a buffer that is too long is cut."""

from __future__ import annotations

import pytest

from whisperq_edge.edge.decoding.timing import WordTiming
from whisperq_edge.edge.streaming.trimming import choose_cut


def words(*described):
    """Words of a second each, one after the other."""
    return [
        WordTiming(f" {word}", (index,), float(index), index + 1.0, 1.0)
        for index, word in enumerate(described)
    ]


NINE = words("one", "two.", "three", "four", "five", "six.", "seven", "eight", "nine")
PAUSES = [(2.9, 3.2), (4.8, 5.4)]  # a short and a long one


def test_nothing_committed_is_nothing_to_cut_after():
    assert choose_cut([], PAUSES, "segment", 1.0) is None


@pytest.mark.parametrize(
    ("trimming", "silences", "least_s", "n_words", "at_s"),
    [
        ("segment", PAUSES, 2.0, 5, 5.1),  # in the middle of the longest pause
        ("segment", PAUSES, 6.0, 9, 9.0),  # which would free too little: at the end of all
        ("segment", [], 2.0, 9, 9.0),
        ("segment", [(2.95, 3.0)], 2.0, 9, 9.0),  # too short to be a pause
        ("sentence", PAUSES, 1.0, 6, 6.0),  # the last that ended
        ("sentence", PAUSES, 7.0, 9, 9.0),  # none ended behind that
        ("sentence", [(1.9, 2.3)], 1.0, 6, 6.0),
        ("segment", PAUSES, 60.0, 9, 9.0),  # more than there is: as much as there is
    ],
)
def test_where(trimming, silences, least_s, n_words, at_s):
    cut = choose_cut(NINE, silences, trimming, least_s)
    assert (cut.n_words, cut.at_s) == (n_words, pytest.approx(at_s))


def test_without_a_sentence_that_ended_the_longest_pause_has_to_do():
    cut = choose_cut(words("one", "two", "three"), [(0.9, 1.3)], "sentence", 0.5)
    assert cut.n_words == 1


@pytest.mark.parametrize("end", ["?", "!", "…", "。"])
def test_what_ends_a_sentence(end):
    cut = choose_cut(words("one", f"two{end}", "three"), [(0.8, 1.4)], "sentence", 0.5)
    assert cut.n_words == 2

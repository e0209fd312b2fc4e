"""The policy that the benchmark gives its peer: it has to be a fair one."""

from __future__ import annotations

import numpy as np
import pytest

from whisperq_edge.bench.streaming.agreement import (
    Heard,
    LocalAgreement,
    longest_pause,
    prompt_of,
    shifted,
)
from whisperq_edge.edge.decoding.timing import WordTiming
from whisperq_edge.edge.streaming.trimming import choose_cut


def heard(text, start=0.0):
    """Words of half a second each."""
    return [
        Heard(f" {word}", start + index / 2, start + index / 2 + 0.5, 1.0)
        for index, word in enumerate(text.split())
    ]


def said(words):
    return "".join(word.word for word in words)


def test_what_two_hypotheses_begin_with_is_decided():
    agreement = LocalAgreement()
    assert agreement.take(heard("can i half")) == []
    assert said(agreement.take(heard("can i have a"))) == " can i"
    assert said(agreement.pending) == " have a"
    assert said(agreement.take(heard("can i have a latte"))) == " have a"
    assert agreement.decided_until == 2.0


def test_a_word_that_changes_back_is_not_decided():
    agreement = LocalAgreement()
    for text in ("yes", "no", "yes"):
        assert agreement.take(heard(text)) == []


@pytest.mark.parametrize("text", ["one two three", "one two three four five six seven"])
def test_decided_words_are_not_decided_again(text):
    agreement = LocalAgreement()
    for _ in range(4):
        agreement.take(heard(text))
    assert said(agreement.decided) == f" {text}"


@pytest.mark.parametrize(
    ("late_s", "decided"),
    [
        (0.35, " one two three four"),  # repeated beside the end: known by its text
        (2.0, " one two three two three four"),  # said again, after a while
    ],
)
def test_times_that_waver_repeat_nothing(late_s, decided):
    agreement = LocalAgreement()
    for _ in range(2):
        agreement.take(heard("one two three"))
    for _ in range(2):
        # Placed so late that "two three" seems to start behind what is decided.
        agreement.take(heard("two three four", start=1.2 + late_s))
    assert said(agreement.decided) == decided


def test_the_last_hypothesis_is_decided_whole():
    agreement = LocalAgreement()
    for text in ("one two", "one two three"):
        agreement.take(heard(text))
    assert said(agreement.take_last(heard("one two four five"))) == " four five"
    assert agreement.pending == []


def test_words_before_a_cut_are_forgotten():
    agreement = LocalAgreement()
    for _ in range(2):
        agreement.take(heard("one two three"))
    assert said(agreement.forget(1.0)) == " one two"
    assert said(agreement.decided) == " three"
    assert agreement.decided_until == 1.5


@pytest.mark.parametrize(
    ("silences", "least_s", "cut_s"),
    [
        ([], 0.0, 1.5),  # of equal pauses the last
        ([(0.2, 0.6), (1.4, 1.6)], 0.0, 0.4),  # in the longest
        ([(0.2, 0.6), (1.3, 1.5)], 0.8, 1.4),  # of those that free enough
        ([(0.5, 0.9)], 9.0, 1.5),  # as much as is decided
        ([(0.5, 0.55)], 0.0, 1.5),  # too short to be a pause
        ([(2.5, 3.5)], 0.0, 1.5),  # too far from any word's end
    ],
)
def test_a_buffer_is_cut_in_the_longest_pause(silences, least_s, cut_s):
    assert longest_pause(heard("one two three"), silences, least_s) == pytest.approx(cut_s)


def test_a_buffer_is_cut_as_ours_is():
    rng = np.random.default_rng(0)
    for _ in range(200):
        bounds = np.sort(rng.uniform(0, 12, 20)).round(2).tolist()
        silences = list(zip(bounds[::4], bounds[1::4], strict=True))
        ends = np.sort(rng.uniform(0, 12, 9)).round(2).tolist()
        words = [Heard(" a", end, end, 1.0) for end in ends]
        timings = [WordTiming(" a", (1,), end, end, 1.0) for end in ends]
        least_s = float(rng.uniform(0, 14))
        cut = choose_cut(timings, silences, "segment", least_s)
        assert cut is not None
        assert longest_pause(words, silences, least_s) == cut.at_s


def test_nothing_decided_is_not_cut():
    assert longest_pause([], [(0.5, 0.9)], 0.0) is None


def test_a_prompt_is_the_end_of_the_text_in_whole_words():
    assert prompt_of(heard("one two three"), 10) == "two three"
    assert prompt_of([], 10) == ""


def test_words_are_shifted_into_the_stream():
    (word,) = shifted(heard("yes"), 3.0)
    assert (word.start, word.end) == (3.0, 3.5)

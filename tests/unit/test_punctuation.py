"""Which marks go with which word; see test_timing.py for openai/whisper's own function."""

from __future__ import annotations

import pytest

from whisperq_edge.edge.decoding.punctuation import APPENDED, PREPENDED, merge_punctuation
from whisperq_edge.edge.decoding.timing import WordTiming


def merged(*words, **marks):
    timings = [WordTiming(word, (n,), n, n + 1, n / 10) for n, word in enumerate(words)]
    return merge_punctuation(timings, **marks)


def test_the_marks_are_openais():
    timing = pytest.importorskip("whisper.timing", reason="the oracle is openai-whisper")
    defaults = timing.add_word_timestamps.__kwdefaults__
    assert defaults["prepend_punctuations"] == PREPENDED
    assert defaults["append_punctuations"] == APPENDED


def test_a_word_keeps_its_own_time_and_probability():
    assert merged(" (", "no", ")", "!") == [WordTiming(" (no)!", (0, 1, 2, 3), 1, 2, 0.1)]


def test_a_mark_without_a_space_goes_with_the_word_before():
    assert [word.word for word in merged(" a", '"', ' "', "b")] == [' a"', ' "b']


def test_a_mark_that_is_not_named_stays_a_word():
    words = [" a", ",", " (", "b"]
    assert [word.word for word in merged(*words, prepended="-", appended=".")] == words
    assert [word.word for word in merged(*words, prepended="(")] == [" a,", " (b"]


def test_without_a_word_marks_stay_alone():
    assert [word.word for word in merged(" (")] == [" ("]
    assert [word.word for word in merged(".", " a")] == [".", " a"]
    assert merged() == []

"""Words put into segments: long ones beside pauses, and times that follow from words."""

from __future__ import annotations

import pytest

from whisperq_edge.edge.decoding.timing import WordTiming
from whisperq_edge.edge.transcription.options import TranscriptionOptions
from whisperq_edge.edge.transcription.transcript import Segment
from whisperq_edge.edge.transcription.word_times import TypicalWord, add_words


def timings(*rows):
    """Words of one token from ``(text, start, end)``."""
    return [WordTiming(text, (n,), start, end, 0.5) for n, (text, start, end) in enumerate(rows)]


def evenly(*words, start=0.0, length=0.2):
    """Words of one length, one behind the other."""
    return [(word, start + n * length, start + (n + 1) * length) for n, word in enumerate(words)]


def segment(start, end):
    return Segment(0, 0, start, end, "", (), 0.0, -0.1, 1.0, 0.0)


def add(segments, n_tokens, rows, *, start_s=0.0, last_speech_s=0.0, **options):
    return add_words(
        [segment(*times) for times in segments],
        n_tokens,
        timings(*rows),
        TranscriptionOptions(word_timestamps=True, **options),
        start_s=start_s,
        last_speech_s=last_speech_s,
    )


def words(segment):
    return [(word.word, word.start, word.end) for word in segment.words]


@pytest.mark.parametrize(
    ("lengths", "median"),
    [([], 0), ([0, 0], 0), ([0.2, 0, 0.4], 0.3), ([0.1, 0.3, 9], 0.3), ([2, 3], 0.7)],
)
def test_a_typical_word_is_the_median_and_never_long(lengths, median):
    typical = TypicalWord.of(timings(*((" a", 1.0, 1.0 + length) for length in lengths)))
    assert typical.median == pytest.approx(median)
    assert typical.longest == pytest.approx(2 * median)


def test_words_are_placed_in_the_recording_and_give_the_segment_its_times():
    [found] = add([(30.0, 32.0)], [2], evenly(" one", " two", start=0.123), start_s=30.0)
    assert words(found) == [(" one", 30.12, 30.32), (" two", 30.32, 30.52)]
    assert (found.start, found.end) == (30.12, 30.52)
    assert [word.probability for word in found.words] == [0.5, 0.5]


def test_segments_get_the_words_whose_tokens_they_have():
    rows = evenly(" one", ",", " two", " three", ".")
    found = add([(0, 1), (1, 1.5), (2, 3), (4, 5)], [2, 0, 3, 0], rows)
    assert [[word.word for word in one.words] for one in found] == [
        [" one,"],
        [],
        [" two", " three."],
        [],
    ]
    assert [(one.start, one.end) for one in found][1::2] == [(1, 1.5), (4, 5)]  # their own


def test_a_word_of_two_segments_is_the_firsts():
    rows = evenly(" one", ' "', "two", " three")
    found = add([(0, 1), (1, 2)], [2, 2], rows)
    assert [[word.word for word in one.words] for one in found] == [[" one", ' "two'], [" three"]]


def test_the_marks_of_the_options_count():
    rows = evenly(" one", "+", " two")
    assert [word.word for word in add([(0, 1)], [3], rows)[0].words] == [" one", "+", " two"]
    found = add([(0, 1)], [3], rows, append_punctuations="+")
    assert [word.word for word in found[0].words] == [" one+", " two"]


def test_without_words_everything_stays():
    assert add([(1, 2)], [0], []) == [segment(1, 2)]


def test_the_end_of_a_sentence_takes_no_pause():
    """Neither the mark, which would move the end of the word, nor the word behind it."""
    long = [*evenly(" a", " b", " c"), (".", 0.6, 3.0), *evenly(" d", " e", start=3.0)]
    [found] = add([(0, 4)], [6], long, append_punctuations="")
    assert words(found)[3] == (".", 0.6, 1.0)
    long = [*evenly(" a", " b", "."), (" c", 0.6, 3.0), *evenly(" d", " e", start=3.0)]
    [found] = add([(0, 4)], [6], long)
    assert words(found)[2] == (" c", 2.6, 3.0)
    long = [*evenly(" a", " b", " x"), (" c", 0.6, 3.0), *evenly(" d", " e", start=3.0)]
    [found] = add([(0, 4)], [6], long)
    assert words(found)[3] == (" c", 0.6, 3.0)  # within a sentence it may be long


BODY = evenly(" b", " c", " d", start=10.0)  # of the median length 0.2


def test_the_first_word_after_a_pause_loses_the_pause():
    [found] = add([(9.9, 11)], [4], [(" a", 0.0, 10.0), *BODY])
    assert words(found)[0] == (" a", 9.6, 10.0)
    assert found.start == 9.6


def test_right_after_speech_the_first_word_keeps_its_length():
    [found] = add([(9.0, 11)], [4], [(" a", 9.3, 10.0), *BODY], last_speech_s=9.25)
    assert words(found)[0] == (" a", 9.3, 10.0)


def test_two_long_words_after_a_pause_are_both_shortened():
    rows = [(" a", 0.0, 0.2), (" b", 0.2, 10.0), *evenly(" c", " d", " e", start=10.0)]
    [found] = add([(9.0, 11)], [5], rows, last_speech_s=-5.0)
    assert words(found)[:2] == [(" a", 9.2, 9.6), (" b", 9.6, 10.0)]


def test_two_words_that_are_long_together_only_are_left():
    rows = [(" a", 0.0, 0.2), (" b", 0.2, 0.7), *evenly(" c", " d", " e", start=0.7)]
    [found] = add([(0.0, 2)], [5], rows, last_speech_s=-5.0)
    assert words(found)[:2] == [(" a", 0.0, 0.2), (" b", 0.2, 0.7)]


def test_speech_ends_where_the_segment_before_ended():
    rows = [*evenly(" a", " b", " c", start=9.0), (" d", 9.6, 10.6), *evenly(" e", start=10.6)]
    found = add([(9, 9.6), (9.6, 11)], [3, 2], rows)
    assert words(found[1])[0] == (" d", 10.2, 10.6)  # 1 s is more than four words
    rows[3] = (" d", 9.6, 10.2)
    rows[4] = (" e", 10.2, 10.4)
    found = add([(9, 9.6), (9.6, 11)], [3, 2], rows)
    assert words(found[1])[0] == (" d", 9.6, 10.2)


def test_a_segments_own_times_win_where_its_outer_words_are_too_long():
    rows = [(" a", 8.0, 10.0), *BODY, (" e", 10.6, 12.6)]
    [found] = add([(9.0, 11.5)], [5], rows, last_speech_s=9.9)
    assert (words(found)[0], words(found)[-1]) == ((" a", 9.0, 10.0), (" e", 10.6, 11.5))
    assert (found.start, found.end) == (9.0, 11.5)


def test_but_they_leave_a_word_its_typical_length():
    rows = [(" a", 8.0, 10.0), *BODY, (" e", 10.6, 12.6)]
    [found] = add([(9.9, 10.7)], [5], rows, last_speech_s=9.9)
    assert (words(found)[0], words(found)[-1]) == ((" a", 9.8, 10.0), (" e", 10.6, 10.8))


def test_times_outside_the_outer_words_do_not_count():
    rows = [(" a", 9.0, 10.0), *BODY, (" e", 10.6, 11.6)]
    [found] = add([(10.5, 10.5)], [5], rows, last_speech_s=9.9)
    assert (found.start, found.end) == (9.0, 11.6)

"""Which segments are taken for made up, and where the transcriber goes on."""

from __future__ import annotations

import pytest

from whisperq_edge.edge.transcription.hallucination import (
    Surroundings,
    is_strange,
    skip_hallucinations,
    strangeness,
)
from whisperq_edge.edge.transcription.transcript import Segment, Word

WINDOW = Surroundings(start=60, sound_end=90, window_end=90, recording_end=200, last_speech=60)
THRESHOLD_S = 2.0


def segment(start, *words, end=None):
    """From ``(text, length, probability)`` of words that follow each other."""
    placed, time = [], start
    for text, length, probability in words:
        placed.append(Word(text, time, time + length, probability))
        time += length
    text = "".join(word for word, *_ in words)
    end = time if end is None else end
    return Segment(0, 6000, start, end, text, (), 0.0, -0.1, 1.0, 0.0, tuple(placed))


def strange(start):
    return segment(start, (" um", 0.5, 0.1), (" hm", 0.5, 0.1))


def usual(start, length=0.5):
    return segment(start, (" yes", length, 0.9), (" please", length, 0.9))


@pytest.mark.parametrize(
    ("length", "probability", "expected"),
    [
        (0.5, 0.15, 0),
        (0.5, 0.14, 1),
        (0.133, 0.9, 0),
        (0.033, 0.9, 1.5),
        (2.0, 0.9, 0),
        (3.5, 0.9, 1.5),
        (3.5, 0.1, 2.5),
        (0.0, 0.1, 1 + 0.133 * 15),
    ],
)
def test_words_are_strange_that_are_improbable_short_or_long(length, probability, expected):
    assert strangeness(Word(" a", 0.0, length, probability)) == pytest.approx(expected)


GOOD, BAD = (" yes", 0.5, 0.9), (" um", 0.5, 0.1)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ([BAD], True),
        ([GOOD, BAD], False),
        ([GOOD] * 5 + [BAD] * 3, True),  # three are too many, however long it is
        ([GOOD] * 6 + [BAD] * 2, False),
        ([GOOD] * 6 + [BAD] * 8, False),  # judged by how it begins
        ([(".", 0.0, 0.0), GOOD], False),  # marks alone are no words
        ([BAD, (".", 0.5, 0.9)], True),
        ([(".", 0.5, 0.9)], True),  # nothing to be said for it
        ([], False),
    ],
)
def test_segments_are_strange_by_their_first_words(words, expected):
    assert is_strange(segment(0, *words)) is expected


def test_no_segment_is_not_strange():
    assert is_strange(None) is False


def test_a_strange_start_behind_silence_is_read_again_from_there():
    kept = skip_hallucinations([strange(62.5), usual(65)], WINDOW, THRESHOLD_S)
    assert kept == ([], 62.5)


def test_a_segment_without_words_is_passed_over():
    mute = segment(60, end=61)
    assert skip_hallucinations([mute, strange(62.5)], WINDOW, THRESHOLD_S) == ([], 62.5)
    segments = [mute, usual(61), segment(63, end=64)]
    assert skip_hallucinations(segments, WINDOW, THRESHOLD_S) == (segments, None)


def test_what_is_not_strange_stays_whatever_is_around_it():
    segments = [usual(64), usual(70), usual(89)]
    assert skip_hallucinations(segments, WINDOW, THRESHOLD_S) == (segments, None)
    assert skip_hallucinations([], WINDOW, THRESHOLD_S) == ([], None)


@pytest.mark.parametrize(
    ("segments", "n_kept", "resume"),
    [
        # Silence before, and silence behind up to the next words.
        ([usual(63), strange(70), usual(75)], 1, 70),
        # Speech right before it, or right behind it.
        ([usual(63), strange(65.5), usual(75)], 3, None),
        ([usual(63), strange(70), usual(72)], 3, None),
        # Behind it, another that is strange; both go.
        ([usual(63), strange(70), strange(71.5)], 1, 70),
        # Nothing behind it: up to the end of the sound, or of the window.
        ([usual(63), strange(70)], 1, 70),
        ([usual(63), strange(88.5)], 1, 88.5),
        # Near the start of the window there is no telling what was before; it moves on by a second.
        ([strange(60.5), usual(75)], 0, 61),
        ([strange(61.5), usual(75)], 0, 61.5),
        # Silence is counted from the words that were kept last.
        ([usual(63, length=1.9), strange(68), usual(75)], 3, None),
    ],
)
def test_a_strange_segment_in_silence_ends_the_window(segments, n_kept, resume):
    expected = (segments[:n_kept], resume)
    assert skip_hallucinations(segments, WINDOW, THRESHOLD_S) == expected


def test_silence_is_counted_from_the_speech_before_the_window():
    around = WINDOW._replace(start=60, last_speech=57.0)
    assert skip_hallucinations([strange(62), usual(75)], around, 4.0) == ([], 62)
    around = WINDOW._replace(last_speech=60.0)
    segments = [strange(62), usual(75)]
    assert skip_hallucinations(segments, around, 4.0) == (segments, None)


def test_at_the_start_of_a_recording_all_before_is_silence():
    around = Surroundings(start=0, sound_end=30, window_end=30, recording_end=200, last_speech=0)
    assert skip_hallucinations([strange(2.5), usual(10)], around, 3.0) == ([], 2.5)


def test_the_end_of_a_window_counts_only_where_the_window_is_full():
    around = WINDOW._replace(sound_end=72, window_end=90, recording_end=72)
    segments = [usual(63), strange(70)]
    assert skip_hallucinations(segments, around, THRESHOLD_S) == (segments, None)


@pytest.mark.parametrize(
    ("recording_end", "resume"), [(90, 90), (89.7, 90), (91.4, 91.4), (91.6, 88.5)]
)
def test_behind_it_the_recording_may_be_over(recording_end, resume):
    """Or what its header says of it, which is less than was read."""
    around = WINDOW._replace(recording_end=recording_end)
    kept = skip_hallucinations([usual(63), strange(88.5)], around, THRESHOLD_S)
    assert (len(kept.segments), kept.resume) == (1, resume)

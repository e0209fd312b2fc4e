"""A stream that goes on: an utterance is heard again, and its known words are left out."""

from __future__ import annotations

import pytest

from whisperq_edge.edge.streaming.events import Event
from whisperq_edge.edge.streaming.resumption import Continuation, Past, Start
from whisperq_edge.edge.transcription.transcript import Word


def words(text, start=10.0):
    """A word each half second."""
    return tuple(
        Word(f" {word}", start + index / 2, start + index / 2 + 0.5, 0.9)
        for index, word in enumerate(text.split())
    )


def event(kind, its_words, audio_time=20.0):
    ends = (its_words[0].start, its_words[-1].end) if its_words else (0.0, 0.0)
    text = "".join(word.word for word in its_words)
    return Event(kind, text, tuple(its_words), *ends, audio_time, audio_time)


class Told:
    """A streamer that tells what it was given to tell."""

    def __init__(self, *events):
        self.events = list(events)

    def feed(self, samples, *, behind_s=0.0):
        return self.events[:-1]

    def finish(self):
        return self.events[-1:]


def heard(known, *events):
    continuation = Continuation(Told(*events), known)
    return continuation.feed(None) + continuation.finish()


def told(events):
    return [(one.kind, one.text.strip()) for one in events]


KNOWN = words("may i have")


def test_what_is_known_is_left_out():
    again = words("may i have a coffee")
    events = heard(
        KNOWN,
        event("partial", again[:2]),
        event("committed", again[:2]),
        event("partial", again[2:4]),
        event("committed", again[2:]),
        event("partial", ()),
        event("endpoint", again),
    )
    assert told(events) == [
        ("partial", "a"),
        ("committed", "a coffee"),
        ("partial", ""),
        ("endpoint", "may i have a coffee"),
    ]
    assert (events[1].start, events[1].end) == (again[3].start, again[4].end)


def test_the_next_utterance_is_told_as_it_is():
    again, later = words("may i have"), words("may i have", start=15.0)
    whole = [event("committed", again), event("endpoint", again)]
    events = heard(KNOWN, *whole, event("committed", later), event("endpoint", later))
    assert told(events) == [
        ("endpoint", "may i have"),
        ("committed", "may i have"),
        ("endpoint", "may i have"),
    ]


@pytest.mark.parametrize(
    ("again", "new"),
    [
        ("may i have a coffee", "a coffee"),
        ("may we have a coffee", "a coffee"),  # read otherwise
        ("may i had a coffee", "a coffee"),
        ("i have a coffee", "a coffee"),  # a word less
        ("may i have have", "have"),  # a word that was really said twice
    ],
)
def test_words_that_are_read_otherwise_are_known_by_their_place(again, new):
    start = 10.5 if again.startswith("i ") else 10.0
    (committed,) = heard(KNOWN, event("committed", words(again, start)))
    assert committed.text.strip() == new


@pytest.mark.parametrize("shift", [-0.4, -0.2, 0.2, 0.4])
def test_words_that_shift_are_still_known(shift):
    again = words("may i have a coffee", 10.0 + shift)
    (committed,) = heard(KNOWN, event("committed", again))
    assert committed.text == " a coffee"
    assert committed.start >= KNOWN[-1].end


def test_the_same_word_said_later_is_new():
    (committed,) = heard(KNOWN, event("committed", words("have", start=13.0)))
    assert committed.text == " have"


def test_an_end_before_the_last_known_word_is_none():
    early = event("endpoint", words("may"), audio_time=11.0)
    assert heard(KNOWN, early, event("committed", words("may i"))) == []


def test_where_to_start():
    past = Past(" go may i have", 11.5, " go", 9.0, KNOWN)
    assert past.hear_again() == Start(9.0, " go", KNOWN)
    assert past.go_on() == Start(11.5, " go may i have", ())
    assert Past().hear_again() == Past().go_on() == Start(0.0, "", ())


def test_who_speaks_without_a_pause_is_not_heard_again_for_long():
    past = Past(" go on and on", 80.0, " go", 9.0, KNOWN)
    assert past.hear_again() == past.go_on()

"""From a buffer to a hypothesis: what is done about a text that is doubtful."""

from __future__ import annotations

import pytest

from whisperq_edge.edge.decoding.decoder import Decoder
from whisperq_edge.edge.streaming.options import StreamingOptions
from whisperq_edge.edge.streaming.recognizer import Given, Recognizer

from ..tone_session import ToneSession, generation, speak, tokenizer

WHOLE = 3000  # frames of the longest window
SOUND = speak("zero one two", pause_s=0.3)


class Mumbling(ToneSession):
    """Hears the right words, but is unsure of them in some windows.

    Args:
        unsure: Asked with the frames of a window.
        n_others: How many other words are nearly as likely.
    """

    def __init__(self, unsure, n_others=60):
        super().__init__()
        self._unsure = unsure
        self._others = dict.fromkeys(range(1000, 1000 + n_others), 0.0)

    def _predict(self, n_encoded, past):
        (likely,) = super()._predict(n_encoded, past)
        if not self._unsure(self.encoded[-1]):
            return {likely: 0.0}
        return {likely: 0.1} | self._others  # the greedy choice is right all the same


class Looping(ToneSession):
    """Repeats one word for ever, unless the window is whole."""

    def _predict(self, n_encoded, past):
        if self.encoded[-1] == WHOLE or not self.tones:
            return super()._predict(n_encoded, past)
        return {self.tones[0].token: 0.0}


def recognizer(session, **options):
    options = StreamingOptions(language="en", **options)
    return Recognizer(Decoder(session, tokenizer(), generation(), options), options)


def text(hypothesis):
    return "".join(word.word for word in hypothesis.words).strip()


def never(n_frames):
    return False


def in_short_windows(n_frames):
    return n_frames < WHOLE


def always(n_frames):
    return True


def test_a_sure_text_needs_one_short_window():
    session = Mumbling(never)
    one = recognizer(session)
    found = one.hear(SOUND, Given(), final=True)
    assert text(found) == "zero one two"
    assert not found.is_doubtful
    assert len(session.encoded) == 1
    assert session.encoded[0] < 400
    assert (one.counts.updates, one.counts.widened, one.counts.drawn) == (1, 0, 0)
    assert one.counts.encoded_s == session.encoded[0] / 100


@pytest.mark.parametrize("final", [False, True])
def test_a_doubtful_text_is_read_again_from_the_whole_window(final):
    session = Mumbling(in_short_windows)
    one = recognizer(session)
    found = one.hear(SOUND, Given(), final=final)
    assert [n < WHOLE for n in session.encoded] == [True, False]
    assert (found.is_doubtful, found.temperature) == (False, 0.0)
    assert (one.counts.widened, one.counts.drawn) == (1, 0)


def test_a_text_that_goes_round_in_circles_is_read_again():
    session = Looping()
    found = recognizer(session).hear(SOUND, Given(), final=False)
    assert text(found) == "zero one two"
    assert len(session.encoded) == 2


def test_without_the_guard_circles_are_found_by_their_compression_alone():
    one = recognizer(Looping(), repetition_guard=False, compression_ratio_threshold=None)
    found = one.hear(SOUND, Given(), final=False)
    # It ran to the end of its room, which is as doubtful.
    assert one.counts.widened == 1
    assert text(found) == "zero one two"


def test_whole_windows_that_do_not_help_are_not_asked_for_again():
    session = Mumbling(always)
    one = recognizer(session)
    for _ in range(3):
        assert one.hear(SOUND, Given(), final=False).is_doubtful
    assert session.encoded.count(WHOLE) == 1
    one.reset()  # another utterance
    one.hear(SOUND, Given(), final=False)
    assert session.encoded.count(WHOLE) == 2


def test_who_saves_work_asks_for_no_whole_window_until_the_end():
    session = Mumbling(in_short_windows)
    one = recognizer(session)
    assert one.hear(SOUND, Given(), final=False, thrifty=True).is_doubtful
    assert WHOLE not in session.encoded
    assert not one.hear(SOUND, Given(), final=True, thrifty=True).is_doubtful
    assert session.encoded[-1] == WHOLE


def test_who_saves_work_looks_again_at_what_is_doubtful_alone():
    session = Mumbling(in_short_windows, n_others=1)
    one = recognizer(session)
    one.hear(SOUND, Given(), final=True, thrifty=True)
    assert WHOLE not in session.encoded
    one.hear(SOUND, Given(), final=True)
    assert WHOLE in session.encoded


def test_only_the_last_text_of_an_utterance_is_drawn():
    one = recognizer(Mumbling(always), temperature=(0.0, 0.4, 0.8))
    one.hear(SOUND, Given(), final=False)
    assert one.counts.drawn == 0
    found = one.hear(SOUND, Given(), final=True)
    assert one.counts.drawn == 1
    assert found.temperature == 0.8


def test_the_given_words_are_followed():
    session = ToneSession()
    tokens = tokenizer().encode(" zero one")
    given = Given(previous=(), tokens=tokens, probabilities=[1.0] * len(tokens))
    found = recognizer(session).hear(SOUND, given, final=False)
    assert text(found) == "two"
    (word,) = found.words
    assert word.start == pytest.approx(1.0, abs=0.15)
    assert 50 <= found.attended[0] < 70


def test_words_in_a_silence_are_left_out():
    found = recognizer(ToneSession()).hear(SOUND, Given(), final=True)
    kept = found.outside([(0.4, 1.05)])  # "one" was said from 0.5 to 0.9 s
    assert text(kept) == "zero two"
    assert len(kept.attended) == 2
    assert text(found.outside([(0.6, 1.05)])) == "zero one two"


def test_a_text_that_is_only_less_sure_than_usual_is_read_again_too():
    session = Mumbling(in_short_windows, n_others=1)
    found = recognizer(session).hear(SOUND, Given(), final=False)
    assert not found.is_doubtful
    assert [n < WHOLE for n in session.encoded] == [True, False]


def test_whole_windows_that_make_it_no_likelier_are_not_asked_for_again():
    session = Mumbling(always, n_others=1)
    one = recognizer(session)
    for _ in range(3):
        one.hear(SOUND, Given(), final=False)
    assert session.encoded.count(WHOLE) == 1

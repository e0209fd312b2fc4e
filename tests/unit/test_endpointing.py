"""Where utterances start and end, with a detector that says what the test wants."""

from __future__ import annotations

import numpy as np
import pytest

from whisperq_edge.edge.audio.activity import VoiceActivity
from whisperq_edge.edge.streaming.endpointing import Endpointer
from whisperq_edge.edge.types import SAMPLE_RATE

N_FRAME = 512
FRAME = np.zeros(N_FRAME, np.float32)
PADDING = round(0.3 * SAMPLE_RATE)
MIN_SILENCE_S = 0.32  # ten frames
YES, UNSURE, NO = 0.9, 0.4, 0.1


class ScriptedActivity(VoiceActivity):
    """Says what it was given, then that nobody speaks."""

    n_frame = N_FRAME

    def __init__(self, *probabilities):
        self.script = iter(probabilities)
        self.n_resets = 0

    def probability(self, frame):
        return next(self.script, 0.0)

    def reset(self):
        self.n_resets += 1


def endpointer(*probabilities, threshold=0.5, min_silence_s=MIN_SILENCE_S):
    activity = ScriptedActivity(*probabilities)
    return Endpointer(activity, threshold=threshold, min_silence_s=min_silence_s)


def hear(one, n_frames):
    """Frames at which an utterance started (as its start), or ended, in order."""
    news = []
    for number in range(n_frames):
        was = one.speaking
        one.take(FRAME)
        if one.speaking != was:
            news.append((number, "start" if one.speaking else "end"))
    return news


def test_a_voice_starts_with_its_fourth_frame_and_the_utterance_before_its_first():
    one = endpointer(*[NO] * 20, *[YES] * 5)
    assert hear(one, 25) == [(23, "start")]
    assert one.start == 20 * N_FRAME - PADDING
    assert one.voiced_until == 25 * N_FRAME


@pytest.mark.parametrize("n_voiced", [1, 2, 3])
def test_clicks_start_nothing(n_voiced):
    one = endpointer(*([YES] * n_voiced + [NO]) * 50)
    assert hear(one, 50 * (n_voiced + 1)) == []
    assert one.voiced_until == 0
    assert one.silences(0, 10 * N_FRAME) == [(0, 10 * N_FRAME)]


def test_a_voice_goes_on_below_the_threshold_but_does_not_start_there():
    assert hear(endpointer(*[UNSURE] * 20), 20) == []
    one = endpointer(YES, *[UNSURE] * 19)
    assert hear(one, 20) == [(3, "start")]
    assert one.voiced_until == 20 * N_FRAME


def test_after_a_pause_the_voice_has_to_reach_the_threshold_again():
    one = endpointer(*[YES] * 5, NO, *[UNSURE] * 5)
    hear(one, 11)
    assert one.voiced_until == 5 * N_FRAME


@pytest.mark.parametrize("threshold", [0.005, 0.02, 0.1])
def test_a_low_threshold_still_ends_utterances(threshold):
    one = endpointer(*[YES] * 5, threshold=threshold)
    assert hear(one, 30)[-1] == (14, "end")


def test_an_utterance_ends_after_the_least_silence():
    one = endpointer(*[NO] * 5, *[YES] * 10)
    assert hear(one, 40) == [(8, "start"), (24, "end")]
    assert one.voiced_until == 15 * N_FRAME


def test_a_shorter_pause_ends_nothing():
    one = endpointer(*[YES] * 10, *[NO] * 9, YES)
    assert hear(one, 20) == [(3, "start")]


def test_no_utterance_starts_before_the_stream_or_within_the_last():
    one = endpointer(*[YES] * 4, *[NO] * 4, *[YES] * 4, min_silence_s=0.1)
    hear(one, 4)
    assert one.start == 0
    assert hear(one, 8) == [(3, "end"), (7, "start")]
    assert one.start == 4 * N_FRAME


def test_silences_lie_between_voices():
    one = endpointer(*[NO] * 3, *[YES] * 4, *[NO] * 2, YES, *[NO] * 3)
    hear(one, 13)
    frames = [(start // N_FRAME, end // N_FRAME) for start, end in one.silences(0, 13 * N_FRAME)]
    assert frames == [(0, 3), (7, 9), (10, 13)]
    assert one.silences(5 * N_FRAME + 1, 8 * N_FRAME - 1) == [(7 * N_FRAME, 8 * N_FRAME - 1)]
    assert one.silences(3 * N_FRAME, 7 * N_FRAME) == []


def test_memory_is_bounded_for_a_speaker_who_never_pauses():
    one = endpointer(*([YES] * 4 + [NO]) * 4000)
    assert len(hear(one, 20_000)) == 1  # of ten minutes
    assert len(one._voiced) <= 60 * SAMPLE_RATE / (5 * N_FRAME) + 1
    end = 20_000 * N_FRAME
    assert len(one.silences(end - 50 * N_FRAME, end)) == 10
    assert one.silences(0, 1000 * N_FRAME) == []  # too long ago


def test_reset_ends_the_utterance_and_counts_on():
    one = endpointer(*[YES] * 4, NO, NO)
    hear(one, 6)
    assert one.speaking
    one.reset()
    assert not one.speaking and one._activity.n_resets == 1
    one._activity.script = iter([YES] * 4)
    assert hear(one, 4) == [(3, "start")]
    assert (one.start, one.voiced_until) == (6 * N_FRAME, 10 * N_FRAME)


def test_a_voice_that_was_just_beginning_does_not_survive_a_reset():
    one = endpointer(*[YES] * 6)
    hear(one, 3)
    one.reset()
    assert hear(one, 3) == []

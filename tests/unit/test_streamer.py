"""The streamer over a session that hears tones as words: what it promises, whatever the runtime."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from whisperq_edge.edge.errors import AudioError, ConfigError, UnknownNameError
from whisperq_edge.edge.streaming.options import StreamingOptions
from whisperq_edge.edge.streaming.streamer import Streamer
from whisperq_edge.edge.types import SAMPLE_RATE, AudioContexts

from ..tone_session import GAP_S, WORD_S, ToneActivity, ToneSession, generation, speak, tokenizer

POLICIES = ("local-agreement", "alignatt")
PAUSE = np.zeros(SAMPLE_RATE, np.float32)
SENTENCE = "zero one two three four five six seven"
TWICE = f"{SENTENCE} {SENTENCE}"
BLOCK = 1600  # samples: 100 ms

every_policy = pytest.mark.parametrize("policy", POLICIES)


def streamer(session=None, *, notify=lambda line: None, clock=None, **options):
    options = {"language": "en", "hallucination_silence_threshold": None, **options}
    return Streamer(
        session or ToneSession(),
        tokenizer(),
        generation(),
        StreamingOptions(**options),
        activity=ToneActivity(),
        notify=notify,
        clock=clock or itertools.count().__next__,
    )


def stream(stream, samples, block=BLOCK, behind_s=0.0):
    """Feed everything in blocks and finish; all events."""
    events = []
    for start in range(0, len(samples), block):
        events += stream.feed(samples[start : start + block], behind_s=behind_s)
    return events + stream.finish()


def committed(events):
    return "".join(event.text for event in events if event.kind == "committed").strip()


def prompts(session):
    """The text before the window, of every window that had one."""
    starts = [step[0].tolist() for step in session.steps]
    led = [tokens for tokens in starts if tokens[0] == tokenizer().sot_prev]
    return [tokenizer().decode(tokens).strip() for tokens in led]


def kinds(events):
    return [event.kind for event in events]


@every_policy
def test_every_word_is_committed_once_and_in_order(policy):
    events = stream(streamer(policy=policy), speak(SENTENCE, pause_s=1.0))
    assert committed(events) == SENTENCE
    assert kinds(events)[-1] == "endpoint"
    assert events[-1].text.strip() == SENTENCE


@every_policy
def test_words_are_committed_while_the_speaker_goes_on(policy):
    sound = speak(SENTENCE)
    events = streamer(policy=policy).feed(sound)
    said = committed(events)
    assert said and SENTENCE.startswith(said)
    assert "endpoint" not in kinds(events)


@every_policy
@pytest.mark.parametrize("block", [160, 1000, 48_000, 10**9])
def test_the_text_does_not_depend_on_how_the_sound_is_cut(policy, block):
    sound = np.concatenate([speak(SENTENCE, pause_s=1.0), speak("three one", pause_s=0.3)])
    expected = stream(streamer(policy=policy), sound, 512)
    found = stream(streamer(policy=policy), sound, block)
    strip = [(one.kind, one.text, one.words, one.audio_time) for one in found]
    assert strip == [(one.kind, one.text, one.words, one.audio_time) for one in expected]


@every_policy
def test_partial_and_committed_text_together_are_what_is_heard_so_far(policy):
    events = stream(streamer(policy=policy, frame_threshold=50), speak(SENTENCE, pause_s=1.0))
    partials = [event for event in events if event.kind == "partial"]
    assert partials
    sure = ""
    for event in events[:-1]:
        if event.kind == "committed":
            sure += event.text
        # The newest word may be misheard, all others are right.
        heard = (sure + event.text * (event.kind == "partial")).split()
        assert SENTENCE.split()[: len(heard) - 1] == heard[:-1]


@every_policy
def test_words_lie_where_they_were_said(policy):
    sound = np.concatenate([PAUSE, speak(SENTENCE, pause_s=1.0), speak("five", pause_s=1.0)])
    events = stream(streamer(policy=policy), sound)
    words = [word for event in events if event.kind == "committed" for word in event.words]
    starts = [1 + index * (WORD_S + GAP_S) for index in range(8)]
    starts.append(1 + 8 * (WORD_S + GAP_S) + 1)
    assert [word.word.strip() for word in words] == [*SENTENCE.split(), "five"]
    for word, start in zip(words, starts, strict=True):
        assert word.start == pytest.approx(start, abs=GAP_S + 0.06)
        assert word.end == pytest.approx(start + WORD_S, abs=GAP_S + 0.06)


@every_policy
def test_times_never_run_back_and_nothing_is_told_before_it_is_heard(policy):
    sound = np.concatenate([speak(SENTENCE, pause_s=0.8), speak(SENTENCE, pause_s=0.8)])
    events = stream(streamer(policy=policy), sound)
    words = [word for event in events if event.kind == "committed" for word in event.words]
    bounds = [bound for word in words for bound in (word.start, word.end)]
    assert bounds == sorted(bounds)
    for event in events:
        assert event.start <= event.end <= event.audio_time
    assert [event.emission_time for event in events] == sorted(e.emission_time for e in events)


def test_local_agreement_keeps_the_newest_word_back():
    sound = speak("zero one two three")
    half_way_into_a_word = sound[: round(1.15 * SAMPLE_RATE)]
    follower = streamer(policy="local-agreement", chunk_s=0.5)
    events = follower.feed(half_way_into_a_word)
    assert committed(events) == "zero"
    partial = [event for event in events if event.kind == "partial"][-1]
    assert partial.text.split() == ["one"]


def test_alignatt_commits_what_is_far_enough_from_the_end():
    # Heard: one second. Of that, what is too new holds the second word, or not.
    events = streamer(policy="alignatt", frame_threshold=30).feed(speak("zero one two")[:16_384])
    assert committed(events) == "zero"
    events = streamer(policy="alignatt", frame_threshold=2).feed(speak("zero one two")[:16_384])
    assert committed(events) == "zero one"


@every_policy
def test_silence_is_never_decoded(policy):
    session = ToneSession()
    assert stream(streamer(session, policy=policy), np.tile(PAUSE, 60)) == []
    assert session.encoded == []


def test_without_vad_silence_is_decoded_and_the_end_is_the_only_endpoint():
    sound = speak("zero one", pause_s=2.0)
    events = stream(
        Streamer(
            ToneSession(), tokenizer(), generation(), StreamingOptions(language="en", vad=False)
        ),
        sound,
    )
    assert committed(events) == "zero one"
    assert kinds(events).count("endpoint") == 1 and kinds(events)[-1] == "endpoint"


@every_policy
def test_windows_are_as_short_as_the_sound(policy):
    session = ToneSession()
    stream(streamer(session, policy=policy), speak("zero one", pause_s=1.0))
    assert max(session.encoded) <= 300  # frames: 1 s of sound, 0.3 s of tail and the padding
    session = ToneSession()
    stream(streamer(session, policy=policy, audio_context="full"), speak("zero one", pause_s=1.0))
    assert set(session.encoded) == {3000}


@every_policy
@pytest.mark.parametrize("trimming", ["segment", "sentence"])
def test_a_speaker_who_never_pauses_is_heard_to_the_end(policy, trimming):
    text = " ".join(SENTENCE.split() * 12)  # 48 s
    session = ToneSession()
    follower = streamer(session, policy=policy, buffer_trimming_s=6, buffer_trimming=trimming)
    assert committed(stream(follower, speak(text, pause_s=1.0))) == text
    assert max(session.encoded) <= 100 * (6 + 1 + 1 + 1)  # limit, a chunk, padding, rounding


@every_policy
@pytest.mark.parametrize("contexts", [AudioContexts(250, (100, 250)), AudioContexts(500, (500,))])
def test_short_fixed_windows_hold_any_utterance(policy, contexts):
    text = " ".join(SENTENCE.split() * 4)
    session = ToneSession(contexts)
    assert committed(stream(streamer(session, policy=policy), speak(text, pause_s=1.0))) == text


@every_policy
def test_text_that_left_the_buffer_leads_what_follows_it(policy):
    session = ToneSession()
    follower = streamer(session, policy=policy, initial_prompt="six seven", buffer_trimming_s=3)
    stream(follower, speak(TWICE, pause_s=1.0))
    assert prompts(session)[0] == "six seven"
    led = prompts(session)[-1]
    assert led.startswith("six seven zero one") and f"six seven {TWICE}".startswith(led)
    session = ToneSession()
    options = {"policy": policy, "buffer_trimming_s": 3, "condition_on_previous_text": False}
    stream(streamer(session, **options), speak(SENTENCE, pause_s=1.0))
    assert prompts(session) == []


@every_policy
def test_text_before_a_pause_does_not_lead_what_follows_it(policy):
    session = ToneSession()
    follower = streamer(session, policy=policy, initial_prompt="six seven")
    sound = np.concatenate([speak("zero", pause_s=1.0), speak("one", pause_s=1.0)])
    stream(follower, sound)
    assert set(prompts(session)) == {"six seven"}


def test_a_stream_goes_on_where_another_stopped():
    follower = Streamer(
        session := ToneSession(),
        tokenizer(),
        generation(),
        StreamingOptions(language="en"),
        activity=ToneActivity(),
        start_s=100.0,
        previous_text=" seven six",
    )
    events = stream(follower, speak("zero one", pause_s=1.0))
    assert 100.0 <= events[-1].start < events[-1].end < 102.0
    assert events[-1].audio_time > 101.5
    assert prompts(session)[0] == "seven six"


@every_policy
def test_a_stream_that_falls_behind_saves_work_says_so_and_catches_up(policy):
    text = " ".join(SENTENCE.split() * 20)
    sound = speak(text, pause_s=1.0)
    told = []
    session = ToneSession()
    follower = streamer(session, policy=policy, notify=told.append)
    n_half = len(sound) // 2
    events = follower.feed(sound[:n_half], behind_s=20.0)
    assert "partial" not in kinds(events)
    n_windows_behind = len(session.encoded)
    events += follower.feed(sound[n_half:], behind_s=0.0) + follower.finish()
    assert committed(events) == text
    assert "partial" in kinds(events)
    assert n_windows_behind < (len(session.encoded) - n_windows_behind) / 2
    assert len(told) == 2
    assert told[0].startswith("20.0 s behind") and "short window" in told[0]
    assert told[1].startswith("caught up")


def test_alignatt_stops_early_where_partial_text_is_dropped():
    sound = speak(" ".join(SENTENCE.split() * 2))
    full, thrifty = ToneSession(), ToneSession()
    streamer(full, policy="alignatt", chunk_s=2.0, frame_threshold=100).feed(sound)
    streamer(thrifty, policy="alignatt", chunk_s=0.5, frame_threshold=100).feed(sound, behind_s=5.0)
    assert thrifty.n_steps < full.n_steps


@pytest.mark.parametrize(
    "samples",
    [
        np.zeros((2, 512), np.float32),
        np.zeros(512, np.int16),
        np.full(512, np.nan, np.float32),
    ],
    ids=["stereo", "integers", "not a number"],
)
def test_sound_that_cannot_be_heard_is_refused(samples):
    with pytest.raises(AudioError):
        streamer().feed(samples)


@pytest.mark.parametrize(
    "options",
    [
        {"policy": "guess"},
        {"beam_size": 5},
        {"best_of": 2},
        {"chunk_s": 0.01},
        {"without_timestamps": False},
        {"buffer_trimming_s": 60},
        {"buffer_trimming": "never"},
        {"audio_context": "half"},
        {"frame_threshold": -1},
        {"vad_threshold": 1.0},
        {"min_silence_s": 0},
        {"hallucination_silence_threshold": -1.0},
    ],
    ids=lambda options: next(iter(options)),
)
def test_options_out_of_range_are_refused(options):
    with pytest.raises((ConfigError, UnknownNameError)):
        StreamingOptions(**options)

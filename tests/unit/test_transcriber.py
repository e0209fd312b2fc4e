"""The transcriber on written predictions: windows, seek, the text before, silence and failures."""

from __future__ import annotations

from importlib.resources import files

import numpy as np
import pytest

from whisperq_edge.edge.audio.recording import AudioSource, samples_source
from whisperq_edge.edge.decoding.tokens import Tokenizer
from whisperq_edge.edge.errors import AudioError, ConfigError
from whisperq_edge.edge.transcription.options import TranscriptionOptions
from whisperq_edge.edge.transcription.transcriber import Transcriber
from whisperq_edge.edge.types import AudioContexts, GenerationSettings
from whisperq_edge.tests.scripted_session import ANY_CONTEXT, ScriptedSession

GENERATION = GenerationSettings(("en", "de"), (3,), (220,), ())
EOT, SOT, EN, DE, SOT_PREV, NO_SPEECH, T0 = 50257, 50258, 50259, 50261, 50361, 50362, 50364
LIKELY = 20.0


@pytest.fixture(scope="module")
def tokenizer():
    content = (files("whisperq_edge.models") / "demo" / "tokenizer.json").read_bytes()
    return Tokenizer(content, GENERATION)


@pytest.fixture
def words(tokenizer):
    return {word: tokenizer.encode(f" {word}")[0] for word in ("one", "two", "three", "four")}


def at(seconds):
    return T0 + round(seconds * 50)


class Speech:
    """Answers window after window; after the last one, with nothing.

    Args:
        replies: Tokens for each window that is encoded.
        doubt: Windows whose tokens are unlikely.
        silent: Windows in which nobody speaks.
    """

    def __init__(self, *replies, doubt=(), silent=()):
        self.replies, self.doubt, self.silent = replies, doubt, silent
        self.prompts = {}

    def __call__(self, window, past):
        if past[-1] == SOT:
            silence = 25.0 if window in self.silent else 0.0
            return {DE: 5.0, EN: 4.0, T0: LIKELY, NO_SPEECH: silence}
        start = len(past) - past[::-1].index(SOT)
        self.prompts[window] = past[: start - 1]
        said = [token for token in past[start:] if token < SOT or token >= T0]
        reply = self.replies[window - 1] if window <= len(self.replies) else [T0]
        token = (*reply, EOT)[len(said)] if len(said) <= len(reply) else EOT
        return {token: -22.0 if window in self.doubt else LIKELY}


def transcribe(tokenizer, speech, samples, contexts=ANY_CONTEXT, **options):
    session = ScriptedSession(speech, contexts=contexts)
    found = []
    transcript = Transcriber(session, tokenizer, GENERATION).transcribe(
        samples, TranscriptionOptions(**options), on_segment=found.append
    )
    assert tuple(found) == transcript.segments
    return transcript, session


def noise(seconds):
    return np.random.default_rng(0).normal(0, 0.1, round(seconds * 16_000)).astype(np.float32)


def times(transcript):
    return [(round(s.start, 2), round(s.end, 2), s.text) for s in transcript.segments]


def test_windows_follow_the_timestamps(tokenizer, words):
    one, two, three = (words[w] for w in ("one", "two", "three"))
    speech = Speech(
        [at(0), one, at(10), at(12), two],  # cut off: the next window starts at 10 s
        [at(0), two, at(20), at(20), three, at(25)],  # nothing follows: it starts at 40 s
        [at(1), one, at(2), at(2), two, at(3)],
    )
    transcript, session = transcribe(tokenizer, speech, noise(50), audio_context="full")
    assert times(transcript) == [
        (0, 10, " one"),
        (10, 30, " two"),
        (30, 35, " three"),
        (41, 42, " one"),
        (42, 43, " two"),
    ]
    assert [s.seek for s in transcript.segments] == [0, 1000, 1000, 4000, 4000]
    assert [s.id for s in transcript.segments] == list(range(5))
    assert transcript.text == " one two three one two"
    assert transcript.duration == 50
    assert session.encoded == [3000, 3000, 3000]


def test_a_window_is_told_the_text_before(tokenizer, words):
    replies = [[at(0), words["one"], at(30)], [at(0), words["two"], at(30)], [T0]]
    speech = Speech(*replies)
    transcribe(tokenizer, speech, noise(70), initial_prompt="four ", audio_context="full")
    assert speech.prompts == {
        1: (SOT_PREV, words["four"]),
        2: (SOT_PREV, words["four"], *replies[0]),
        3: (SOT_PREV, words["four"], *replies[0], *replies[1]),
    }
    speech = Speech(*replies)
    transcribe(
        tokenizer, speech, noise(70), initial_prompt="four", condition_on_previous_text=False
    )
    assert (speech.prompts[1], speech.prompts[2]) == ((SOT_PREV, words["four"]), ())


@pytest.mark.parametrize(("temperature", "kept"), [(0.5, True), (0.6, False)])
def test_a_text_of_high_temperature_does_not_lead_on(tokenizer, words, temperature, kept):
    replies = [[at(0), words["one"], at(30)], [T0]]
    speech = Speech(*replies)
    transcribe(tokenizer, speech, noise(60), temperature=(temperature,), audio_context="full")
    assert speech.prompts[2] == ((SOT_PREV, *replies[0]) if kept else ())


def test_the_language_is_detected_once(tokenizer):
    transcript, session = transcribe(tokenizer, Speech([T0], [T0]), noise(60), audio_context="full")
    assert transcript.language == "de"
    assert [s.tolist() for s in session.steps].count([[SOT]]) == 3  # the detection, two prompts
    transcript, _ = transcribe(tokenizer, Speech([T0]), noise(5), language="English")
    assert transcript.language == "en"


def test_silence_is_passed_over(tokenizer, words):
    reply = [at(0), words["one"], words["one"], words["one"], at(30)]
    transcript, session = transcribe(
        tokenizer, Speech(reply, reply, doubt=[1], silent=[1, 2]), noise(60), audio_context="full"
    )
    # The second window is likely enough to be taken for speech all the same.
    assert times(transcript) == [(30, 60, " one one one")]
    assert len(session.encoded) == 2  # silence is not tried again


def test_digital_silence_is_not_even_encoded(tokenizer, words):
    samples = np.concatenate([np.zeros(30 * 16_000, np.float32), noise(5)])
    transcript, session = transcribe(tokenizer, Speech([at(0), words["one"], at(1)]), samples)
    assert times(transcript) == [(30, 31, " one")]
    assert len(session.encoded) == 1
    transcript, session = transcribe(tokenizer, Speech(), samples[: 45 * 1600])
    assert (transcript.text, transcript.segments, transcript.language) == ("", (), "")
    assert not session.encoded


def test_segments_without_text_are_left_out(tokenizer, words):
    reply = [at(1), 1000, 220, at(2), at(2), 220, 220, at(4), at(4), words["two"], at(5)]
    transcript, _ = transcribe(tokenizer, Speech(reply), noise(10))
    assert [segment.id for segment in transcript.segments] == [0, 1]
    assert [segment.start for segment in transcript.segments] == [1, 4]


@pytest.mark.parametrize(
    ("seconds", "frames"), [(0.01, 150), (5, 600), (28.9, 3000), (30, 3000), (35, 3000)]
)
def test_a_short_window_is_encoded_short(tokenizer, seconds, frames):
    _, session = transcribe(tokenizer, Speech([at(0), 10, at(0.5), at(0.5)]), noise(seconds))
    assert session.encoded[0] == frames


def test_the_last_window_is_encoded_short(tokenizer, words):
    reply = [at(0), words["one"], at(30)]
    _, session = transcribe(tokenizer, Speech(reply, reply), noise(33))
    assert session.encoded == [3000, 400]
    _, session = transcribe(tokenizer, Speech(reply, reply), noise(33), audio_context="full")
    assert session.encoded == [3000, 3000]


def test_fixed_contexts_are_used_as_they_are(tokenizer, words):
    contexts = AudioContexts(500, (250, 500))
    reply = [at(0), words["one"], at(10)]
    transcript, session = transcribe(
        tokenizer, Speech(reply, reply, [at(0), words["two"], at(3)]), noise(23), contexts
    )
    assert session.encoded == [1000, 1000, 500]
    assert times(transcript) == [(0, 10, " one"), (10, 20, " one"), (20, 23, " two")]


@pytest.mark.parametrize(
    "speech",
    [
        Speech([T0, 10], [T0, 11, at(2)], doubt=[1]),
        Speech([T0, *[10] * 40], [T0, 11, at(2)]),  # repeats itself
        Speech([T0, *range(1000, 1400)], [T0, 11, at(2)]),  # does not end
    ],
    ids=["doubtful", "repetitive", "endless"],
)
def test_a_doubtful_short_window_is_encoded_in_full(tokenizer, speech):
    transcript, session = transcribe(tokenizer, speech, noise(5))
    assert session.encoded == [600, 3000]
    [segment] = transcript.segments
    assert segment.tokens == (T0, 11, at(2))
    assert segment.temperature == 0.0


def test_only_the_full_window_is_left_to_chance(tokenizer):
    speech = Speech([T0, 10], [T0, 11, 12], doubt=[1, 2])
    transcript, session = transcribe(tokenizer, speech, noise(5))
    assert session.encoded == [600, 3000]
    assert all(segment.temperature > 0 for segment in transcript.segments)


def test_times_end_with_the_sound(tokenizer, words):
    speech = Speech([at(1), words["one"], at(3), at(5), words["two"], at(6)])
    transcript, _ = transcribe(tokenizer, speech, noise(2.5))
    assert times(transcript) == [(1, 2.5, " one"), (2.5, 2.5, " two")]


def test_what_is_done_is_delivered_before_an_interrupt(tokenizer, words):
    def stop_at_second_window(window, past):
        if window == 2:
            raise KeyboardInterrupt
        return Speech([at(0), words["one"], at(30)])(window, past)

    found = []
    session = ScriptedSession(stop_at_second_window)
    with pytest.raises(KeyboardInterrupt):
        Transcriber(session, tokenizer, GENERATION).transcribe(noise(60), on_segment=found.append)
    assert [segment.text for segment in found] == [" one"]


def test_progress_ends_at_one(tokenizer):
    told = []
    Transcriber(ScriptedSession(Speech()), tokenizer, GENERATION).transcribe(
        noise(70), progress=lambda stage, done: told.append((stage, done))
    )
    assert [stage for stage, _ in told] == ["transcribe"] * 3
    assert [done for _, done in told] == [pytest.approx(30 / 70), pytest.approx(60 / 70), 1.0]


class Announced(AudioSource):
    """Four minutes of noise that exist only where they are read, announced as an hour."""

    name = "announced"
    longest_read = 0

    @property
    def n_samples(self):
        return 3600 * 16_000

    def read(self, start, n):
        self.longest_read = max(self.longest_read, n)
        return noise(1)[: max(0, min(n, 240 * 16_000 - start))].repeat(30)[:n]


def test_memory_holds_one_window_and_the_header_may_be_wrong(tokenizer):
    source = Announced()
    _, session = transcribe(tokenizer, Speech(), source)
    assert len(session.encoded) == 8
    assert source.longest_read == 30 * 16_000


@pytest.mark.parametrize("samples", [np.zeros(0, np.float32), np.zeros((2, 100), np.float32)])
def test_samples_that_are_no_sound_are_refused(tokenizer, samples):
    with pytest.raises(AudioError):
        transcribe(tokenizer, Speech(), samples)


def test_less_than_a_frame_is_no_speech(tokenizer):
    transcript, session = transcribe(tokenizer, Speech(), samples_source(noise(0.009)))
    assert (transcript.text, session.encoded) == ("", [])


def test_options_are_checked_before_the_sound_is_read(tokenizer):
    source = Announced()
    with pytest.raises(ConfigError, match="unknown language"):
        transcribe(tokenizer, Speech(), source, language="klingon")
    assert source.longest_read == 0

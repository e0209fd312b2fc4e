"""Every policy on every runtime, on recordings of real people: what is promised of a live text."""

from __future__ import annotations

import json
from functools import cache
from importlib.resources import files
from itertools import pairwise
from pathlib import Path

import pytest

from whisperq_edge.edge.artifact import TOKENIZER
from whisperq_edge.edge.audio.recording import load_audio
from whisperq_edge.edge.decoding.tokens import Tokenizer
from whisperq_edge.edge.streaming.options import StreamingOptions
from whisperq_edge.edge.streaming.streamer import Streamer
from whisperq_edge.edge.transcription.options import TranscriptionOptions
from whisperq_edge.edge.transcription.transcriber import Transcriber
from whisperq_edge.edge.transcription.word_errors import word_error_rate
from whisperq_edge.edge.types import SAMPLE_RATE
from whisperq_edge.runtimes import open_session

from ..demo_artifacts import demo_artifact

POLICIES = ("alignatt", "local-agreement")
# Core ML's programs are interpreted in NumPy here, at seconds of work per second of sound, and
# whisper.cpp's attention is computed there. (Of the six shortest, one word is a fortieth.)
TARGETS = {"onnx": None, "tflite": None, "openvino": None, "coreml": 6, "ggml": 8}
# Of the words that the offline transcript has: a stream commits before it has heard the rest, and
# each word that is read otherwise then stays. See docs/streaming.md for what was measured.
MOST_DIFFERENT = 0.10
# Of the words that were said: what a live text may be worse than the offline transcript.
MOST_WORSE = 0.03
BLOCK = SAMPLE_RATE // 10


@cache
def spoken():
    """The recordings with enough words to judge by, shortest first: paths and texts."""
    folder = Path(str(files("whisperq_edge.models") / "demo" / "recordings"))
    rows = map(json.loads, (folder / "manifest.jsonl").read_text().splitlines())
    wanted = [
        (row["duration"], folder / row["path"], row["text"])
        for row in rows
        if row["dataset"] not in ("out-of-domain", "joined")
        and len(row.get("text", "").split()) >= 5
    ]
    return [(path, text) for _, path, text in sorted(wanted)]


@cache
def opened(target):
    """A session, a tokenizer and the settings of generation; open to the end of the tests."""
    made = demo_artifact(target)
    generation = made.manifest.generation
    tokenizer = Tokenizer.read(made.folder / TOKENIZER, generation)
    return open_session(made, threads=1), tokenizer, generation


@cache
def streamed(target, policy, path):
    """The events of a recording in real time's order, by Silero's model and the default options."""
    streamer = Streamer(*opened(target), StreamingOptions(language="en", policy=policy))
    samples = load_audio(path)
    events = []
    for start in range(0, len(samples), BLOCK):
        events += streamer.feed(samples[start : start + BLOCK])
    return events + streamer.finish()


@cache
def offline(target, path):
    options = TranscriptionOptions(language="en")
    return Transcriber(*opened(target)).transcribe(load_audio(path), options).text.strip()


def committed(events):
    return "".join(event.text for event in events if event.kind == "committed").strip()


@pytest.fixture(params=TARGETS)
def target(request):
    opened(request.param)
    return request.param


@pytest.fixture
def clips(target):
    return spoken()[: TARGETS[target]]


@pytest.mark.parametrize("policy", POLICIES)
def test_a_live_text_is_nearly_the_offline_transcript(target, policy, clips):
    said = [text for _, text in clips]
    whole = [offline(target, path) for path, _ in clips]
    live = [committed(streamed(target, policy, path)) for path, _ in clips]
    difference = word_error_rate(whole, live)
    worse = word_error_rate(said, live) - word_error_rate(said, whole)
    assert sum(map(bool, whole)) == len(clips), "an empty transcript is no reference"
    assert difference <= MOST_DIFFERENT
    assert worse <= MOST_WORSE


@pytest.mark.parametrize("policy", POLICIES)
def test_events_keep_their_promises(target, policy, clips):
    for path, _ in clips:
        events = streamed(target, policy, path)
        duration_s = len(load_audio(path)) / SAMPLE_RATE
        words = [word for event in events if event.kind == "committed" for word in event.words]
        assert "".join(word.word for word in words).strip() == committed(events)
        assert all(word.start <= word.end <= later.start for word, later in pairwise(words))
        assert 0 <= words[0].start
        assert words[-1].end <= duration_s + 0.04  # the last frame of the detector is filled up
        # What is said of an utterance when it has ended is what was committed of it.
        ended = "".join(event.text for event in events if event.kind == "endpoint")
        assert ended.strip() == committed(events)
        assert events[-1].kind == "endpoint"
        # Nothing is told before it can be known, and a partial text follows what is committed.
        assert [e.audio_time for e in events] == sorted(e.audio_time for e in events)
        sure_s = 0.0
        for event in events:
            assert event.end <= event.audio_time
            if event.kind == "partial" and event.words:
                assert event.start >= sure_s
            if event.kind == "committed":
                sure_s = event.end


@pytest.mark.parametrize("policy", POLICIES)
def test_words_are_committed_before_the_speaker_stops(target, policy):
    """A text that comes only at the end would be the offline transcript, and no live one."""
    path, _ = spoken()[len(spoken()) // 2]  # nearly four seconds
    events = streamed(target, policy, path)
    said = [event for event in events if event.kind == "committed"]
    early = [event for event in said if event.audio_time < said[-1].end]
    assert sum(len(event.words) for event in early) >= sum(len(event.words) for event in said) / 3

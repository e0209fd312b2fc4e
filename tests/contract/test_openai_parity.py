"""The same weights and the same sound give the same tokens as openai/whisper's own ``transcribe``.

Four differences are known and taken out of the comparison:

- openai/whisper scales the features by the loudest frame of the whole file and pads the last window
  with the feature value 0; ours come from each window's sound, padded with silence. For one window
  that is padded to 30 s both are the same; for several, openai's loop is given our features.
- It keeps segments without text as empty ones, and times after the end of the sound.
- It lets a text that goes round in circles run to the longest length.
- Its whole text, unlike its segments, spells out special tokens where a model invents one.
"""

from __future__ import annotations

import re
from importlib.resources import files
from types import SimpleNamespace

import msgspec
import numpy as np
import pytest

from whisperq_edge.edge.audio.mel import log_mel
from whisperq_edge.edge.audio.recording import load_audio
from whisperq_edge.edge.decoding.tokens import Tokenizer
from whisperq_edge.edge.transcription.options import TranscriptionOptions
from whisperq_edge.edge.transcription.transcriber import Transcriber
from whisperq_edge.models.checkpoint import load_checkpoint
from whisperq_edge.models.parameters import prepare
from whisperq_edge.models.quantize import Recipe
from whisperq_edge.runtimes.run_reference import ReferenceSession

torch = pytest.importorskip("torch", reason="the oracle is openai-whisper")
pytest.importorskip("whisper", reason="the oracle is openai-whisper")

from whisperq_edge.tests import openai_oracle as oracle  # noqa: E402 (it needs both)

pytestmark = [
    # openai-whisper leaves its vocabulary file to the garbage collector.
    pytest.mark.filterwarnings("ignore:unclosed file:ResourceWarning"),
    pytest.mark.filterwarnings("ignore:__array_wrap__ must accept:DeprecationWarning"),
]

N_ORDERS = 11  # of the recordings; single words follow
RECORDINGS = files("whisperq_edge.models") / "demo" / "recordings"


@pytest.fixture(scope="module")
def checkpoint():
    return load_checkpoint("demo", offline=True)


@pytest.fixture(scope="module")
def ours(checkpoint):
    generation = msgspec.structs.replace(
        checkpoint.generation, begin_suppress_tokens=oracle.SUPPRESSED_FIRST
    )
    session = ReferenceSession(
        prepare(checkpoint, Recipe.of("fp32")), checkpoint.dimensions, generation
    )
    return Transcriber(session, Tokenizer(checkpoint.tokenizer, generation), generation)


@pytest.fixture(scope="module")
def theirs(checkpoint):
    n_threads = torch.get_num_threads()
    torch.set_num_threads(1)  # faster for matrices this small
    yield oracle.openai_model(checkpoint)
    torch.set_num_threads(n_threads)


@pytest.fixture(scope="module")
def clips():
    names = sorted(path.name for path in RECORDINGS.iterdir() if path.name.endswith(".flac"))
    return [load_audio(RECORDINGS / name) for name in names]


@pytest.fixture(scope="module")
def long_recording(clips):
    """A minute and a half of coffee orders with pauses."""
    random = np.random.default_rng(1)
    parts = []
    while sum(map(len, parts)) < 90 * 16_000:
        parts.append(clips[len(parts) // 2 % N_ORDERS])
        n_pause = round(random.uniform(0.3, 1.5) * 16_000)
        parts.append(random.normal(0, 1e-4, n_pause).astype(np.float32))
    return np.concatenate(parts)[: 90 * 16_000]


def comparable(segments, duration):
    """What has to agree exactly, and what has to agree to rounding."""
    segments = [segment for segment in segments if segment.text.strip()]
    exact = [(s.seek, list(s.tokens), s.text, s.temperature) for s in segments]
    near = [
        (min(s.start, duration), min(s.end, duration), s.avg_logprob, s.no_speech_prob)
        for s in segments
    ]
    return exact, np.array([[*row] for row in near]).reshape(-1, 4)


def assert_same(transcript, result, duration):
    exact, near = comparable(transcript.segments, duration)
    segments = [SimpleNamespace(**segment) for segment in result["segments"]]
    their_exact, their_near = comparable(segments, duration)
    assert exact == their_exact
    np.testing.assert_allclose(near, their_near, atol=1e-3)
    assert transcript.text == re.sub(r"<\|\w+\|>", "", result["text"])
    assert transcript.language == result["language"]


@pytest.fixture
def same_features(monkeypatch, checkpoint):
    """Let openai's loop cut the recording as it does, and take our features for each window."""
    return lambda samples: oracle.give_features(monkeypatch, checkpoint.dimensions.n_mels, samples)


SEARCHES = {
    "greedy": {},
    "beam": {"beam_size": 5},
    "patient-beam": {"beam_size": 3, "patience": 2.0, "length_penalty": 0.5},
    "without-timestamps": {"without_timestamps": True},
    "prompt": {"initial_prompt": "two coffees please", "language": "en"},
    "no-lists": {"suppress_tokens": (), "no_speech_threshold": None},
}
LONG_SEARCHES = {
    **{name: SEARCHES[name] for name in ("greedy", "beam", "without-timestamps", "prompt")},
    "without-the-text-before": {"condition_on_previous_text": False},
    "silence": {"logprob_threshold": -0.05, "no_speech_threshold": 1e-4},
}


def run_both(ours, theirs, samples, **options):
    options = {"temperature": (0.0,), **options}
    same = TranscriptionOptions(audio_context="full", repetition_guard=False, **options)
    transcript = ours.transcribe(samples, same)
    if "suppress_tokens" in options:
        options["suppress_tokens"] = [50258, 50358, 50359, 50360, 50361, 50362]
    return transcript, theirs.transcribe(samples, fp16=False, **options)


@pytest.mark.parametrize(
    ("number", "search"), [*((0, search) for search in SEARCHES), (5, "greedy"), (17, "greedy")]
)
def test_one_window(ours, theirs, clips, number, search):
    samples = np.zeros(oracle.N_SAMPLES, np.float32)
    samples[: len(clips[number])] = clips[number]
    transcript, result = run_both(ours, theirs, samples, **SEARCHES[search])
    assert_same(transcript, result, duration=30.0)
    assert transcript.text.strip()


@pytest.mark.parametrize("search", LONG_SEARCHES)
def test_many_windows(ours, theirs, long_recording, same_features, search):
    same_features(long_recording)
    transcript, result = run_both(ours, theirs, long_recording, **LONG_SEARCHES[search])
    assert_same(transcript, result, duration=90.0)
    seeks = {segment.seek for segment in transcript.segments}
    assert len(seeks) >= 3 or search == "silence"


def test_the_language_is_as_likely(ours, theirs, clips, checkpoint):
    from whisperq_edge.edge.decoding.language import language_probabilities

    samples = np.zeros(oracle.N_SAMPLES, np.float32)
    samples[: len(clips[0])] = clips[0]
    mel = log_mel(samples, checkpoint.dimensions.n_mels, 3000)
    _, expected = theirs.detect_language(torch.from_numpy(np.ascontiguousarray(mel)))
    ours._session.encode(mel)
    found = language_probabilities(ours._session, ours._tokenizer)
    assert found == pytest.approx(expected, abs=1e-5)

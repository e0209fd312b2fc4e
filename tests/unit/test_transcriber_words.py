"""Windows with word times and the guard, beside openai/whisper's loop on the same predictions.

Both loops are given the same random texts and word times for every place in a recording, so that
whatever decides where a window starts and what is kept is compared without a model.
"""

from __future__ import annotations

import sys
from importlib.resources import files
from types import SimpleNamespace

import numpy as np
import pytest

from whisperq_edge.edge.audio.recording import samples_source
from whisperq_edge.edge.decoding.language import Language
from whisperq_edge.edge.decoding.result import DecodingResult
from whisperq_edge.edge.decoding.timing import WordTiming
from whisperq_edge.edge.decoding.tokens import Tokenizer
from whisperq_edge.edge.transcription import passage
from whisperq_edge.edge.transcription.options import TranscriptionOptions
from whisperq_edge.edge.transcription.passage import Passage
from whisperq_edge.edge.transcription.windows import Window
from whisperq_edge.edge.types import AudioContexts, GenerationSettings

torch = pytest.importorskip("torch", reason="the oracle is openai-whisper")
whisper = pytest.importorskip("whisper", reason="the oracle is openai-whisper")

# openai-whisper leaves its vocabulary file to the garbage collector.
pytestmark = pytest.mark.filterwarnings("ignore:unclosed file:ResourceWarning")

T0 = 50364
N_SAMPLES = 75 * 16_000 + 8_000
MOST_WINDOWS = 100


@pytest.fixture(scope="module")
def tokenizer():
    content = (files("whisperq_edge.models") / "demo" / "tokenizer.json").read_bytes()
    return Tokenizer(content, GenerationSettings(("en",), (), (), ()))


class Predictions:
    """What a model says in each window, and where its words lie: chance, but always the same."""

    def __init__(self, tokenizer, seed):
        self._tokenizer, self._seed = tokenizer, seed
        self._words = [tokenizer.encode(f" {w}")[0] for w in ("one", "two", "three", "four")]
        self._dot = tokenizer.encode(".")[0]
        self._dash = tokenizer.encode(" -")[0]
        self.n_windows = 0

    def tokens(self, seek, n_frames):
        self.n_windows += 1
        assert self.n_windows < MOST_WINDOWS
        random = np.random.default_rng([self._seed, seek])
        if random.random() < 0.1:
            return (T0,)  # no text at all
        times = T0 + np.sort(random.integers(1, max(2, n_frames // 2), 8))
        tokens = []
        for start, end in times[: 2 * random.integers(1, 4)].reshape(-1, 2).tolist():
            tokens += [start, *self._sentence(random), end]
        ending = random.random()
        if ending < 0.3:  # cut off behind the last whole sentence
            tokens += [int(times[-1]), *self._sentence(random)]
        elif ending < 0.5:
            tokens.append(int(times[-1]))
        elif ending < 0.6:
            tokens = [T0, *self._sentence(random)]
        return tuple(tokens)

    def _sentence(self, random):
        said = random.choice(self._words, random.integers(1, 5)).tolist()
        if random.random() < 0.3:
            said.insert(0, self._dash)
        if random.random() < 0.5:
            said.append(self._dot)
        return said

    def timings(self, tokens, n_positions):
        """Of every token by itself."""
        random = np.random.default_rng([self._seed, n_positions, *tokens])
        steps = random.choice([0, 1, 5, 15, 20, 60, 200], len(tokens) + 1)
        times = np.minimum(np.cumsum(steps), n_positions) / 50
        probabilities = random.choice([0.05, 0.1, 0.5, 0.9], len(tokens))
        words = [self._tokenizer.decode([token]) for token in tokens]
        return [
            (word, (token,), float(start), float(end), float(probability))
            for word, token, start, end, probability in zip(
                words, tokens, times, times[1:], probabilities, strict=False
            )
        ]


def rounded(segments, words_of):
    """What has to agree; times that are not ours to round to a hundredth are not rounded."""
    return [
        (
            segment.seek,
            round(min(segment.start, N_SAMPLES / 16_000), 2),
            round(min(segment.end, N_SAMPLES / 16_000), 2),
            segment.text,
            [
                (w.word, round(w.start, 2), round(w.end, 2), w.probability)
                for w in words_of(segment)
            ],
        )
        for segment in segments
    ]


def ours(tokenizer, predictions, options, monkeypatch):
    def decode(self, window):
        tokens = predictions.tokens(window.seek, window.n_frames)
        logprobs = (0.0,) * len(tokens)
        return DecodingResult(tokens, logprobs, "", -0.1, 0.0, 0.0, 1.0, "en", None, True)

    def align_text(session, tokenizer, tokens, probabilities, *, task, language, n_positions):
        return [WordTiming(*timing) for timing in predictions.timings(tokens, n_positions)]

    monkeypatch.setattr(Passage, "_decode", decode)
    monkeypatch.setattr(passage, "align_text", align_text)
    session = SimpleNamespace(contexts=AudioContexts(1500))
    decoder = SimpleNamespace(session=session, tokenizer=tokenizer, language=Language("en"))
    source = samples_source(np.ones(N_SAMPLES, np.float32))
    found = Passage(decoder, TranscriptionOptions(**options), source)
    while len(samples := source.read(found.seek * 160, 480_000)) >= 160:
        found.take(Window(found.seek, samples))
    return rounded(found.segments, lambda segment: segment.words)


def theirs(predictions, options, monkeypatch):
    module, timing = sys.modules["whisper.transcribe"], sys.modules["whisper.timing"]

    def decode(mel, options):
        tokens = list(predictions.tokens(int(mel[0, 0]), mel.shape[1]))
        return whisper.DecodingResult(mel, "en", {}, tokens, "", -0.1, 0.0, 0.0, 1.0)

    def find_alignment(model, tokenizer, text_tokens, mel, num_frames, **_):
        found = predictions.timings(text_tokens, num_frames // 2)
        return [timing.WordTiming(w, list(t), s, e, p) for w, t, s, e, p in found]

    n_frames = N_SAMPLES // 160
    numbers = torch.arange(n_frames + 3000)[None].float()  # each frame says where it is
    monkeypatch.setattr(module, "log_mel_spectrogram", lambda *_, **__: numbers)
    monkeypatch.setattr(module, "pad_or_trim", lambda mel, _: mel)
    monkeypatch.setattr(timing, "find_alignment", find_alignment)
    model = SimpleNamespace(
        device=torch.device("cpu"),
        dims=SimpleNamespace(n_mels=80, n_audio_ctx=1500, n_text_ctx=448),
        is_multilingual=True,
        num_languages=99,
        decode=decode,
    )
    samples = np.ones(N_SAMPLES, np.float32)
    result = whisper.transcribe.__globals__["transcribe"](model, samples, fp16=False, **options)
    segments = [SimpleNamespace(**segment) for segment in result["segments"]]
    spoken = [s for s in segments if s.text.strip()]
    return rounded(spoken, lambda segment: [SimpleNamespace(**word) for word in segment.words])


@pytest.mark.parametrize("threshold", [None, 0.0, 0.5, 2.0, 10.0])
def test_windows_start_and_segments_stay_as_with_openai(tokenizer, monkeypatch, threshold):
    options = {
        "language": "en",
        "word_timestamps": True,
        "hallucination_silence_threshold": threshold,
    }
    n_segments = n_words = 0
    for seed in range(60):
        expected = theirs(Predictions(tokenizer, seed), options, monkeypatch)
        assert ours(tokenizer, Predictions(tokenizer, seed), options, monkeypatch) == expected, seed
        n_segments += len(expected)
        n_words += sum(len(words) for *_, words in expected)
    assert n_segments > 60
    assert n_words > 2 * n_segments

"""whisperq-edge, through the calls that a user makes."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from whisperq_edge.edge.artifact import TOKENIZER, Artifact
from whisperq_edge.edge.audio.activity import VoiceActivity
from whisperq_edge.edge.decoding.tokens import Tokenizer
from whisperq_edge.edge.streaming.hypothesis import Hypothesis
from whisperq_edge.edge.streaming.options import StreamingOptions
from whisperq_edge.edge.streaming.recognizer import Given
from whisperq_edge.edge.streaming.streamer import Streamer
from whisperq_edge.edge.types import SAMPLE_RATE, FloatArray, IntArray, Session
from whisperq_edge.runtimes import open_session

# What the scripted checkpoints say is not judged, and leads nothing: their words go by position.
SCRIPTED: dict[str, Any] = {
    "condition_on_previous_text": False,
    "temperature": (0.0,),
    "compression_ratio_threshold": None,
    "logprob_threshold": None,
    "no_speech_threshold": None,
}


class Engine:
    """See the package; the precision is the artifact's."""

    def __init__(self, folder: Path, precision: str, threads: int) -> None:
        artifact = Artifact.read(folder)
        self._generation = artifact.manifest.generation
        self._session = open_session(artifact, threads)
        self._step = self._session.step
        self._tokenizer = Tokenizer.read(folder / TOKENIZER, self._generation)
        facts = self._session.facts
        self.facts = {name: version(name) for name in ("whisperq-edge", "numpy")}
        self.facts |= {facts.runtime: facts.version, "decoder": facts.decoder}

    def open(self, job: dict[str, Any]) -> Stream:
        """Start a stream."""
        is_scripted = job["words_per_s"] is not None
        options = StreamingOptions(
            language="en",
            policy=job["policy"],
            audio_context=job["audio_context"],
            chunk_s=job["chunk_s"],
            buffer_trimming_s=job["trimming_s"],
            vad=job.get("vad", True),
            **(SCRIPTED if is_scripted else {}),
        )
        activity = (
            RecordedActivity(np.load(job["activity"]), job["n_frame"]) if options.vad else None
        )
        streamer = Streamer(
            self._session, self._tokenizer, self._generation, options, activity=activity
        )
        self._session.step = self._step  # type: ignore[method-assign]
        if is_scripted:
            Script(self._session, streamer, job["words_per_s"], end=self._tokenizer.eot)
        return Stream(streamer)


class Stream:
    """One stream, whose events are told as plain data."""

    def __init__(self, streamer: Streamer) -> None:
        self._streamer = streamer

    def feed(self, samples: FloatArray) -> list[dict[str, Any]]:
        """Take in sound."""
        return msgspec.to_builtins(self._streamer.feed(samples))  # type: ignore[no-any-return]

    def finish(self) -> list[dict[str, Any]]:
        """The stream is over."""
        return msgspec.to_builtins(self._streamer.finish())  # type: ignore[no-any-return]

    @property
    def counts(self) -> dict[str, float]:
        """What was done so far."""
        return vars(self._streamer.counts)


class RecordedActivity(VoiceActivity):
    """What was heard in a recording before, frame by frame."""

    def __init__(self, probabilities: FloatArray, n_frame: int) -> None:
        self.n_frame = n_frame
        self._ahead = iter(probabilities.tolist())

    def probability(self, frame: FloatArray) -> float:
        """See VoiceActivity."""
        return float(next(self._ahead))

    def reset(self) -> None:
        """See VoiceActivity; the recording goes on."""


class Script:
    """Ends a scripted checkpoint's text after as many words as the buffer is long.

    Such a checkpoint says its words whatever the sound; so the decoder has the work that speech
    would give it.
    """

    def __init__(self, session: Session, streamer: Streamer, words_per_s: float, end: int) -> None:
        self._session, self._words_per_s, self._end = session, words_per_s, end
        self._step = session.step
        recognizer = streamer._recognizer  # nobody else knows the buffer
        self._hear = recognizer.hear
        self._n_words = 1
        recognizer.hear = self.hear  # type: ignore[method-assign]
        session.step = self.step  # type: ignore[method-assign]

    def hear(self, samples: FloatArray, given: Given, **how: Any) -> Hypothesis:  # noqa: ANN401
        """See Recognizer."""
        self._n_words = max(1, round(self._words_per_s * len(samples) / SAMPLE_RATE))
        return self._hear(samples, given, **how)

    def step(self, tokens: IntArray) -> FloatArray:
        """Session.step, with the end made certain when it is due."""
        logits = self._step(tokens)
        n_prompt = 4  # start, language, task, no timestamps; no text before
        if self._session.n_past >= n_prompt + self._n_words:
            logits[:, self._end] = logits.max() + 100
        return logits

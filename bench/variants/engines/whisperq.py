"""whisperq-edge, through the calls that a user makes."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from whisperq_edge.edge.artifact import TOKENIZER, Artifact
from whisperq_edge.edge.audio.noise_gate import NoiseGate
from whisperq_edge.edge.audio.silero import SileroActivity
from whisperq_edge.edge.decoding.tokens import Tokenizer
from whisperq_edge.edge.streaming.options import StreamingOptions
from whisperq_edge.edge.streaming.streamer import Streamer
from whisperq_edge.edge.transcription.options import TranscriptionOptions
from whisperq_edge.edge.transcription.transcriber import Transcriber
from whisperq_edge.runtimes import open_session

from .openai_features import openai_features


class Engine:
    """See the package; the precision is the artifact's."""

    def __init__(self, folder: Path, precision: str, threads: int) -> None:
        artifact = Artifact.read(folder)
        generation = artifact.manifest.generation
        session = open_session(artifact, threads)
        tokenizer = Tokenizer.read(folder / TOKENIZER, generation)
        self._model = (session, tokenizer, generation)
        self._transcriber = Transcriber(*self._model)
        self._activity = NoiseGate(SileroActivity())
        facts = session.facts
        self.facts = {name: version(name) for name in ("whisperq-edge", "numpy")}
        self.facts |= {facts.runtime: facts.version, "decoder": facts.decoder}

    def words(self, samples: np.ndarray, options: dict[str, Any]) -> list[tuple[str, float, float]]:
        """See the package."""
        if options["is_live"]:
            return self._streamed(samples)
        chosen = TranscriptionOptions(
            language="en",
            temperature=(0.0,),
            word_timestamps=True,
            audio_context=options["audio_context"],
        )
        features: AbstractContextManager[None] = nullcontext()
        if options["features"] == "openai":
            features = openai_features(samples, self._model[0].dimensions.n_mels)
        with features:
            transcript = self._transcriber.transcribe(samples, chosen)
        return [
            (word.word, word.start, word.end)
            for segment in transcript.segments
            for word in segment.words
        ]

    def _streamed(self, samples: np.ndarray) -> list[tuple[str, float, float]]:
        """What a stream commits; it asks for no timestamps, whatever the others do."""
        self._activity.reset()
        options = StreamingOptions(language="en", temperature=(0.0,))
        streamer = Streamer(*self._model, options, activity=self._activity)
        return [
            (word.word, word.start, word.end)
            for event in [*streamer.feed(samples), *streamer.finish()]
            if event.kind == "committed"
            for word in event.words
        ]

"""whisperq-edge, through the calls that a user makes."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path

import numpy as np

from whisperq_edge.edge.artifact import TOKENIZER, Artifact
from whisperq_edge.edge.decoding.tokens import Tokenizer
from whisperq_edge.edge.transcription.options import AudioContext, TranscriptionOptions
from whisperq_edge.edge.transcription.transcriber import Transcriber
from whisperq_edge.runtimes import open_session

from .stages import Duration, Stages

CONTEXTS: dict[str, AudioContext] = {"short": "auto", "padded": "full"}


class Engine:
    """See the package; the precision is the artifact's."""

    def __init__(self, folder: Path, precision: str, threads: int) -> None:
        artifact = Artifact.read(folder)
        generation = artifact.manifest.generation
        session = open_session(artifact, threads)
        self._stages = Stages()
        session.encode = self._stages.timed(session.encode)  # type: ignore[method-assign]
        tokenizer = Tokenizer.read(folder / TOKENIZER, generation)
        self._transcriber = Transcriber(session, tokenizer, generation)
        # Greedy, one pass, no timestamps: the work that every engine here does.
        self._options = {
            window: TranscriptionOptions(
                language="en",
                temperature=(0.0,),
                without_timestamps=True,
                condition_on_previous_text=False,
                compression_ratio_threshold=None,
                logprob_threshold=None,
                no_speech_threshold=None,
                audio_context=context,
            )
            for window, context in CONTEXTS.items()
        }
        facts = session.facts
        self.facts = {name: version(name) for name in ("whisperq-edge", "numpy")}
        self.facts |= {facts.runtime: facts.version, "decoder": facts.decoder}

    def transcribe(self, samples: np.ndarray, window: str) -> tuple[str, dict[str, Duration]]:
        """Through the public call; a short window is the default, padding an option."""
        self._stages.begin()
        transcript = self._transcriber.transcribe(samples, self._options[window])
        return transcript.text, self._stages.durations

"""whisper-streaming of PyPI, over faster-whisper: a rework of ufal's whisper_streaming.

Its sentence trimming, the default, raises an exception at the first update, so the buffer is cut by
its length. It knows no pauses: whoever wants utterances has to cut the sound before it.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from whisper_streaming import ASRProcessor, Backend, TimeTrimming, Word
from whisper_streaming.backend import (
    FasterWhisperFeatureExtractorConfig,
    FasterWhisperModelConfig,
    FasterWhisperTranscribeConfig,
)

SAMPLE_RATE = 16_000
WINDOW_S = 30
PROMPT_CHARACTERS = 200  # as in ufal's

Event = dict[str, Any]


class Engine:
    """See the package; ``precision`` is a compute type of CTranslate2."""

    def __init__(self, folder: Path, precision: str, threads: int) -> None:
        self._model = FasterWhisperModelConfig(
            str(folder), device="cpu", compute_type=precision, cpu_threads=threads
        )
        names = ("whisper-streaming", "faster-whisper", "ctranslate2", "numpy")
        self.facts = {name: version(name) for name in names}
        self._processor("en", beam_size=1, trimming_s=1.0)  # a model that fails does so here

    def open(self, job: dict[str, Any]) -> ChunkedStream:
        """Start a stream."""
        processor = self._processor("en", beam_size=job["beam_size"], trimming_s=job["trimming_s"])
        return ChunkedStream(processor, round(job["chunk_s"] * SAMPLE_RATE))

    def _processor(self, language: str, *, beam_size: int, trimming_s: float) -> ASRProcessor:
        """A new one for each stream, since it remembers; its model is loaded each time."""
        return ASRProcessor(
            ASRProcessor.ProcessorConfig(
                sampling_rate=SAMPLE_RATE,
                prompt_size=PROMPT_CHARACTERS,
                audio_receiver_timeout=1.0,
                audio_trimming=TimeTrimming(trimming_s),
                language=language,
            ),
            audio_receiver=None,
            output_senders=[],
            backend=Backend.FASTER_WHISPER,
            model_config=self._model,
            transcribe_config=FasterWhisperTranscribeConfig(beam_size=beam_size),
            feature_extractor_config=FasterWhisperFeatureExtractorConfig(),
        )


class ChunkedStream:
    """One stream, whose sound reaches the program in chunks, as its receivers bring it."""

    def __init__(self, processor: ASRProcessor, n_chunk: int) -> None:
        self._processor = processor
        self._buffer = processor._transcription_buffer
        self._n_chunk = n_chunk
        self._waiting = np.empty(0, np.float32)
        self._n_heard = self._n_updates = self._n_encoded = 0
        self._n_told = 0  # words that were committed and told
        model = processor.backend.model
        self._encode, model.encode = model.encode, self.encode

    def encode(self, features: np.ndarray) -> Any:  # noqa: ANN401 - the engine's own
        """WhisperModel.encode, counted."""
        self._n_encoded += 1
        return self._encode(features)

    def feed(self, samples: np.ndarray) -> list[Event]:
        """Take in one frame."""
        self._n_heard += len(samples)
        self._waiting = np.concatenate([self._waiting, samples])
        if len(self._waiting) < self._n_chunk:
            return []
        chunk, self._waiting = self._waiting[: self._n_chunk], self._waiting[self._n_chunk :]
        return self._process(chunk)

    def finish(self) -> list[Event]:
        """The stream is over: the rest of the sound, and what was not agreed on."""
        events = self._process(self._waiting) if len(self._waiting) else []
        # The program tells it when no sound has come for a while, and stops.
        return [*events, *self._told(self._buffer.transcriptions_in_limbo)]

    @property
    def counts(self) -> dict[str, float]:
        """What was done so far."""
        return {"updates": self._n_updates, "encoded_s": float(WINDOW_S * self._n_encoded)}

    def _process(self, chunk: np.ndarray) -> list[Event]:
        self._n_updates += 1
        # What ``run`` does with each chunk in its endless loop. It tells joined words; one by one,
        # with the times that they have there, they are in the buffer.
        self._processor._process(chunk)
        committed = self._buffer._transcriptions_committed
        told, self._n_told = committed[self._n_told :], len(committed)
        return self._told(told)

    def _told(self, words: Sequence[Word]) -> list[Event]:
        if not words:
            return []
        return [
            {
                "kind": "committed",
                "text": "".join(word.word for word in words),
                "words": [
                    {"word": w.word, "start": w.start, "end": w.end, "probability": 1.0}
                    for w in words  # probabilities are lost on the way
                ],
                "start": words[0].start,
                "end": words[-1].end,
                "audio_time": self._n_heard / SAMPLE_RATE,
                "emission_time": 0.0,  # the parent knows when it would have been told
            }
        ]

"""faster-whisper, which runs CTranslate2."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path

import ctranslate2
import numpy as np
from faster_whisper import WhisperModel
from faster_whisper.tokenizer import Tokenizer

from .stages import Duration, Stages

# Greedy, one pass, no timestamps: the work that every engine here does.
OPTIONS = {
    "language": "en",
    "beam_size": 1,
    "best_of": 1,
    "temperature": 0.0,
    "condition_on_previous_text": False,
    "without_timestamps": True,
    "compression_ratio_threshold": None,
    "log_prob_threshold": None,
    "no_speech_threshold": None,
}
SAMPLE_RATE = 16_000
HOP_LENGTH = 160  # samples between two mel frames


class Engine:
    """See the package; ``precision`` is a compute type of CTranslate2."""

    def __init__(self, folder: Path, precision: str, threads: int) -> None:
        self._model = WhisperModel(
            str(folder), device="cpu", compute_type=precision, cpu_threads=threads, num_workers=1
        )
        self._stages = Stages()
        self._model.encode = self._stages.timed(self._model.encode)
        self.facts = {name: version(name) for name in ("faster-whisper", "ctranslate2", "numpy")}
        self.facts["compute type"] = self._model.model.compute_type

    def transcribe(self, samples: np.ndarray, window: str) -> tuple[str, dict[str, Duration]]:
        """Through the public call, which always pads; ``short`` goes below it."""
        if window == "short":
            return self._transcribe_short(samples), {}
        self._stages.begin()
        segments, _ = self._model.transcribe(samples, **OPTIONS)
        text = "".join(segment.text for segment in segments)  # decodes while it is read
        return text, self._stages.durations

    def _transcribe_short(self, samples: np.ndarray) -> str:
        """What faster-whisper has no option for: its encoder's input without the padding."""
        model = self._model
        features = model.feature_extractor(np.pad(samples, (0, SAMPLE_RATE)))
        n_frames = (len(samples) + SAMPLE_RATE) // HOP_LENGTH
        window = np.ascontiguousarray(features[None, :, :n_frames])
        encoded = model.model.encode(ctranslate2.StorageView.from_array(window))
        tokenizer = Tokenizer(model.hf_tokenizer, True, task="transcribe", language="en")
        prompt = [*tokenizer.sot_sequence, tokenizer.no_timestamps]
        result = model.model.generate(encoded, [prompt], beam_size=1)
        return str(tokenizer.decode(result[0].sequences_ids[0]))

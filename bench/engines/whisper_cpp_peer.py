"""whisper.cpp, through pywhispercpp."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path

import _pywhispercpp
import numpy as np
from pywhispercpp.model import Model

from .stages import Duration, Stages

MODEL_FILE = "ggml-model.bin"
SAMPLE_RATE = 16_000
POSITIONS_PER_SECOND = 50
WHOLE = 0  # whisper.cpp's word for a window of 30 s

# Greedy, one pass, no timestamps: the work that every engine here does.
OPTIONS = {
    "language": "en",
    "no_timestamps": True,
    "no_context": True,
    "temperature": 0.0,
    "temperature_inc": 0.0,
    "greedy": {"best_of": 1},
    "suppress_nst": True,
    "print_progress": False,
}


class Engine:
    """See the package; the precision is the file's."""

    def __init__(self, folder: Path, precision: str, threads: int) -> None:
        self._model = Model(str(folder / MODEL_FILE), n_threads=threads, **OPTIONS)
        self._stages = Stages()
        _pywhispercpp.assign_encoder_begin_callback(self._model._params, self._encoder_begins)
        self.facts = {name: version(name) for name in ("pywhispercpp", "numpy")}

    def transcribe(self, samples: np.ndarray, window: str) -> tuple[str, dict[str, Duration]]:
        """Through the public call; a short window is its option ``audio_ctx``."""
        seconds = len(samples) / SAMPLE_RATE + 1
        n_positions = int(seconds * POSITIONS_PER_SECOND) if window == "short" else WHOLE
        self._stages.begin()
        segments = self._model.transcribe(samples, audio_ctx=n_positions)
        return " ".join(segment.text.strip() for segment in segments), self._stages.durations

    def _encoder_begins(self, *_: object) -> bool:
        self._stages.end("mel")
        return True

"""faster-whisper, ``word_timestamps=True``."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from faster_whisper import WhisperModel


class Engine:
    """See the package; ``precision`` is a compute type of CTranslate2."""

    def __init__(self, folder: Path, precision: str, threads: int) -> None:
        self._model = WhisperModel(
            str(folder), device="cpu", compute_type=precision, cpu_threads=threads, num_workers=1
        )
        self.facts = {name: version(name) for name in ("faster-whisper", "ctranslate2", "numpy")}
        self.facts["compute type"] = self._model.model.compute_type

    def words(self, samples: np.ndarray, options: dict[str, Any]) -> list[tuple[str, float, float]]:
        """See the package."""
        segments, _ = self._model.transcribe(
            samples, language="en", temperature=0.0, beam_size=1, word_timestamps=True
        )
        return [
            (word.word, float(word.start), float(word.end))
            for segment in segments
            for word in segment.words or ()
        ]

"""whisper-timestamped, over openai/whisper's model."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch
import whisper_timestamped

from .openai_whisper_peer import OPTIONS, load


class Engine:
    """See the package; there is no precision but float32."""

    def __init__(self, folder: Path, precision: str, threads: int) -> None:
        torch.set_num_threads(threads)
        self._model = load(folder)
        names = ("whisper-timestamped", "openai-whisper", "torch", "numpy")
        self.facts = {name: version(name) for name in names}

    def words(self, samples: np.ndarray, options: dict[str, Any]) -> list[tuple[str, float, float]]:
        """See the package."""
        found = whisper_timestamped.transcribe(self._model, samples, **OPTIONS)
        return [
            (word["text"], float(word["start"]), float(word["end"]))
            for segment in found["segments"]
            for word in segment.get("words", ())
        ]

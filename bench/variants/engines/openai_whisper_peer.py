"""openai/whisper, ``word_timestamps=True``."""

from __future__ import annotations

import json
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch
import whisper

OPTIONS: dict[str, Any] = {"language": "en", "temperature": 0.0, "fp16": False}


class Engine:
    """See the package; there is no precision but float32."""

    def __init__(self, folder: Path, precision: str, threads: int) -> None:
        torch.set_num_threads(threads)
        self._model = load(folder)
        self.facts = {name: version(name) for name in ("openai-whisper", "torch", "numpy")}

    def words(self, samples: np.ndarray, options: dict[str, Any]) -> list[tuple[str, float, float]]:
        """See the package."""
        found = whisper.transcribe(self._model, samples, word_timestamps=True, **OPTIONS)
        return [
            (word["word"], float(word["start"]), float(word["end"]))
            for segment in found["segments"]
            for word in segment["words"]
        ]


def load(folder: Path) -> whisper.model.Whisper:
    """The model that ``openai_file.py`` wrote, its alignment heads included."""
    facts = json.loads((folder / "model.json").read_text())
    dimensions = whisper.model.ModelDimensions(**facts["dimensions"])
    model = whisper.model.Whisper(dimensions)
    with np.load(folder / "weights.npz") as weights:
        model.load_state_dict({name: torch.from_numpy(weights[name]) for name in weights})
    heads = torch.zeros(dimensions.n_text_layer, dimensions.n_text_head, dtype=torch.bool)
    for layer, head in facts["alignment_heads"]:
        heads[layer, head] = True
    model.register_buffer("alignment_heads", heads.to_sparse(), persistent=False)
    return model.eval()

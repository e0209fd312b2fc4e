"""ONNX Runtime GenAI, over a folder that its own builder made."""

from __future__ import annotations

import io
import json
import wave
from importlib.metadata import version
from pathlib import Path

import numpy as np
import onnxruntime_genai

from .stages import Duration, Stages

PROMPT = "<|startoftranscript|><|en|><|transcribe|><|notimestamps|>"
SAMPLE_RATE = 16_000
MAX_TOKENS = 448  # the decoder's positions


class Engine:
    """See the package; the precision is the folder's, and every window is padded."""

    def __init__(self, folder: Path, precision: str, threads: int) -> None:
        config = onnxruntime_genai.Config(str(folder))
        options = {"session_options": {"intra_op_num_threads": threads}}
        config.overlay(json.dumps({"model": {"encoder": options, "decoder": options}}))
        self._model = onnxruntime_genai.Model(config)
        self._processor = self._model.create_multimodal_processor()
        self._stages = Stages()
        self.facts = {name: version(name) for name in ("onnxruntime-genai", "onnxruntime", "numpy")}

    def transcribe(self, samples: np.ndarray, window: str) -> tuple[str, dict[str, Duration]]:
        """Through the public calls: it takes files, and encodes when it is given its inputs."""
        self._stages.begin()
        audio = onnxruntime_genai.Audios.open_bytes(_as_wav(samples))
        inputs = self._processor([PROMPT], audios=audio)
        self._stages.end("mel")
        parameters = onnxruntime_genai.GeneratorParams(self._model)
        parameters.set_search_options(do_sample=False, num_beams=1, max_length=MAX_TOKENS)
        generator = onnxruntime_genai.Generator(self._model, parameters)
        generator.set_inputs(inputs)
        self._stages.end("encode")
        while not generator.is_done():
            generator.generate_next_token()
        text = self._processor.decode(generator.get_sequence(0))
        return text, self._stages.durations


def _as_wav(samples: np.ndarray) -> bytes:
    content = io.BytesIO()
    with wave.open(content, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(SAMPLE_RATE)
        file.writeframes((samples * 32767).astype("<i2").tobytes())
    return content.getvalue()

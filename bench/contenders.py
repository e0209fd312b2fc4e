"""What is measured: the engines and the work that each of them is given."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Window = Literal["short", "padded"]

PADS: tuple[Window, ...] = ("padded",)
CUTS: tuple[Window, ...] = ("short", "padded")
CAN_CUT: tuple[Window, ...] = ("padded", "short")


@dataclass(frozen=True)
class Contender:
    """One engine at one precision.

    Attributes:
        name: As the tables show it.
        module: Its adapter in ``engines/``.
        precision: As the adapter and the preparation call it.
        windows: What its encoder can see of a short clip; the first is what a user gets.
        target: Of ours, the format that is exported.
        is_8_bit: Whether the goal for 8-bit engines counts it.
        is_usual: Whether it is measured when nobody names engines.
    """

    name: str
    module: str
    precision: str
    windows: tuple[Window, ...]
    target: str = ""
    is_8_bit: bool = True
    is_usual: bool = True

    @property
    def is_peer(self) -> bool:
        """Whether it is somebody else's, and lives in an environment of its own."""
        return not self.target

    @property
    def environment(self) -> str:
        """The peer's environment: a file in ``requirements/``."""
        return self.module.removesuffix("_peer").replace("_", "-")


def ours(target: str, precision: str = "int8", *, is_usual: bool = True) -> Contender:
    """One of our targets."""
    name = f"whisperq-edge {target} {precision}"
    is_8_bit = precision == "int8"
    return Contender(name, "whisperq", precision, CUTS, target, is_8_bit, is_usual)


ANCHOR = "faster-whisper int8"  # what all ratios are over

CONTENDERS = (
    Contender(ANCHOR, "faster_whisper_peer", "int8", CAN_CUT),
    Contender("OpenVINO GenAI int8", "openvino_genai_peer", "int8", PADS),
    Contender("ONNX Runtime GenAI int4", "onnxruntime_genai_peer", "int4", PADS, is_8_bit=False),
    Contender("whisper.cpp q8_0", "whisper_cpp_peer", "q8_0", CAN_CUT),
    ours("onnx"),
    ours("openvino"),
    ours("tflite"),
    ours("onnx", "fp32", is_usual=False),
    Contender(
        "faster-whisper fp32",
        "faster_whisper_peer",
        "float32",
        CAN_CUT,
        is_8_bit=False,
        is_usual=False,
    ),
)


@dataclass(frozen=True)
class Job:
    """One transcription.

    Attributes:
        clip_s: Length of the sound.
        n_tokens: Words that the checkpoint says; speech has about three a second.
        window: What the encoder sees: "padded" to 30 s, or the "short" clip plus one second.
    """

    clip_s: int
    n_tokens: int
    window: Window

    @property
    def name(self) -> str:
        """As results files call it: ``30s-90-padded``."""
        return f"{self.clip_s}s-{self.n_tokens}-{self.window}"


LONG = Job(30, 90, "padded")
LONG_FEW_WORDS = Job(30, 15, "padded")  # beside LONG it tells the cost of a token
SHORT = Job(5, 15, "short")
SHORT_PADDED = Job(5, 15, "padded")
JOBS = (LONG, LONG_FEW_WORDS, SHORT, SHORT_PADDED)

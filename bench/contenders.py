"""What is measured: the engines and the work that each of them is given."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Contender:
    """One engine at one precision.

    Attributes:
        name: As the tables show it.
        module: Its adapter in ``engines/``.
        precision: As the adapter and the preparation call it.
        default_window: The window that a user gets for a short clip.
    """

    name: str
    module: str
    precision: str
    default_window: str

    @property
    def is_peer(self) -> bool:
        """Whether it lives in the peers' environment."""
        return self.module != "whisperq"


ANCHOR = "faster-whisper int8"  # what all ratios are over

CONTENDERS = (
    Contender(ANCHOR, "faster_whisper_peer", "int8", "padded"),
    Contender("whisperq-edge int8", "whisperq", "int8", "short"),
    Contender("whisperq-edge fp32", "whisperq", "fp32", "short"),
    Contender("faster-whisper fp32", "faster_whisper_peer", "float32", "padded"),
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
    window: str

    @property
    def name(self) -> str:
        """As results files call it: ``30s-90-padded``."""
        return f"{self.clip_s}s-{self.n_tokens}-{self.window}"


LONG = Job(30, 90, "padded")
LONG_FEW_WORDS = Job(30, 15, "padded")  # beside LONG it tells the cost of a token
SHORT = Job(5, 15, "short")
SHORT_PADDED = Job(5, 15, "padded")
JOBS = (LONG, LONG_FEW_WORDS, SHORT, SHORT_PADDED)

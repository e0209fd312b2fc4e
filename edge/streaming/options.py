"""How a stream is transcribed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from ..decoding.options import DecodingOptions
from ..errors import ConfigError, UnknownNameError
from ..transcription.options import AudioContext

PolicyName = Literal["alignatt", "local-agreement"]
BufferTrimming = Literal["segment", "sentence"]


@dataclass(frozen=True, kw_only=True)
class StreamingOptions(DecodingOptions):
    """The options of every decoding, and those of the stream.

    Attributes:
        policy: What decides that a word stays: "alignatt" (the model looked at sound well before
            the end when it said it) or "local-agreement" (two updates agree on it).
        chunk_s: New sound between two updates, in seconds.
        frame_threshold: For "alignatt": how far from the end of the sound a word has to be, in
            encoder positions of 20 ms.
        initial_prompt: Text that the stream is taken to follow: names, spellings, style.
        condition_on_previous_text: Whether the model is told what was said before the buffer.
        buffer_trimming: Where a buffer that is too long is cut: after a "sentence", or after a
            "segment", which ends at the longest pause between two words.
        buffer_trimming_s: The length from which it is too long.
        audio_context: "auto" encodes the buffer as short as it is; "full" pads it to the longest
            window.
        vad: Whether only what sounds like speech is decoded.
        vad_threshold: Probability from which it does.
        min_silence_s: A pause of this length is an endpoint.
        hallucination_silence_threshold: Words that lie in a silence longer than this, in seconds,
            are dropped; None keeps them.

    Raises:
        ConfigError: A value is out of range, or two of them do not go together.
    """

    policy: PolicyName = "alignatt"
    chunk_s: float = 1.0
    frame_threshold: int = 40
    initial_prompt: str | None = None
    condition_on_previous_text: bool = True
    buffer_trimming: BufferTrimming = "segment"
    buffer_trimming_s: float = 15.0
    audio_context: AudioContext = "auto"
    vad: bool = True
    vad_threshold: float = 0.5
    min_silence_s: float = 0.6
    hallucination_silence_threshold: float | None = None
    without_timestamps: bool = True

    def __post_init__(self) -> None:
        super().__post_init__()
        for name, value, known in (
            ("policy", self.policy, get_args(PolicyName)),
            ("buffer trimming", self.buffer_trimming, get_args(BufferTrimming)),
            ("audio context", self.audio_context, get_args(AudioContext)),
        ):
            if value not in known:
                raise UnknownNameError(name, value, known)
        if self.beam_size is not None or self.best_of is not None:
            raise ConfigError("a stream is decoded greedily; leave beam_size and best_of out")
        if not self.without_timestamps:
            raise ConfigError("a stream takes its times from attention; leave timestamps out")
        if not 0.1 <= self.chunk_s <= 10:
            raise ConfigError(f"chunk_s must be from 0.1 to 10 seconds, it is {self.chunk_s:g}")
        if not 0 <= self.frame_threshold <= 500:
            raise ConfigError(
                f"frame_threshold must be from 0 to 500, it is {self.frame_threshold}"
            )
        if not 2 <= self.buffer_trimming_s <= 28:
            raise ConfigError(
                f"buffer_trimming_s must be from 2 to 28 seconds, it is {self.buffer_trimming_s:g}"
            )
        if not 0 < self.vad_threshold < 1:
            raise ConfigError(f"vad_threshold is a probability, not {self.vad_threshold:g}")
        if not 0.1 <= self.min_silence_s <= 10:
            raise ConfigError(
                f"min_silence_s must be from 0.1 to 10 seconds, it is {self.min_silence_s:g}"
            )
        threshold = self.hallucination_silence_threshold
        if threshold is not None and threshold < 0:
            raise ConfigError(f"hallucination_silence_threshold is {threshold:g}, below 0 seconds")

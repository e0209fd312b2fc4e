"""The types that the whole package shares, and the Session that decoding sees of a runtime."""

from __future__ import annotations

from abc import ABC, abstractmethod
from types import TracebackType
from typing import Literal, Protocol, Self

import msgspec
import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float32]
IntArray = NDArray[np.int64]

SAMPLE_RATE = 16_000  # samples per second
HOP_LENGTH = 160  # samples between two mel frames: 10 ms
FRAMES_PER_SECOND = SAMPLE_RATE // HOP_LENGTH  # 100
FRAMES_PER_POSITION = 2  # the second convolution halves the rate
POSITIONS_PER_SECOND = FRAMES_PER_SECOND // FRAMES_PER_POSITION  # 50: one encoder output per 20 ms

PrecisionName = Literal[
    "fp32",
    "fp16",
    "int8",
    "int5",
    "int4",
    "lut6",
    "q8_0",
    "q5_1",
    "q5_0",
    "q4_1",
    "q4_0",
]
"""fp32 to int4 are what a user asks for; int5 is stored nowhere under this name.

lut6 is Core ML's palette of 64 values, the others are ggml's blocks of 32.
"""
Rounding = Literal["nearest", "gptq"]
"""How int4 integers are chosen: the nearest, or by calibration recordings (models/gptq.py)."""
ActivationRule = Literal[
    "float",
    "uint8-tensor",
    "int8-block",
    "int8-32",
    "int8-64",
    "int8-128",
    "int8-row",
    "int8-row-asymmetric",
    "static",
    "float16",
    "ggml",
]


class Progress(Protocol):
    """Told how far a long job is; the command line draws it, a library user may ignore it."""

    def __call__(self, stage: str, done: float) -> None:
        """``stage`` in the user's words ("quantize"), ``done`` from 0 to 1."""


def no_progress(stage: str, done: float) -> None:
    """The Progress of a caller who does not ask."""


class ModelDimensions(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The numbers that fix a Whisper's shape, under openai/whisper's names."""

    n_mels: int
    n_audio_ctx: int
    n_audio_state: int
    n_audio_head: int
    n_audio_layer: int
    n_vocab: int
    n_text_ctx: int
    n_text_state: int
    n_text_head: int
    n_text_layer: int


class GenerationSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a checkpoint says about decoding, beyond its weights and tokenizer.

    Attributes:
        languages: Codes ("en"), in the order of their tokens; empty for an English-only model.
        suppress_tokens: Ids that are never emitted.
        begin_suppress_tokens: Ids that may not come first.
        alignment_heads: ``(layer, head)`` of the decoder's cross-attention that follow the sound.
        max_initial_timestamp: Latest first timestamp, in seconds.
    """

    languages: tuple[str, ...]
    suppress_tokens: tuple[int, ...]
    begin_suppress_tokens: tuple[int, ...]
    alignment_heads: tuple[tuple[int, int], ...]
    max_initial_timestamp: float = 1.0

    @property
    def is_multilingual(self) -> bool:
        """Whether prompts carry a language and a task token."""
        return bool(self.languages)


class Precision(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How the matrices of one part are stored.

    Attributes:
        name: The number format.
        block: Inputs that share one scale; None for one scale per output channel.
    """

    name: PrecisionName
    block: int | None = None

    def __str__(self) -> str:
        """``int8``, or ``int4 in blocks of 32``."""
        return self.name if self.block is None else f"{self.name} in blocks of {self.block}"


class AudioContexts(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The encoder lengths an artifact offers, in positions of 20 ms.

    Attributes:
        longest: The longest window.
        fixed: The only lengths offered, ascending; empty where any length up to ``longest`` works.
    """

    longest: int
    fixed: tuple[int, ...] = ()

    def fit(self, n_positions: int) -> int:
        """The shortest length on offer that holds ``n_positions``, at most ``longest``."""
        if self.fixed:
            return next((length for length in self.fixed if length >= n_positions), self.longest)
        return max(1, min(n_positions, self.longest))


class SessionFacts(msgspec.Struct, frozen=True):
    """What a session really runs on.

    Attributes:
        runtime: The library.
        version: Of the library.
        device: "cpu", or what the library calls its accelerator.
        threads: Compute threads.
        decoder: The name of the decoder graph in use.
        activations: How each part rounds what it multiplies with.
        stand_in: Whether it only shows what the target computes, where the target's own library
            does not exist; its speed is then nobody's.
        shows_window: Whether ``window`` gives what was encoded; a library may keep that to itself.
    """

    runtime: str
    version: str
    device: str
    threads: int
    decoder: str
    activations: dict[str, ActivationRule]
    stand_in: bool = False
    shows_window: bool = True


class Closeable(ABC):
    """Something that holds a resource, and is a context manager that frees it."""

    @abstractmethod
    def close(self) -> None:
        """Free the resource; calling it again does nothing."""

    def __enter__(self) -> Self:
        """Nothing but itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close it."""
        self.close()


class Session(Closeable):
    """One loaded artifact with its key/value cache: the only thing decoding knows of a runtime.

    The cache lives inside, because each target keeps it differently. After ``encode`` there is one
    empty hypothesis; ``reorder`` makes more. Not safe for use from several threads at once.
    """

    dimensions: ModelDimensions
    contexts: AudioContexts
    facts: SessionFacts

    @abstractmethod
    def encode(self, mel: FloatArray) -> None:
        """Encode one window and forget the text so far.

        Args:
            mel: Log-mel features, shape (n_mels, n_frames); ``n_frames`` is twice a length
                that ``contexts`` offers.

        Raises:
            InferenceError: The shape is not one of those, or the runtime failed.
        """

    @abstractmethod
    def step(self, tokens: IntArray) -> FloatArray:
        """Append tokens to every hypothesis and predict the one after them.

        Args:
            tokens: Shape (n_hypotheses, n_tokens).

        Returns:
            Logits of the last position, shape (n_hypotheses, n_vocab). The array may be the
            runtime's own buffer: change it in place freely, copy it to keep it past the next call.

        Raises:
            ContextFullError: There is no room left in the decoder's positions.
            InferenceError: No window is encoded yet, the shape is wrong, or the runtime failed.
        """

    @abstractmethod
    def reorder(self, sources: IntArray) -> None:
        """Replace the hypotheses: number ``i`` becomes a copy of the old ``sources[i]``.

        Args:
            sources: Shape (n_hypotheses,), any number of them, repeats allowed.
        """

    @abstractmethod
    def rewind(self, n_tokens: int) -> None:
        """Forget all but the first ``n_tokens`` of every hypothesis."""

    @property
    @abstractmethod
    def n_past(self) -> int:
        """Tokens in the cache, the same for every hypothesis."""

    @property
    @abstractmethod
    def alignment(self) -> FloatArray:
        """Cross-attention of the alignment heads in the last step.

        Shape (n_hypotheses, n_alignment_heads, n_tokens, n_positions); rows sum to one.
        """

    @abstractmethod
    def window(self) -> FloatArray:
        """A copy of the encoded window: the cross-attention's keys and values of every layer.

        Shape (2 * n_text_layer, n_text_head, n_positions, head), keys and values in turn. Where
        those are the decoder's work, the encoder's own output: (n_positions, n_audio_state). For
        judging an encoder apart from the decoder; decoding has no use for it.

        Raises:
            InferenceError: No window is encoded yet, or ``facts`` say that it is not shown.
        """

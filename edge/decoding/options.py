"""How a window is decoded."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from ..errors import ConfigError, UnknownNameError
from .rules import DEFAULT_TOKENS

Task = Literal["transcribe", "translate"]


@dataclass(frozen=True, kw_only=True)
class DecodingOptions:
    """Options under the names that openai/whisper's users know.

    Attributes:
        task: "transcribe", or "translate" into English.
        language: Code ("de") or English name ("German"); None detects it.
        temperature: Tried in this order until a text is good enough.
        best_of: Texts to draw at a temperature above 0; 1 if None.
        beam_size: Hypotheses of a beam search at temperature 0; greedy if None.
        patience: Beam search ends after ``beam_size * patience`` texts; 1 if None.
        sample_len: The most tokens of one window; half of the decoder's positions if None.
        length_penalty: From 0 to 1, see ``search.best``; None divides by the length.
        suppress_tokens: Ids that are never chosen; -1 stands for the checkpoint's list.
        suppress_blank: Whether the checkpoint's list for the first token holds.
        without_timestamps: Ask for text alone.
        compression_ratio_threshold: A text above it repeats itself and is not good enough.
        logprob_threshold: A text whose ``avg_logprob`` is below it is not good enough.
        repetition_guard: Whether a text that goes round in circles is stopped, cut to what it said
            before, and not good enough. openai/whisper lets it run to the longest length.
        no_speech_threshold: Above it, a text below ``logprob_threshold`` is taken for silence.
        seed: Of the draws at a temperature above 0.

    Raises:
        ConfigError: A value is out of range, or two of them do not go together.
    """

    task: Task = "transcribe"
    language: str | None = None
    temperature: tuple[float, ...] = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)
    best_of: int | None = None
    beam_size: int | None = None
    patience: float | None = None
    sample_len: int | None = None
    length_penalty: float | None = None
    suppress_tokens: tuple[int, ...] = (DEFAULT_TOKENS,)
    suppress_blank: bool = True
    without_timestamps: bool = False
    compression_ratio_threshold: float | None = 2.4
    logprob_threshold: float | None = -1.0
    no_speech_threshold: float | None = 0.6
    repetition_guard: bool = True
    seed: int = 0

    def __post_init__(self) -> None:
        if self.task not in get_args(Task):
            raise UnknownNameError("task", self.task, get_args(Task))
        if not self.temperature or not all(0 <= value <= 1 for value in self.temperature):
            raise ConfigError(
                f"temperature: give one or more values from 0 to 1, not {self.temperature}"
            )
        self._check_search()
        if self.no_speech_threshold is not None and not 0 <= self.no_speech_threshold <= 1:
            raise ConfigError(
                f"no_speech_threshold is a probability, not {self.no_speech_threshold}"
            )
        if self.seed < 0:
            raise ConfigError(f"seed must not be negative, it is {self.seed}")

    def _check_search(self) -> None:
        for name in ("best_of", "beam_size", "sample_len"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ConfigError(f"{name} must be 1 or more, it is {value}")
        if self.best_of is not None and max(self.temperature) == 0:
            raise ConfigError("best_of needs a temperature above 0: at 0 all texts are the same")
        if self.beam_size is not None and min(self.temperature) > 0:
            raise ConfigError(
                "beam_size needs temperature 0: above it texts are drawn, not searched"
            )
        if self.patience is not None:
            if self.beam_size is None:
                raise ConfigError("patience needs beam_size")
            if round(self.beam_size * self.patience) < 1:
                raise ConfigError(
                    f"patience {self.patience} leaves no text of the beam to wait for"
                )
        if self.length_penalty is not None and not 0 <= self.length_penalty <= 1:
            raise ConfigError(f"length_penalty must be from 0 to 1, it is {self.length_penalty}")

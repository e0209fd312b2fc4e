"""How a whole recording is transcribed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from ..decoding.options import DecodingOptions
from ..decoding.punctuation import APPENDED, PREPENDED
from ..errors import ConfigError, UnknownNameError

AudioContext = Literal["auto", "full"]


@dataclass(frozen=True, kw_only=True)
class TranscriptionOptions(DecodingOptions):
    """The options of every window, and those that tie windows together.

    Attributes:
        initial_prompt: Text that the first window is taken to follow: names, spellings, style.
        condition_on_previous_text: Whether each window is told what was said before it.
        audio_context: "auto" encodes a short window as short as it is and a second of silence;
            "full" pads it to the longest window, as openai/whisper does.
        word_timestamps: Whether segments get their words with times, which costs one pass of the
            decoder over every window's text. They are openai/whisper's where ``audio_context`` is
            "full"; a short window moves some.
        prepend_punctuations: With ``word_timestamps``, marks that go with the word behind them.
        append_punctuations: Likewise, with the word before them.
        hallucination_silence_threshold: Segments whose words look made up are left out where there
            is silence longer than this, in seconds, around them. Needs ``word_timestamps``, and
            costs decoding every text once more, token by token, for probabilities that do not
            depend on the text before.

    Raises:
        ConfigError: A value is out of range, or two of them do not go together.
    """

    initial_prompt: str | None = None
    condition_on_previous_text: bool = True
    audio_context: AudioContext = "auto"
    word_timestamps: bool = False
    prepend_punctuations: str = PREPENDED
    append_punctuations: str = APPENDED
    hallucination_silence_threshold: float | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.audio_context not in get_args(AudioContext):
            raise UnknownNameError("audio context", self.audio_context, get_args(AudioContext))
        threshold = self.hallucination_silence_threshold
        if threshold is not None and not self.word_timestamps:
            raise ConfigError("hallucination_silence_threshold needs word_timestamps")
        if threshold is not None and threshold < 0:
            raise ConfigError(f"hallucination_silence_threshold is {threshold:g}, below 0 seconds")

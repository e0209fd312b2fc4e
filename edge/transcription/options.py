"""How a whole recording is transcribed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from ..decoding.options import DecodingOptions
from ..errors import UnknownNameError

AudioContext = Literal["auto", "full"]


@dataclass(frozen=True, kw_only=True)
class TranscriptionOptions(DecodingOptions):
    """The options of every window, and those that tie windows together.

    Attributes:
        initial_prompt: Text that the first window is taken to follow: names, spellings, style.
        condition_on_previous_text: Whether each window is told what was said before it.
        audio_context: "auto" encodes a short window as short as it is and a second of silence;
            "full" pads it to the longest window, as openai/whisper does.

    Raises:
        ConfigError: A value is out of range, or two of them do not go together.
    """

    initial_prompt: str | None = None
    condition_on_previous_text: bool = True
    audio_context: AudioContext = "auto"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.audio_context not in get_args(AudioContext):
            raise UnknownNameError("audio context", self.audio_context, get_args(AudioContext))

"""What decoding one window gives."""

from __future__ import annotations

import zlib
from dataclasses import dataclass


@dataclass(frozen=True)
class DecodingResult:
    """The text of one window and how far to trust it, under openai/whisper's names.

    Attributes:
        tokens: Text and timestamps, without the end of the text.
        logprobs: Log probability of each of these tokens.
        text: Without timestamps and outer spaces.
        avg_logprob: Mean log probability of a token; the end of the text counts as one.
        no_speech_prob: Probability that nobody speaks.
        temperature: The temperature it was decoded at.
        compression_ratio: High where the text repeats itself.
        language: Its code.
        language_probability: None where the language was not detected.
        ended: Whether the end of the text came, rather than the end of the room for it.
        looped: Whether its end only repeated a phrase; the repetitions are not in ``tokens``, but
            the compression ratio counts them.
    """

    tokens: tuple[int, ...]
    logprobs: tuple[float, ...]
    text: str
    avg_logprob: float
    no_speech_prob: float
    temperature: float
    compression_ratio: float
    language: str
    language_probability: float | None
    ended: bool
    looped: bool = False


def compression_ratio(text: str) -> float:
    """Bytes of the text over its bytes after zlib; above 2.4 it mostly repeats itself."""
    content = text.encode()
    return len(content) / len(zlib.compress(content))

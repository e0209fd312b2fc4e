"""What a transcription gives, under openai/whisper's field names."""

from __future__ import annotations

import msgspec


class Word(msgspec.Struct, frozen=True):
    """One word with the space before it, its place in seconds, and how sure the model was."""

    word: str
    start: float
    end: float
    probability: float


class Segment(msgspec.Struct, frozen=True):
    """One stretch of speech, about a sentence.

    Attributes:
        id: Number in the transcript, from 0.
        seek: Start of the window it was found in, in mel frames of 10 ms.
        start: Begin in seconds.
        end: End in seconds.
        text: What was said, with the space before it.
        tokens: Ids of the text and its timestamps.
        temperature: The one that it was decoded at.
        avg_logprob: Mean log-probability of its window's tokens.
        compression_ratio: Bytes of its window's text over their size when deflated; much above 2
            is a text that repeats itself.
        no_speech_prob: Probability that the window holds no speech.
        words: Empty unless word times were asked for.
    """

    id: int
    seek: int
    start: float
    end: float
    text: str
    tokens: tuple[int, ...]
    temperature: float
    avg_logprob: float
    compression_ratio: float
    no_speech_prob: float
    words: tuple[Word, ...] = ()


class Transcript(msgspec.Struct, frozen=True):
    """The text of one recording.

    Attributes:
        text: All segments, joined.
        segments: In the order of time.
        language: Code ("en").
        duration: Length of the recording in seconds.
    """

    text: str
    segments: tuple[Segment, ...]
    language: str
    duration: float

    @property
    def has_words(self) -> bool:
        """Whether word times were asked for and any word was found."""
        return any(segment.words for segment in self.segments)

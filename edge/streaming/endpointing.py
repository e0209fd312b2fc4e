"""Where an utterance starts, and where it ends."""

from __future__ import annotations

from ..audio.activity import VoiceActivity
from ..types import FloatArray


class Endpointer:
    """Cuts a stream into utterances at its pauses.

    Attributes:
        n_frame: Samples that ``take`` wants.
        speaking: Whether an utterance has started and not ended.
        start: While speaking: the stream's sample at which it starts, a little before the voice.
        voiced_until: The stream's sample up to which the last voice was heard; 0 before the first.
    """

    n_frame: int
    speaking: bool
    start: int
    voiced_until: int

    def __init__(self, activity: VoiceActivity, *, threshold: float, min_silence_s: float) -> None:
        raise NotImplementedError

    def take(self, frame: FloatArray) -> None:
        """Hear the next frame, shape (n_frame,)."""
        raise NotImplementedError

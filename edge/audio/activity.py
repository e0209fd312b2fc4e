"""Whether somebody speaks."""

from __future__ import annotations

from abc import ABC, abstractmethod

from ..types import FloatArray


class VoiceActivity(ABC):
    """Tells speech from everything else, frame by frame, and remembers what came before.

    Attributes:
        n_frame: Samples of a frame, at 16 kHz.
    """

    n_frame: int

    @abstractmethod
    def probability(self, frame: FloatArray) -> float:
        """How likely somebody speaks in the next frame, shape (n_frame,)."""

    @abstractmethod
    def reset(self) -> None:
        """Forget what was heard."""


class AlwaysActive(VoiceActivity):
    """Takes everything for speech."""

    n_frame = 512

    def probability(self, frame: FloatArray) -> float:
        """See VoiceActivity."""
        return 1.0

    def reset(self) -> None:
        """See VoiceActivity; nothing is remembered."""

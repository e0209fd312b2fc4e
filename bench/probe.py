"""A voice detector that remembers what it said."""

from __future__ import annotations

from whisperq_edge.edge.audio.activity import VoiceActivity
from whisperq_edge.edge.types import FloatArray


class Probe(VoiceActivity):
    """Passes on to a detector, and keeps what it said."""

    def __init__(self, activity: VoiceActivity) -> None:
        self.n_frame = activity.n_frame
        self.probabilities: list[float] = []
        self._activity = activity

    def probability(self, frame: FloatArray) -> float:
        """See VoiceActivity."""
        self.probabilities.append(self._activity.probability(frame))
        return self.probabilities[-1]

    def reset(self) -> None:
        """See VoiceActivity."""
        self._activity.reset()

"""AlignAtt: what the model read from sound well before the end stays.

Source: Papi et al. 2023 (arXiv 2305.11408); Machacek and Polak 2025 (arXiv 2506.17077) for Whisper.
"""

from __future__ import annotations

from .hypothesis import Hypothesis
from .policy import Policy

FURTHEST_REWIND = 200  # positions; whoever looks back 4 s repeats himself or has lost the thread


class AlignAtt(Policy):
    """Commits words up to the first that was read from the newest sound.

    Args:
        frame_threshold: Positions of 20 ms at the end of the sound that count as the newest: more
            sound may still change how they read.
    """

    def __init__(self, frame_threshold: int) -> None:
        self._frame_threshold = frame_threshold

    def agreed(self, hypothesis: Hypothesis) -> int:
        """See Policy."""
        limit = hypothesis.n_positions - self._frame_threshold
        furthest = 0
        for index, attended in enumerate(hypothesis.attended):
            if attended >= limit or attended < furthest - FURTHEST_REWIND:
                return index
            furthest = max(furthest, attended)
        return len(hypothesis.attended)

    def reset(self) -> None:
        """See Policy; nothing is remembered."""

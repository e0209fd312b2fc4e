"""The figures that configurations are chosen by."""

from __future__ import annotations

import msgspec

from ..transcription.word_errors import WordErrors
from .record import Configuration, Outcome, Protocol
from .summary import Spread, peak_bytes, real_time_factor, stage_s

LATENCY_S = 5.0  # of the clip that latency is taken from: about a sentence


class Figures(msgspec.Struct, frozen=True):
    """What one configuration costs; None where it was not measured.

    Attributes:
        configuration: Which.
        real_time_factor: Time computed per second of sound, over all clips.
        latency_s: Until the text of a clip of 5 s is there, warm.
        peak_bytes: The most resident memory.
        errors: In the words that were counted.
        doubts: Why the figures cannot be trusted.
    """

    configuration: Configuration
    real_time_factor: Spread | None
    latency_s: Spread | None
    peak_bytes: int | None
    errors: WordErrors | None
    doubts: tuple[str, ...]

    @property
    def slowest(self) -> float:
        """Real-time factor of the slowest round.

        What disturbs a measurement slows it down: so a doubtful figure is more likely too bad than
        too good.
        """
        return self.real_time_factor.high if self.real_time_factor else float("inf")

    def __str__(self) -> str:
        """``0.21 of real time, 118 MB, 4.1 % of words wrong, 5 s of sound in 1.05 s``."""
        parts = []
        if self.real_time_factor:
            parts.append(f"{self.real_time_factor.median:.3g} of real time")
        if self.peak_bytes is not None:
            parts.append(f"{self.peak_bytes / 1e6:.0f} MB")
        if self.errors:
            parts.append(f"{self.errors.rate:.1%} of words wrong".replace("%", " %"))
        if self.latency_s:
            parts.append(f"5 s of sound in {self.latency_s.median:.3g} s")
        return ", ".join(parts)


def figures_of(outcome: Outcome, protocol: Protocol) -> Figures:
    """The figures of an outcome, whatever became of it."""
    clip = next((one for one in protocol.clips if one.duration_s == LATENCY_S), None)
    return Figures(
        outcome.configuration,
        real_time_factor(outcome, protocol),
        stage_s(outcome, "total", clip.name) if clip else None,
        peak_bytes(outcome),
        outcome.errors,
        outcome.doubts,
    )

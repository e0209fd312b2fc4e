"""Figures of an outcome that people compare, all derived from its raw values."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median
from typing import NamedTuple

from .record import Outcome, Pass, Protocol, Stage


class Spread(NamedTuple):
    """The middle of several values, and how far they go."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread | None:
        """None without values."""
        return cls(median(values), min(values), max(values)) if values else None


def measured(outcome: Outcome, clip: str | None = None) -> list[Pass]:
    """The passes that count, of one clip or of all."""
    return [p for p in outcome.passes if p.phase == "measured" and clip in (None, p.clip)]


def stage_s(outcome: Outcome, stage: Stage, clip: str) -> Spread | None:
    """Seconds by the clock that a stage takes of a clip."""
    return Spread.of([p.stages[stage].wall_s for p in measured(outcome, clip) if stage in p.stages])


def cpu_s(outcome: Outcome, clip: str) -> Spread | None:
    """Processor seconds that a clip takes."""
    return Spread.of([p.stages["total"].cpu_s for p in measured(outcome, clip)])


def token_s(outcome: Outcome) -> Spread | None:
    """Seconds by the clock for one token after the prompt."""
    passes = [p for p in measured(outcome) if p.n_tokens]
    return Spread.of([p.stages["decode"].wall_s / p.n_tokens for p in passes])


def real_time_factor(outcome: Outcome, protocol: Protocol) -> Spread | None:
    """Time computed per second of sound, over all clips together; below 1 keeps up.

    Each value is one round of the passes that count: as many as the clip with the fewest has.
    """
    rounds = zip(*(measured(outcome, clip.name) for clip in protocol.clips), strict=False)
    sound_s = sum(clip.duration_s for clip in protocol.clips)
    return Spread.of([sum(p.stages["total"].wall_s for p in each) / sound_s for each in rounds])


def peak_bytes(outcome: Outcome) -> int | None:
    """The most resident memory at any time."""
    return max(outcome.memory.peaks.values()) if outcome.memory else None


def error_rate(outcome: Outcome) -> float | None:
    """Words wrong of those said."""
    return outcome.errors.rate if outcome.errors else None

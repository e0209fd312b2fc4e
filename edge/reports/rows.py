"""The figures of a record, a row for each configuration: what every kind of report is made of."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from msgspec.structs import replace

from ..profiling.comparison import has_costs
from ..profiling.record import Memory, Outcome, Pass, Record, Stage, Start
from ..profiling.summary import (
    Spread,
    cpu_s,
    error_rate,
    measured,
    peak_bytes,
    real_time_factor,
    stage_s,
    token_s,
)

# The parts of a total, in the order in which they run.
STAGES: tuple[Stage, ...] = ("mel", "encode", "prompt", "decode", "sample", "other")


@dataclass(frozen=True)
class Row:
    """One configuration.

    Attributes:
        number: From 1, as the reports call it where its name is too long.
        name: For people, and different from every other row's.
        outcome: The raw values.
        real_time_factor: Time computed per second of sound, over all clips.
        token_s: For one token after the prompt.
        totals: Seconds for each clip, shortest clip first.
        cpu_s: Processor seconds for each clip, likewise.
        load_s: Until the artifact was open, over all starts.
        cold_s: From nothing until the first clip was transcribed, over all starts.
        memory: At each stage.
        peak_bytes: The most of it.
        error_rate: Words wrong of those said.
        stages: Of the longest clip: those of the pass in the middle, so that they add up to what
            one pass took. Empty if there is none.
        waited: Share of the time of passes that count in which no processor was free.
        energy_j: For a second of sound, by domain or rail, with what the board takes when idle.
        has_costs: Whether times, memory and energy are a board's. Those of a stand-in or of an
            emulated processor are left out everywhere, and only words and sizes stay.
        notes: What to know before believing it, one line each.
    """

    number: int
    name: str
    outcome: Outcome
    real_time_factor: Spread | None
    token_s: Spread | None
    totals: tuple[tuple[str, Spread | None], ...]
    cpu_s: tuple[tuple[str, Spread | None], ...]
    load_s: Spread | None
    cold_s: Spread | None
    memory: Memory | None
    peak_bytes: int | None
    error_rate: float | None
    stages: dict[Stage, float]
    waited: float | None
    energy_j: dict[str, float]
    has_costs: bool
    notes: tuple[str, ...]

    @property
    def is_measured(self) -> bool:
        """Whether there are figures."""
        return self.outcome.status == "measured"


def rows_of(record: Record) -> list[Row]:
    """A row for each outcome, in the record's order."""
    names = _names(record)
    return [
        _row(number, name, outcome, record)
        for number, (name, outcome) in enumerate(zip(names, record.outcomes, strict=True), start=1)
    ]


def _row(number: int, name: str, outcome: Outcome, record: Record) -> Row:
    clips = [clip.name for clip in record.protocol.clips]
    counts = has_costs(outcome, record)
    costs = outcome if counts else replace(outcome, starts=(), passes=(), memory=None, energy=None)
    energy = costs.energy
    return Row(
        number=number,
        name=name,
        outcome=outcome,
        real_time_factor=real_time_factor(costs, record.protocol),
        token_s=token_s(costs),
        totals=tuple((clip, stage_s(costs, "total", clip)) for clip in clips),
        cpu_s=tuple((clip, cpu_s(costs, clip)) for clip in clips),
        load_s=Spread.of([start.load.wall_s for start in costs.starts]),
        cold_s=Spread.of([_cold_s(start) for start in costs.starts]),
        memory=costs.memory,
        peak_bytes=peak_bytes(costs),
        error_rate=error_rate(outcome),
        stages=_stages(_middle(costs, clips[-1])) if clips else {},
        waited=_waited(costs),
        energy_j={name: j / energy.sound_s for name, j in energy.joules.items()}
        if energy and energy.sound_s
        else {},
        has_costs=counts,
        notes=_notes(outcome),
    )


def _cold_s(start: Start) -> float:
    return start.process.wall_s + start.load.wall_s + start.first.wall_s


def _names(record: Record) -> list[str]:
    """The configurations' names; where two are called alike, with the start of their digests."""
    configurations = [outcome.configuration for outcome in record.outcomes]
    times = Counter(configuration.name for configuration in configurations)
    return [
        f"{one.name} [{one.digest[:8]}]" if times[one.name] > 1 else one.name
        for one in configurations
    ]


def _middle(outcome: Outcome, clip: str) -> Pass | None:
    """Of the passes that count, the one whose total is the median; the quicker of two."""
    passes = sorted(measured(outcome, clip), key=lambda one: one.stages["total"].wall_s)
    return passes[(len(passes) - 1) // 2] if passes else None


def _stages(one: Pass | None) -> dict[Stage, float]:
    if one is None:
        return {}
    return {stage: max(one.stages[stage].wall_s, 0.0) for stage in STAGES if stage in one.stages}


def _waited(outcome: Outcome) -> float | None:
    passes = [one for one in measured(outcome) if one.waited_s is not None]
    total_s = sum(one.stages["total"].wall_s for one in passes)
    return sum(one.waited_s or 0.0 for one in passes) / total_s if total_s else None


def _notes(outcome: Outcome) -> tuple[str, ...]:
    if outcome.reason:
        return (f"{outcome.status}: {outcome.reason}", *outcome.doubts)
    return outcome.doubts

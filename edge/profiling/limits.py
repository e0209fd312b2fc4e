"""What a configuration may cost, and by how much it costs more."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

import msgspec

from .fit import MARGIN
from .recommend_figures import Figures


class Limits(msgspec.Struct, frozen=True):
    """The most that is allowed; None is no limit.

    Attributes:
        memory_bytes: Of resident memory, the margin of ``fit`` included.
        error_rate: Words wrong of those said.
        real_time_factor: Time computed per second of sound, in the slowest round.
        latency_s: Until the text of a clip of 5 s is there, in the slowest pass.
    """

    memory_bytes: int | None = None
    error_rate: float | None = None
    real_time_factor: float | None = None
    latency_s: float | None = None


class Excess(NamedTuple):
    """A limit that is not kept.

    Attributes:
        text: Which, and by how much, in a few words.
        times: How many times the limit it is; infinite where it was not measured.
    """

    text: str
    times: float


def excesses(figures: Figures, limits: Limits) -> Iterator[Excess]:
    """The limits that a configuration breaks, or of which nobody knows whether it does."""
    if (memory := limits.memory_bytes) is not None:
        peak = figures.peak_bytes or 0
        what = f"it needs {{}} of memory ({peak / 1e6:.1f} MB and {100 * (MARGIN - 1):.0f} %)"
        needed = None if figures.peak_bytes is None else peak * MARGIN
        yield from _beyond(needed, memory, _megabytes, what, "its memory was not measured")
    if (rate := limits.error_rate) is not None:
        found = None if figures.errors is None else figures.errors.rate
        what = "{} of words wrong"
        yield from _beyond(found, rate, _percent, what, "its words were not counted")
    if (factor := limits.real_time_factor) is not None:
        slowest = None if figures.real_time_factor is None else figures.slowest
        what = "{} of real time in its slowest round"
        yield from _beyond(slowest, factor, _number, what, "its speed was not measured")
    if (latency := limits.latency_s) is not None:
        slowest = None if figures.latency_s is None else figures.latency_s.high
        what = "{} for 5 s of sound in the slowest pass"
        yield from _beyond(slowest, latency, _seconds, what, "no clip of 5 s was timed")


def _beyond(
    value: float | None, most: float, written: Callable[[float], str], what: str, unknown: str
) -> Iterator[Excess]:
    if value is None:
        yield Excess(f"{unknown}, and there is a limit on it", float("inf"))
    elif value > most:
        over = f"{written(value - most)} over the limit of {written(most)}"
        times = value / most if most else float("inf")
        yield Excess(f"{what.format(written(value))}, {over}", times)


def _megabytes(n_bytes: float) -> str:
    return f"{n_bytes / 1e6:.1f} MB"


def _percent(share: float) -> str:
    return f"{100 * share:.3g} %"


def _number(value: float) -> str:
    return f"{value:.3g}"


def _seconds(value: float) -> str:
    return f"{value:.3g} s"

"""Times of the stages inside one transcription."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

Duration = dict[str, float]  # "wall_s" and "cpu_s"


class Stages:
    """Tells the encoder's call from what comes before it, for one window."""

    def __init__(self) -> None:
        self._began = _now()
        self.durations: dict[str, Duration] = {}

    def begin(self) -> None:
        """A transcription starts."""
        self._began, self.durations = _now(), {}

    def end(self, name: str) -> None:
        """A stage is over; the next one begins."""
        now = _now()
        self.durations[name] = {clock: now[clock] - self._began[clock] for clock in now}
        self._began = now

    def part(self, name: str, wall_s: float) -> Duration:
        """Part of a stage, told by wall time: the process ran in it as in the whole."""
        whole = self.durations[name]
        return {"wall_s": wall_s, "cpu_s": wall_s * whole["cpu_s"] / whole["wall_s"]}

    def timed(self, encode: Callable[..., Any]) -> Callable[..., Any]:
        """The engine's encoder, which ends the stage "mel" and is the stage "encode"."""

        def timed_encode(*args: Any, **options: Any) -> Any:  # noqa: ANN401 - the engine's own
            self.end("mel")
            result = encode(*args, **options)
            self.end("encode")
            return result

        return timed_encode


def _now() -> Duration:
    return {"wall_s": time.perf_counter(), "cpu_s": time.process_time()}

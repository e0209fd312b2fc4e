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

    def timed(self, encode: Callable[..., Any]) -> Callable[..., Any]:
        """The engine's encoder, which ends the stage "mel" and is the stage "encode"."""

        def timed_encode(*args: Any, **options: Any) -> Any:  # noqa: ANN401 - the engine's own
            start = _now()
            result = encode(*args, **options)
            self.durations = {
                "mel": _between(self._began, start),
                "encode": _between(start, _now()),
            }
            return result

        return timed_encode


def _now() -> Duration:
    return {"wall_s": time.perf_counter(), "cpu_s": time.process_time()}


def _between(start: Duration, end: Duration) -> Duration:
    return {clock: end[clock] - start[clock] for clock in start}

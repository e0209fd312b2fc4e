"""Plays a sound to an engine's stream and takes the time of each call; runs beside the engine."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np


def play(stream: Any, samples: np.ndarray, n_frame: int) -> dict[str, Any]:  # noqa: ANN401
    """Feed a stream frame by frame, as fast as it takes them.

    Returns:
        ``calls``: for each frame, and for the end of the sound, seconds of CPU time;
        ``events``: for each event the number of its call and the event; ``counts``.
    """
    calls: list[float] = []
    events: list[tuple[int, dict[str, Any]]] = []

    def timed(call: Callable[..., list[dict[str, Any]]], *arguments: np.ndarray) -> None:
        began = time.process_time()
        told = call(*arguments)
        calls.append(round(time.process_time() - began, 6))
        events.extend((len(calls) - 1, event) for event in told)

    for start in range(0, len(samples), n_frame):
        timed(stream.feed, samples[start : start + n_frame])
    timed(stream.finish)
    return {"calls": calls, "events": events, "counts": stream.counts}

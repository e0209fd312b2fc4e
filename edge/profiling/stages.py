"""What the stages of one transcription take: time, or memory."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from .process import peak_resident_bytes, reset_peak
from .record import Duration, Stage
from .staged_session import Work


class Stopwatch:
    """Seconds since it was made, by the clock and of all processors together."""

    def __init__(self) -> None:
        self._wall, self._cpu = time.perf_counter(), time.process_time()

    def duration(self) -> Duration:
        """So far."""
        return Duration(time.perf_counter() - self._wall, time.process_time() - self._cpu)


class StageTimes:
    """Adds up the stages of one transcription.

    What lies between the sound, or an attempt that was given up, and the encoder's call is "mel":
    the features, and the lines around them. "sample" is what lies between two steps of the decoder:
    the rules, the choice of a token, and what a search does with it.

    Attributes:
        n_tokens: Steps after the prompt.
    """

    def __init__(self) -> None:
        self.n_tokens = 0
        self._total = Stopwatch()
        self._since = self._total
        self._stages: dict[Stage, Duration] = {}

    def mark(self) -> None:
        """A window of sound was taken."""
        self._since = Stopwatch()

    @contextmanager
    def watch(self, work: Work) -> Iterator[None]:
        """See ``staged_session.Watch``."""
        if work == "encode":
            self._add("mel", self._since.duration())
        elif work == "decode":
            self._add("sample", self._since.duration())
        self.n_tokens += work == "decode"
        watch = Stopwatch()
        yield
        self._add(work, watch.duration())
        self._since = Stopwatch()

    def finish(self) -> dict[Stage, Duration]:
        """All stages, "other" and "total" among them; to be called as soon as the text is known."""
        total = self._total.duration()
        known = self._stages.values()
        other = Duration(
            total.wall_s - sum(stage.wall_s for stage in known),
            total.cpu_s - sum(stage.cpu_s for stage in known),
        )
        empty: dict[Stage, Duration] = {
            stage: Duration(0.0, 0.0) for stage in ("mel", "encode", "prompt", "decode", "sample")
        }
        return {**empty, **self._stages, "other": other, "total": total}

    def _add(self, stage: Stage, took: Duration) -> None:
        before = self._stages.get(stage, Duration(0.0, 0.0))
        self._stages[stage] = Duration(before.wall_s + took.wall_s, before.cpu_s + took.cpu_s)


class StagePeaks:
    """Takes the most memory of each stage; not while times are measured, which it would disturb.

    Attributes:
        peaks: In bytes, by stage; "decode" is all that the decoder does, and "total" everything.
        is_reset: Whether the system lets a peak begin anew.
    """

    def __init__(self) -> None:
        self.peaks: dict[str, int] = {}
        self.is_reset = reset_peak()

    @contextmanager
    def watch(self, work: Work | str) -> Iterator[None]:
        """See ``staged_session.Watch``; ``work`` may also be "load"."""
        self._take("total")  # what passed between two stages
        reset_peak()
        yield
        self._take("decode" if work == "prompt" else work)
        self._take("total")

    def finish(self) -> dict[str, int]:
        """All of them."""
        self._take("total")
        return self.peaks

    def _take(self, stage: str) -> None:
        self.peaks[stage] = max(self.peaks.get(stage, 0), peak_resident_bytes())

"""What a worker does: one job, finding after finding."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from ..errors import MissingDependencyError
from ..transcription.word_errors import compare, load_jiwer, split
from ..types import SAMPLE_RATE
from .clips import TimedClip, spoken_recordings, timed_clips
from .energy import EnergyMeter, find_meter
from .job import (
    Finding,
    Finished,
    Job,
    Judged,
    Metered,
    Observed,
    Opened,
    Sustained,
    Timed,
    Unjudged,
    Weighed,
)
from .process import resident_bytes, waited_s
from .read_board import read_condition
from .record import Duration, Energy, Memory, Moment, Phase, Start
from .stages import StagePeaks, Stopwatch
from .subject import Subject

MOST_MOMENTS = 300  # of a sustained run: enough for a plot
IDLE_S = 1.0  # how long a meter is read while nothing runs
MARGIN = 1.1  # on how long a pass is expected to take


class Limit:
    """The time that a job may take, and whether a pass still fits."""

    def __init__(self, job: Job) -> None:
        self._end = None if job.limit_s is None else job.spawned_s + job.limit_s
        self._last: dict[float, float] = {}

    def learn(self, sound_s: float, took_s: float) -> None:
        """A pass over so much sound took that long."""
        self._last[sound_s] = took_s

    def allows(self, sound_s: float) -> bool:
        """Whether a pass over so much sound would end in time, as far as is known."""
        if self._end is None or not self._last:
            return True
        known_s = self._last.get(sound_s)
        if known_s is None:  # no longer per second than the nearest that is shorter
            nearest_s = max(self._last)
            known_s = self._last[nearest_s] * sound_s / nearest_s
        return time.monotonic() + known_s * MARGIN < self._end


def measure(job: Job, root: Path = Path("/")) -> Iterator[Finding]:
    """Do a job; to be the first thing that a process does, since its start is timed as well.

    Args:
        job: What is asked.
        root: Where the board's facts are read.

    Raises:
        WhisperqError: The configuration cannot be measured.
    """
    yield from {"time": _time, "examine": _examine, "sustain": _sustain}[job.kind](job, root)


def _time(job: Job, root: Path) -> Iterator[Finding]:
    started = Duration(time.monotonic() - job.spawned_s, time.process_time())
    clips = timed_clips(job.clips)
    watch = Stopwatch()
    with Subject(job) as subject:
        loaded = watch.duration()
        bench = _Bench(job, subject, root)
        yield Observed(job.visit, "before", read_condition(root))
        first = bench.timed(clips[0], "first", 0)
        took = first.one.stages["total"]
        facts = subject.session.facts
        start = Start(started, loaded, took, subject.is_cached)
        yield Opened(job.visit, start, subject.tools, facts.device, facts.stand_in)
        yield first
        for number in range(job.warm_ups):
            # Cold figures, which say that they are, are worth more than none.
            if bench.has_time_for(2 * clips):
                yield from bench.round(clips, "warm-up", number)
        meter = find_meter(root) if job.rounds else None
        idle_w = _idle_power(meter) if meter else {}
        if meter:
            meter.start()
        for number in job.rounds:
            yield from bench.round(clips, "measured", number)
        if meter:
            joules = meter.joules()
            meter.close()
            if joules and bench.measured_s:
                yield Metered(job.visit, Energy(meter.name, joules, idle_w, bench.measured_s))
        yield Observed(job.visit, "after", read_condition(root))
    yield Finished("time", job.visit, bench.is_cut)


class _Bench:
    """Times one pass after the other, as long as the limit allows."""

    def __init__(self, job: Job, subject: Subject, root: Path) -> None:
        self.is_cut = False
        self.measured_s = 0.0
        self._job, self._subject, self._root = job, subject, root
        self._limit = Limit(job)

    def has_time_for(self, clips: Sequence[TimedClip]) -> bool:
        """Whether all of these would end in time."""
        return self._limit.allows(sum(clip.clip.duration_s for clip in clips))

    def round(self, clips: Sequence[TimedClip], phase: Phase, number: int) -> Iterator[Timed]:
        """Every clip once."""
        for clip in clips:
            if self.is_cut or not self._limit.allows(clip.clip.duration_s):
                self.is_cut = True
                return
            yield self.timed(clip, phase, number)

    def timed(self, clip: TimedClip, phase: Phase, number: int) -> Timed:
        """One clip once."""
        waited_before = waited_s()
        one, text = self._subject.timed(clip.clip.name, clip.samples, phase)
        waited_after = waited_s()
        self._limit.learn(clip.clip.duration_s, one.stages["total"].wall_s)
        if phase == "measured":
            self.measured_s += clip.clip.duration_s
        waited = None
        if waited_before is not None and waited_after is not None:
            waited = max(0.0, waited_after - waited_before)  # a thread that ended takes its own
        condition = read_condition(self._root)
        one = msgspec.structs.replace(
            one,
            waited_s=waited,
            clock_mhz=max(condition.clocks_mhz, default=None),
            temperature_c=max(condition.temperatures_c.values(), default=None),
        )
        return Timed(self._job.visit, number, one, text)


def _idle_power(meter: EnergyMeter) -> dict[str, float]:
    meter.start()
    began = time.monotonic()
    time.sleep(IDLE_S)
    joules = meter.joules() or {}
    took_s = time.monotonic() - began
    meter.close()
    return {name: taken / took_s for name, taken in joules.items()}


def _examine(job: Job, root: Path) -> Iterator[Finding]:
    longest = timed_clips(job.clips)[-1]
    before = resident_bytes()
    peaks = StagePeaks()
    with peaks.watch("load"):
        subject = Subject(job)
    with subject:
        loaded = resident_bytes()
        limit, watch = Limit(job), Stopwatch()
        subject.transcribe(longest.samples, peaks.watch)
        limit.learn(longest.clip.duration_s, watch.duration().wall_s)
        yield Weighed(Memory(before, loaded, peaks.finish(), peaks.is_reset))
        if job.judges:
            yield _judged(subject, limit)
    yield Finished("examine", job.visit)


def _judged(subject: Subject, limit: Limit) -> Judged | Unjudged:
    try:
        load_jiwer()
    except MissingDependencyError as error:
        return Unjudged(str(error))
    said, heard = list[str](), list[str]()
    for recording in spoken_recordings():
        sound_s = len(recording.samples) / SAMPLE_RATE
        if not limit.allows(sound_s):
            return Unjudged("there was no time for it")
        watch = Stopwatch()
        text = subject.transcribe(recording.samples)
        limit.learn(sound_s, watch.duration().wall_s)
        said += split(recording.text, "word")
        heard += split(text, "word")
    return Judged(compare(said, heard)[0])


def _sustain(job: Job, root: Path) -> Iterator[Finding]:
    clip = timed_clips(job.clips)[-1]
    moment_s = max(1.0, job.sustain_s / MOST_MOMENTS)
    with Subject(job) as subject:
        subject.transcribe(clip.samples)
        began, number = time.monotonic(), 0
        while (at_s := time.monotonic() - began) < job.sustain_s:
            sound_s, watch = 0.0, Stopwatch()
            while (took_s := watch.duration().wall_s) < moment_s:
                subject.transcribe(clip.samples)
                sound_s += clip.clip.duration_s
            condition = read_condition(root)
            yield Sustained(
                number,
                Moment(
                    at_s,
                    took_s / sound_s,
                    max(condition.clocks_mhz, default=None),
                    max(condition.temperatures_c.values(), default=None),
                    condition.throttled,
                ),
            )
            number += 1
    yield Finished("sustain", job.visit)

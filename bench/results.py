"""What a benchmark run saves: raw values, warm-ups included; statistics are derived from it."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import msgspec

Clock = Literal["cpu_s", "wall_s"]


class Seconds(msgspec.Struct):
    """One duration by two clocks."""

    wall_s: float
    cpu_s: float


class Sample(msgspec.Struct):
    """One transcription by a loaded engine.

    Attributes:
        size: The checkpoint ("tiny").
        engine: The contender's name.
        job: The job's name.
        round: Counts from 0; warm-ups are -1 and stay out of every statistic.
        total: The whole transcription.
        stages: Parts of it ("mel", "encode"), as far as they can be told apart.
        others: Share of the cores that other processes took meanwhile.
        said: The text, if it was not the script's: a mismatch.
    """

    size: str
    engine: str
    job: str
    round: int
    total: Seconds
    stages: dict[str, Seconds]
    others: float
    said: str | None = None


class Start(msgspec.Struct):
    """One fresh process: start, load, transcribe once.

    Attributes:
        ready: From the start of the process to a loaded engine, imports included.
        rss_mib: Memory when loaded.
        peak_mib: Largest memory up to the end of one 30 s transcription.
    """

    size: str
    engine: str
    round: int
    ready: Seconds
    rss_mib: float
    peak_mib: float
    said: str | None = None


class Results(msgspec.Struct):
    """One run of the benchmark."""

    when: str
    machine: dict[str, str]
    threads: int
    cores: list[int]
    versions: dict[str, dict[str, str]] = {}
    disk_mib: dict[str, dict[str, float]] = {}
    failures: dict[str, str] = {}
    samples: list[Sample] = []
    starts: list[Start] = []

    @property
    def clock(self) -> Clock:
        """CPU time leaves other processes out, but says nothing where threads share the work."""
        return "cpu_s" if self.threads == 1 else "wall_s"

    @property
    def sizes(self) -> list[str]:
        """In the order of measuring."""
        return list(self.disk_mib)

    @property
    def engines(self) -> list[str]:
        """In the order of the tables."""
        return list(next(iter(self.disk_mib.values()), {}))

    def save(self, path: Path) -> None:
        """Replace the file at once: a run that is cut off keeps its rounds."""
        temporary = path.with_suffix(".tmp")
        temporary.write_bytes(msgspec.json.encode(self))
        temporary.replace(path)

    @classmethod
    def load(cls, path: Path) -> Results:
        """Read what ``save`` wrote."""
        return msgspec.json.decode(path.read_bytes(), type=cls)

"""What a run saves: every call's time and every event; all figures are derived from it."""

from __future__ import annotations

from pathlib import Path

import msgspec

from whisperq_edge.edge.streaming.events import Event

from .sounds import Sound

WARM_UP = -1


class Played(msgspec.Struct):
    """One sound, streamed once.

    Attributes:
        model: A key of ``jobs.MODELS``.
        setup: The name of the setup.
        sound: The name of the sound.
        round: Counts from 0; a warm-up is -1 and stays out of every figure.
        calls: Seconds of CPU time for each frame, and for the end of the sound.
        events: The number of its call, and the event.
        counts: What was done: ``updates``, ``encoded_s``; of ours ``widened`` and ``drawn``.
        cpu_s: Of the whole.
        wall_s: Likewise.
        others: Share of the core that other processes took meanwhile.
    """

    model: str
    setup: str
    sound: str
    round: int
    calls: list[float]
    events: list[tuple[int, Event]]
    counts: dict[str, float]
    cpu_s: float
    wall_s: float
    others: float


class Results(msgspec.Struct):
    """One run of the benchmark.

    Attributes:
        chunk_s: New sound between two updates, in seconds.
        n_frame: Samples that were fed in one call.
        vad_cpu_per_s: CPU seconds that finding the speech took per second of sound.
        silences: Of each sound, stretches in which no voice was heard, in seconds.
    """

    when: str
    machine: dict[str, str]
    core: int
    chunk_s: float = 1.0
    n_frame: int = 512
    vad_cpu_per_s: float = 0.0
    sounds: dict[str, Sound] = {}
    silences: dict[str, tuple[tuple[float, float], ...]] = {}
    versions: dict[str, dict[str, str]] = {}
    failures: dict[str, str] = {}
    played: list[Played] = []

    def save(self, path: Path) -> None:
        """Replace the file at once: a run that is cut off keeps what it has."""
        temporary = path.with_suffix(".tmp")
        temporary.write_bytes(msgspec.json.encode(self))
        temporary.replace(path)

    @classmethod
    def load(cls, path: Path) -> Results:
        """Read what ``save`` wrote."""
        return msgspec.json.decode(path.read_bytes(), type=cls)

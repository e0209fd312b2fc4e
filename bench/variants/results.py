"""What a run saves: every word of every transcription; all figures are derived from it."""

from __future__ import annotations

from pathlib import Path

import msgspec

from .clips import Clip
from .matching import Timed

WARM_UP = -1


class Heard(msgspec.Struct):
    """One clip, transcribed once.

    Attributes:
        setup: The name of the setup.
        clip: The name of the clip.
        round: Counts from 0; a warm-up is -1 and stays out of every figure.
        words: As they were told.
        cpu_s: CPU time.
        wall_s: Wall time.
        others: Share of the core that other processes took meanwhile.
    """

    setup: str
    clip: str
    round: int
    words: list[Timed]
    cpu_s: float
    wall_s: float
    others: float


class WordResults(msgspec.Struct):
    """The word times of one run."""

    when: str
    machine: dict[str, str]
    core: int
    clips: dict[str, Clip] = {}
    versions: dict[str, dict[str, str]] = {}
    failures: dict[str, str] = {}
    heard: list[Heard] = []

    def save(self, path: Path) -> None:
        """Replace the file at once: a run that is cut off keeps what it has."""
        temporary = path.with_suffix(".tmp")
        temporary.write_bytes(msgspec.json.encode(self))
        temporary.replace(path)

    @classmethod
    def load(cls, path: Path) -> WordResults:
        """Read what ``save`` wrote."""
        return msgspec.json.decode(path.read_bytes(), type=cls)

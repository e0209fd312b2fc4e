"""What a worker is asked for, and what it finds: lines of JSON in the pipes and in the journal."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Literal

import msgspec

from ..transcription.word_errors import WordErrors
from .board import Condition
from .record import Energy, Memory, Moment, Pass, Start

Kind = Literal["time", "examine", "sustain"]


class Job(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One piece of work in a process of its own.

    Attributes:
        kind: "time" passes; "examine" memory and words, which would disturb them; or "sustain".
        visit: Which of the configuration's processes this is, from 0.
        folder: Of the artifact.
        digest: What the configuration says of it.
        threads: See ``Configuration``.
        device: Likewise.
        provider: Likewise.
        clips: By name.
        warm_ups: Passes over each clip first.
        rounds: Numbers of the passes over each clip that count.
        judges: Whether words are counted.
        sustain_s: How long it is kept busy.
        limit_s: No pass is begun that would probably end later; None for no limit.
        spawned_s: ``time.monotonic`` right before the process was made.
    """

    kind: Kind
    visit: int
    folder: str
    digest: str
    threads: int
    device: str | None
    provider: str | None
    clips: tuple[str, ...]
    warm_ups: int
    rounds: tuple[int, ...]
    judges: bool
    sustain_s: float
    limit_s: float | None
    spawned_s: float


class _Finding(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag=True):
    @property
    def key(self) -> Hashable:
        """What is found once of every configuration."""
        return type(self).__name__


class Opened(_Finding, frozen=True, tag="opened"):
    """The artifact was loaded and has transcribed once."""

    visit: int
    start: Start
    tools: dict[str, str]
    device: str
    stand_in: bool

    @property
    def key(self) -> Hashable:
        """One for each process."""
        return "opened", self.visit


class Timed(_Finding, frozen=True, tag="timed"):
    """A clip was transcribed; ``number`` counts passes of one phase, and ``text`` was said."""

    visit: int
    number: int
    one: Pass
    text: str

    @property
    def key(self) -> Hashable:
        """A pass that counts has its number in all of the processes, others in their own."""
        if self.one.phase == "measured":
            return "timed", self.one.clip, self.number
        return "timed", self.one.clip, self.one.phase, self.visit, self.number


class Weighed(_Finding, frozen=True, tag="weighed"):
    """Its memory."""

    memory: Memory


class Judged(_Finding, frozen=True, tag="judged"):
    """Its errors."""

    errors: WordErrors


class Unjudged(_Finding, frozen=True, tag="unjudged"):
    """Why no errors were counted."""

    reason: str


class Metered(_Finding, frozen=True, tag="metered"):
    """Energy of the passes that counted in one process."""

    visit: int
    energy: Energy

    @property
    def key(self) -> Hashable:
        """One for each process."""
        return "metered", self.visit


class Sustained(_Finding, frozen=True, tag="sustained"):
    """One pass while it was kept busy."""

    number: int
    moment: Moment

    @property
    def key(self) -> Hashable:
        """By number."""
        return "sustained", self.number


class Observed(_Finding, frozen=True, tag="observed"):
    """The board, before or after the passes of one process."""

    visit: int
    when: Literal["before", "after"]
    condition: Condition

    @property
    def key(self) -> Hashable:
        """Twice for each process."""
        return "observed", self.visit, self.when


class Failed(_Finding, frozen=True, tag="failed"):
    """It cannot be measured; ``reason`` is one line."""

    reason: str


class Finished(_Finding, frozen=True, tag="finished"):
    """A job is done; ``is_cut`` if its time was up before."""

    kind: Kind
    visit: int
    is_cut: bool = False

    @property
    def key(self) -> Hashable:
        """One for each job."""
        return "finished", self.kind, self.visit


Finding = (
    Opened
    | Timed
    | Weighed
    | Judged
    | Unjudged
    | Metered
    | Sustained
    | Observed
    | Failed
    | Finished
)

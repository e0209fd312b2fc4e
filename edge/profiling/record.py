"""The record: all that was measured on one board, raw, for whoever wants to compare it later."""

from __future__ import annotations

from typing import Literal

import msgspec

from ..transcription.word_errors import WordErrors
from .board import Board, Condition

SCHEMA = 1  # of the file
PROTOCOL = 1  # of how is measured: records of different ones are not comparable

Status = Literal["measured", "failed", "skipped"]
Stage = Literal["mel", "encode", "prompt", "decode", "sample", "other", "total"]
Phase = Literal["first", "warm-up", "measured"]


class Clip(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A recording that is timed.

    Attributes:
        name: "5s".
        duration_s: Of its sound.
        digest: sha256 of its samples, as float32.
    """

    name: str
    duration_s: float
    digest: str


class Protocol(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How was measured: what has to be the same in records that are compared.

    Attributes:
        version: ``PROTOCOL``.
        clips: What was timed, shortest first.
        warm_ups: Passes over each clip before those that count.
        repeats: Passes that count.
        cold_starts: Processes that each configuration is timed in, each loading it anew, with the
            passes shared out among them.
        words: Digest of the recordings and words that errors were counted in; None if none were.
        sustain_s: How long each configuration was kept busy afterwards; 0 for not at all.
    """

    version: int
    clips: tuple[Clip, ...]
    warm_ups: int
    repeats: int
    cold_starts: int
    words: str | None
    sustain_s: float


class Configuration(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What was run.

    Attributes:
        model: The checkpoint's name.
        target: The format.
        layout: Of the target.
        precision: Of the weights, as the command line calls it: "int8", "int4:32".
        threads: Asked for.
        device: Where to compute, in the library's words; None for its default.
        provider: ONNX Runtime's execution provider; None for the processor.
        digest: Of the artifact's manifest, sha256.
        size_bytes: The artifact on the disk.
    """

    model: str
    target: str
    layout: str
    precision: str
    threads: int
    device: str | None
    provider: str | None
    digest: str
    size_bytes: int

    @property
    def name(self) -> str:
        """For people: "tiny int8 openvino, 2 threads"."""
        layout = "" if self.layout == "native" else f" {self.layout}"
        where = "".join(f", {place}" for place in (self.device, self.provider) if place)
        threads = "1 thread" if self.threads == 1 else f"{self.threads} threads"
        return f"{self.model} {self.precision} {self.target}{layout}, {threads}{where}"


class Duration(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How long something took, in seconds: by the clock, and of all processors together."""

    wall_s: float
    cpu_s: float


class Pass(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One clip, transcribed once.

    Attributes:
        clip: Its name.
        phase: "first" is the first in its process; warm-ups do not count either.
        stages: What each took; "decode" is all tokens after the prompt's, "sample" the rules and
            the choice between two of them, "other" what is left of the total.
        n_tokens: Steps of the decoder after the prompt.
        waited_s: Time in which the process could have run, and had no processor.
        clock_mhz: The fastest core's, right after it; None where the board does not say.
        temperature_c: The hottest zone's, likewise.
    """

    clip: str
    phase: Phase
    stages: dict[Stage, Duration]
    n_tokens: int
    waited_s: float | None
    clock_mhz: int | None
    temperature_c: float | None


class Start(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """From nothing to a session that is ready.

    Attributes:
        process: Until Python and the package were loaded.
        load: Until the artifact was open.
        first: Until the first clip, the shortest, was transcribed.
        cached: Whether the library kept something of the artifact from an earlier start.
    """

    process: Duration
    load: Duration
    first: Duration
    cached: bool


class Memory(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Resident memory in bytes; mapped files that were read are in it.

    Attributes:
        before: When Python and the package were loaded, and no library of a target.
        loaded: When the artifact was open.
        peaks: The most in each stage: "load", "encode", "decode", "total".
        is_reset: Whether the system lets a peak be taken for each stage; otherwise all are the peak
            since the process began.
    """

    before: int
    loaded: int
    peaks: dict[str, int]
    is_reset: bool


class Energy(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Measured over all passes that count.

    Attributes:
        meter: "rapl" or "ina3221".
        joules: By domain or rail, everything else on the board included.
        idle_w: The same meter while nothing ran.
        sound_s: Sound transcribed meanwhile.
    """

    meter: str
    joules: dict[str, float]
    idle_w: dict[str, float]
    sound_s: float


class Moment(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A second or more, while a configuration was kept busy with the longest clip.

    Attributes:
        at_s: Since that began.
        real_time_factor: Time computed per second of sound.
        clock_mhz: See ``Pass``.
        temperature_c: Likewise.
        throttled: See ``Condition``.
    """

    at_s: float
    real_time_factor: float
    clock_mhz: int | None
    temperature_c: float | None
    throttled: tuple[str, ...] | None


class Outcome(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What came of one configuration.

    Attributes:
        configuration: What was run.
        status: "skipped" was not tried, and ``reason`` says why.
        reason: In one line, why there are no figures; None if there are.
        tools: Versions of the libraries that ran it.
        device: Where it really ran, as the session says.
        stand_in: Whether it only shows what the target computes: its times are nobody's.
        starts: Each in a process of its own.
        passes: In order, warm-ups included.
        memory: None if it was not measured.
        errors: In the recordings that the protocol names; None if none were counted.
        texts: What was made of each timed clip.
        energy: None where the board has no meter, or it may not be read.
        sustained: While it was kept busy.
        before: The board, before the first pass.
        after: And after the last.
        doubts: Why these figures cannot be trusted, one line each.
    """

    configuration: Configuration
    status: Status
    reason: str | None = None
    tools: dict[str, str] = {}
    device: str | None = None
    stand_in: bool = False
    starts: tuple[Start, ...] = ()
    passes: tuple[Pass, ...] = ()
    memory: Memory | None = None
    errors: WordErrors | None = None
    texts: dict[str, str] = {}
    energy: Energy | None = None
    sustained: tuple[Moment, ...] = ()
    before: Condition | None = None
    after: Condition | None = None
    doubts: tuple[str, ...] = ()


class Record(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One run of the profiler.

    Attributes:
        schema: ``SCHEMA``.
        created: ISO 8601, UTC, in seconds.
        package: Version of whisperq-edge.
        protocol: How was measured.
        board: On what.
        labels: What a reader has to know before anything else: "emulated: times mean nothing".
        outcomes: In the order in which they were measured.
    """

    schema: int
    created: str
    package: str
    protocol: Protocol
    board: Board
    labels: tuple[str, ...]
    outcomes: tuple[Outcome, ...]

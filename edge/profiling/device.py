"""A board as its file in ``devices/`` describes it: facts, each with its source."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import msgspec

# Linux's names, as ``Board.features`` has them.
Int8Instruction = Literal["avx2", "avx_vnni", "avx512_vnni", "amx_int8", "asimddp", "i8mm", "sve"]
# How much is known: a test on this very processor, one under emulation of it, its maker's word,
# or no more than that a wheel for its system exists.
Evidence = Literal["run", "emulated", "documented", "wheel"]


class _Sourced(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Something that was read somewhere.

    Attributes:
        source: Where: a key of the file's ``[sources]``.
    """

    source: str


class Cores(_Sourced, frozen=True, kw_only=True):
    """Cores of one kind.

    Attributes:
        name: "Cortex-A76".
        count: How many; None where that differs from model to model.
        max_mhz: Their highest clock; None where no source was found.
    """

    name: str
    count: int | None = None
    max_mhz: int | None = None


class Int8(_Sourced, frozen=True, kw_only=True):
    """The instructions that multiply bytes; none is a fact as well."""

    instructions: tuple[Int8Instruction, ...]


class Memory(_Sourced, frozen=True, kw_only=True):
    """The sizes it is sold with, in MiB, ascending."""

    sizes_mib: tuple[int, ...]


class Bandwidth(_Sourced, frozen=True, kw_only=True):
    """What memory delivers at most, in GB/s (1e9 bytes)."""

    gb_per_s: float


class Accelerator(_Sourced, frozen=True, kw_only=True):
    """A processor beside the CPU.

    Attributes:
        name: As its maker calls it.
        kind: What it was made for.
        tops: Its maker's figure, in 1e12 operations per second.
        targets: Those whose artifacts can use it; none for most.
    """

    name: str
    kind: Literal["gpu", "npu"]
    tops: float | None = None
    targets: tuple[str, ...] = ()


class Identity(_Sourced, frozen=True, kw_only=True):
    """What the board says of itself; ``devices.identify`` compares it.

    Attributes:
        compatible: Device tree names of which it has one.
        models: Patterns of the firmware's name for it; ``*`` and ``?`` stand for anything.
        cores: Patterns of its cores' names, for processors that many boards are made of.
    """

    compatible: tuple[str, ...] = ()
    models: tuple[str, ...] = ()
    cores: tuple[str, ...] = ()


class TargetSupport(_Sourced, frozen=True, kw_only=True):
    """Whether artifacts of a target run there.

    Attributes:
        works: Whether they do.
        note: What to install and what to mind; or why they do not run.
        evidence: How that is known; None for what does not work.
    """

    works: bool
    note: str
    evidence: Evidence | None = None


class Default(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What to use before anything was measured on the board.

    Attributes:
        target: One that works there.
        precision: As ``export`` takes it: ``int8``, ``int4:32``.
        threads: Compute threads; None where the library decides alone.
        reason: Why these, in a sentence or two.
    """

    target: str
    precision: str
    threads: int | None = None
    reason: str


class Published(_Sourced, frozen=True, kw_only=True):
    """A time that somebody else measured on it, by a protocol of their own.

    Attributes:
        engine: The program.
        model: The checkpoint.
        precision: In that program's words.
        what: The work that was timed.
        seconds: What it took; None where only a factor was given.
        times_real_time: Seconds of sound per second of work; None where seconds were given.
        audio_s: Length of the sound; None where it was not said, or is a window of 30 s.
        memory_mb: At its peak, in 1e6 bytes.
    """

    engine: str
    model: str
    precision: str
    what: str
    seconds: float | None = None
    times_real_time: float | None = None
    audio_s: float | None = None
    memory_mb: float | None = None


class Device(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A board, a phone, or a processor that many machines are built around.

    Attributes:
        name: As people call it.
        vendor: Who makes it.
        soc: The chip.
        machine: What ``platform.machine()`` says on it.
        sources: By a short key, what was read and where.
        cores: By kind, the fastest first.
        int8: Instructions of all its cores.
        memory: None where no source was found; and so the bandwidth.
        bandwidth: Of the memory.
        accelerators: Those that are known.
        identify: How it is recognized.
        targets: Every target, by name.
        default: What to use there.
        published: What others measured.
    """

    name: str
    vendor: str
    soc: str
    machine: Literal["aarch64", "arm64", "x86_64"]
    sources: dict[str, str]
    cores: tuple[Cores, ...]
    int8: Int8
    identify: Identity
    targets: dict[str, TargetSupport]
    default: Default
    memory: Memory | None = None
    bandwidth: Bandwidth | None = None
    accelerators: tuple[Accelerator, ...] = ()
    published: tuple[Published, ...] = ()

    def cited(self) -> Iterator[tuple[str, str]]:
        """Each figure's place in the file and the key of its source."""
        for field in self.__struct_fields__:
            value = getattr(self, field)
            if isinstance(value, _Sourced):
                yield field, value.source
            elif isinstance(value, dict):
                for key, part in value.items():
                    if isinstance(part, _Sourced):
                        yield f"{field}.{key}", part.source
            elif isinstance(value, tuple):
                yield from ((f"{field}[{i}]", part.source) for i, part in enumerate(value))

"""What a board is, as far as its operating system says."""

from __future__ import annotations

import msgspec


class CoreGroup(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Cores of one kind.

    Attributes:
        name: "Cortex-A76", or what the processor calls itself.
        count: How many.
        max_mhz: Their highest clock; None where the system does not say.
    """

    name: str
    count: int
    max_mhz: int | None


class Board(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A board's facts; what cannot be found out is None or empty.

    Attributes:
        model: "Raspberry Pi 5 Model B Rev 1.0", from the firmware.
        machine: "aarch64", "x86_64", "arm64".
        system: Kernel and C library, as ``platform.platform(terse=True)`` gives them.
        cores: By kind, as the system numbers them.
        usable_cores: What this process may use; a container or taskset may allow fewer.
        features: Instructions that decide how fast 8-bit products are, under Linux's names.
        memory_bytes: All of it.
        memory_limit_bytes: What a control group leaves this process; None without a limit.
        governor: Of the clocks.
        device_id: The file of ``devices/`` that describes this board; None where none does.
        python: Version of the interpreter.
    """

    model: str | None
    machine: str
    system: str
    cores: tuple[CoreGroup, ...]
    usable_cores: int
    features: tuple[str, ...]
    memory_bytes: int | None
    memory_limit_bytes: int | None
    governor: str | None
    device_id: str | None
    python: str


class Condition(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What changes from one moment to the next.

    Attributes:
        clocks_mhz: Of each core that says.
        temperatures_c: Of each thermal zone, by its type.
        throttled: What keeps the clock down now: "under-voltage", "frequency capped", "throttled",
            "soft temperature limit"; None where the board does not say.
        throttled_since_boot: Likewise, at any time since it was switched on.
        available_bytes: Memory that programs may still take.
        power_w: Of each rail that has a meter, by its label.
    """

    clocks_mhz: tuple[int, ...]
    temperatures_c: dict[str, float]
    throttled: tuple[str, ...] | None
    throttled_since_boot: tuple[str, ...] | None
    available_bytes: int | None
    power_w: dict[str, float]

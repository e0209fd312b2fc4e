"""The names of ARM cores, by the numbers that they give themselves.

Source: Linux, ``arch/arm64/include/asm/cputype.h``; util-linux, ``sys-utils/lscpu-arm.c``.
"""

from __future__ import annotations

_ARM = {
    0xB76: "ARM1176",
    0xC07: "Cortex-A7",
    0xC08: "Cortex-A8",
    0xC09: "Cortex-A9",
    0xC0F: "Cortex-A15",
    0xC0E: "Cortex-A17",
    0xD01: "Cortex-A32",
    0xD02: "Cortex-A34",
    0xD03: "Cortex-A53",
    0xD04: "Cortex-A35",
    0xD05: "Cortex-A55",
    0xD06: "Cortex-A65",
    0xD07: "Cortex-A57",
    0xD08: "Cortex-A72",
    0xD09: "Cortex-A73",
    0xD0A: "Cortex-A75",
    0xD0B: "Cortex-A76",
    0xD0C: "Neoverse-N1",
    0xD0D: "Cortex-A77",
    0xD0E: "Cortex-A76AE",
    0xD40: "Neoverse-V1",
    0xD41: "Cortex-A78",
    0xD42: "Cortex-A78AE",
    0xD44: "Cortex-X1",
    0xD46: "Cortex-A510",
    0xD47: "Cortex-A710",
    0xD48: "Cortex-X2",
    0xD49: "Neoverse-N2",
    0xD4A: "Neoverse-E1",
    0xD4B: "Cortex-A78C",
    0xD4C: "Cortex-X1C",
    0xD4D: "Cortex-A715",
    0xD4E: "Cortex-X3",
    0xD4F: "Neoverse-V2",
    0xD80: "Cortex-A520",
    0xD81: "Cortex-A720",
    0xD82: "Cortex-X4",
    0xD83: "Neoverse-V3AE",
    0xD84: "Neoverse-V3",
    0xD85: "Cortex-X925",
    0xD87: "Cortex-A725",
    0xD8E: "Neoverse-N3",
}
_NVIDIA = {0x000: "Denver", 0x003: "Denver 2", 0x004: "Carmel"}
_QUALCOMM = {
    0x001: "Oryon",
    0x800: "Kryo 2xx Gold",
    0x801: "Kryo 2xx Silver",
    0x802: "Kryo 3xx Gold",
    0x803: "Kryo 3xx Silver",
    0x804: "Kryo 4xx Gold",
    0x805: "Kryo 4xx Silver",
}
_APPLE = {
    0x022: "Icestorm",
    0x023: "Firestorm",
    0x024: "Icestorm",
    0x025: "Firestorm",
    0x028: "Icestorm",
    0x029: "Firestorm",
    0x032: "Blizzard",
    0x033: "Avalanche",
    0x034: "Blizzard",
    0x035: "Avalanche",
    0x038: "Blizzard",
    0x039: "Avalanche",
}
_AMPERE = {0xAC3: "Ampere-1", 0xAC4: "Ampere-1a"}
_MAKERS = {0x41: _ARM, 0x4E: _NVIDIA, 0x51: _QUALCOMM, 0x61: _APPLE, 0xC0: _AMPERE}


def core_name(implementer: str, part: str) -> str:
    """The name of a core, or its numbers where it has none here.

    Args:
        implementer: As /proc/cpuinfo has it: "0x41".
        part: Likewise: "0xd0b".
    """
    try:
        return _MAKERS[int(implementer, 16)][int(part, 16)]
    except (ValueError, KeyError):
        return f"core {implementer}:{part}"

"""What keeps the clocks of a Raspberry Pi down.

Source: Raspberry Pi documentation, ``vcgencmd get_throttled``; Linux (Raspberry Pi's),
``drivers/firmware/raspberrypi.c``.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from .system_tree import SystemTree

_REASONS = ("under-voltage", "frequency capped", "throttled", "soft temperature limit")
_SINCE_BOOT = 16  # bits 0 to 3 are now, these likewise at any time
# "soc" up to the Raspberry Pi 4; the 5 has the bus's address in it.
_FILES = "/sys/devices/platform/soc*/soc*:firmware/get_throttled"


class Throttling(NamedTuple):
    """Reasons, under the names that ``Condition`` lists."""

    now: tuple[str, ...]
    since_boot: tuple[str, ...]


def read_throttling(tree: SystemTree) -> Throttling | None:
    """What the firmware says; None where there is no such firmware."""
    for text in _answers(tree):
        # The file has hexadecimal digits without 0x, the command "throttled=0x50005".
        digits = (text or "").rpartition("=")[2]
        try:
            bits = int(digits, 16)
        except ValueError:
            continue
        if bits >= 0:
            return Throttling(_reasons(bits), _reasons(bits >> _SINCE_BOOT))
    return None


def _answers(tree: SystemTree) -> Iterator[str | None]:
    yield from map(tree.text, tree.find(_FILES))
    yield tree.output("vcgencmd", "get_throttled")  # which costs a process, so only without a file


def _reasons(bits: int) -> tuple[str, ...]:
    return tuple(reason for bit, reason in enumerate(_REASONS) if bits >> bit & 1)

"""The limits that ``recommend`` takes."""

from __future__ import annotations

import re

from ..errors import ConfigError

_UNITS = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "ki": 1 << 10, "mi": 1 << 20, "gi": 1 << 30}


def memory_bytes(option: str, text: str) -> int:
    """Bytes of a size such as ``300M`` or ``300MB`` (of a thousand) and ``300MiB`` (of 1024).

    Raises:
        ConfigError: It is not of that form.
    """
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([kmg]?i?)b?", text.strip().lower())
    if match is None or match[2] not in _UNITS or not float(match[1]):
        raise ConfigError(f"{option} takes a size such as 300M or 1.5G, not '{text}'")
    return int(float(match[1]) * _UNITS[match[2]])

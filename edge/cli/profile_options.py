"""The values that ``profile`` takes: lists with commas, and lengths of time."""

from __future__ import annotations

import re
from collections.abc import Collection

from ..errors import ConfigError, UnknownNameError

ALL = "all"
_SECONDS = {"": 1.0, "s": 1.0, "m": 60.0, "h": 3600.0}


def chosen(kind: str, text: str, known: Collection[str]) -> list[str]:
    """The names in a list with commas, in its order; every known one for ``all``.

    Args:
        kind: What they are names of, in the user's words.
        text: What was given.
        known: The names there are.

    Raises:
        UnknownNameError: One of them is no such name.
        ConfigError: There are none.
    """
    names = list(dict.fromkeys(filter(None, (word.strip() for word in text.split(",")))))
    if names == [ALL]:
        return list(known)
    for name in names:
        if name not in known:
            raise UnknownNameError(kind, name, [*known, ALL])
    if not names:
        raise ConfigError(f"no {kind} is given")
    return names


def thread_counts(text: str | None, n_cores: int) -> list[int]:
    """The numbers in a list with commas; 1, 2, 4 and so on up to the cores, if there is none.

    Raises:
        ConfigError: Something between the commas is no number from 1 up.
    """
    if text is None:
        doubled = [2**power for power in range(n_cores.bit_length()) if 2**power < n_cores]
        return [*doubled, n_cores]
    try:
        counts = list(dict.fromkeys(int(word) for word in text.split(",")))
    except ValueError:
        counts = [0]
    if min(counts) < 1:
        raise ConfigError(f"--threads takes numbers such as 1,2,4, not '{text}'")
    return counts


def length_s(option: str, text: str) -> float:
    """Seconds of a length such as ``90s``, ``10m`` or ``1h``.

    Raises:
        ConfigError: It is not of that form.
    """
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([smh]?)", text.strip())
    if match is None:
        raise ConfigError(f"{option} takes a length such as 90s or 10m, not '{text}'")
    return float(match[1]) * _SECONDS[match[2]]

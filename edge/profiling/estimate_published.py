"""What others' times on two boards say of how the boards compare."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from itertools import permutations
from typing import NamedTuple

from .device import Device, Published
from .devices import devices


class Anchor(NamedTuple):
    """Two boards, timed with the same work.

    Attributes:
        ratio: How many times as long the second took.
        text: Which work.
    """

    ratio: float
    text: str


def anchor(first: str | None, second: str) -> Anchor | None:
    """The boards beside each other by the same program's time for the same work; None without.

    Of several, the one that was published first in the first board's file.

    Args:
        first: Id of the board that is known; None for one that is not described.
        second: Id of the other.
    """
    known = devices()
    if first is None or first not in known or second not in known:
        return None
    return next(_anchors(known[first], known[second]), None)


def _anchors(first: Device, second: Device) -> Iterator[Anchor]:
    for ours in first.published:
        for theirs in second.published:
            if _work(ours) == _work(theirs) and ours.seconds and theirs.seconds:
                text = f"{ours.engine}, {ours.model}: {ours.what}"
                yield Anchor(theirs.seconds / ours.seconds, text)


def _work(figure: Published) -> tuple[str, str, str]:
    """What has to be the same; the English models are built like the others."""
    return figure.engine, figure.model.removesuffix(".en"), figure.what


@cache
def worst_error() -> float:
    """How many times too long or too short clocks and instructions alone say that work takes.

    The worst among boards that others have timed with the same work, on all cores and in floats.
    """
    errors = [1.0]
    for first, second in permutations(devices().values(), 2):
        speeds = [_speed(first), _speed(second)]
        if speeds[0] is None or speeds[1] is None:
            continue
        said = speeds[0] / speeds[1]
        errors += [max(one.ratio / said, said / one.ratio) for one in _anchors(first, second)]
    return max(errors)


def _speed(device: Device) -> float | None:
    """MHz of all cores of the first kind; an accelerator's time is never compared with them."""
    first = device.cores[0]
    return first.count * first.max_mhz if first.count and first.max_mhz else None

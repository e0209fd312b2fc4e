"""An estimate beside what was measured on the same board: how far it can be trusted."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from .record import Configuration, Record
from .summary import real_time_factor


class Beside(msgspec.Struct, frozen=True):
    """Real-time factors of one configuration, the medians.

    Attributes:
        name: Of the configuration.
        estimated: From another board's record.
        measured: On this one.
        ratio: How many times as long the estimate is.
    """

    name: str
    estimated: float
    measured: float
    ratio: float


def beside(estimated: Record, measured: Record) -> Iterator[Beside]:
    """The configurations that both have figures of; none where other clips were timed.

    Args:
        estimated: Of ``estimate``.
        measured: On the same board.
    """
    if estimated.protocol.clips != measured.protocol.clips:
        return
    known = {_asked(name): factor for name, factor in _factors(estimated)}
    for configuration, factor in _factors(measured):
        said = known.get(_asked(configuration))
        if said is not None and factor:
            yield Beside(configuration.name, said, factor, said / factor)


def _factors(record: Record) -> Iterator[tuple[Configuration, float]]:
    for outcome in record.outcomes:
        factor = real_time_factor(outcome, record.protocol)
        if outcome.status == "measured" and not outcome.stand_in and factor:
            yield outcome.configuration, factor.median


def _asked(configuration: Configuration) -> Configuration:
    """What was asked for, without what the export made of it."""
    return msgspec.structs.replace(configuration, digest="", size_bytes=0)

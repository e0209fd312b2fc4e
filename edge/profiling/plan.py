"""What is to be done, piece by piece, and how much of the time each piece may take."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from .clips import CLIPS, timed_clips, words_digest
from .job import Kind
from .record import PROTOCOL, Protocol

WARM_UPS, REPEATS, COLD_STARTS = 1, 6, 2
JUDGING_WEIGHT = 4.0  # words are counted in about as much sound as so many rounds of the clips


class Piece(NamedTuple):
    """What one process does.

    Attributes:
        configuration: Its number.
        kind: See ``Job``.
        visit: Likewise.
    """

    configuration: int
    kind: Kind
    visit: int


def make_protocol(
    clips: Iterable[str] = tuple(CLIPS),
    *,
    warm_ups: int = WARM_UPS,
    repeats: int = REPEATS,
    cold_starts: int = COLD_STARTS,
    judges: bool = True,
    sustain_s: float = 0.0,
) -> Protocol:
    """How this release measures.

    Args:
        clips: By name.
        warm_ups: See ``Protocol``.
        repeats: Likewise.
        cold_starts: Likewise; no more than there are passes.
        judges: Whether words are counted.
        sustain_s: See ``Protocol``.
    """
    return Protocol(
        version=PROTOCOL,
        clips=tuple(timed.clip for timed in timed_clips(tuple(clips))),
        warm_ups=warm_ups,
        repeats=repeats,
        cold_starts=min(cold_starts, repeats),
        words=words_digest() if judges else None,
        sustain_s=sustain_s,
    )


def pieces(n_configurations: int, protocol: Protocol) -> Iterator[Piece]:
    """All of them, in order.

    One configuration is visited after the other and then all of them again, so that a board that
    gets slower while it is measured slows all alike, and a plan that is cut short has something of
    each.
    """
    everyone = range(n_configurations)
    yield from (Piece(number, "time", 0) for number in everyone)
    yield from (Piece(number, "examine", 0) for number in everyone)
    for visit in range(1, protocol.cold_starts):
        yield from (Piece(number, "time", visit) for number in everyone)
    if protocol.sustain_s:
        yield from (Piece(number, "sustain", 0) for number in everyone)


def rounds_of(visit: int, protocol: Protocol) -> tuple[int, ...]:
    """The numbers of the passes that count in one visit."""
    n, n_visits = protocol.repeats, protocol.cold_starts
    return tuple(range(visit * n // n_visits, (visit + 1) * n // n_visits))


def weight(piece: Piece, protocol: Protocol) -> float:
    """How long a piece takes beside others of its configuration, in rounds of the clips."""
    if piece.kind == "time":
        return 1.0 + protocol.warm_ups + len(rounds_of(piece.visit, protocol))
    return 1.0 + JUDGING_WEIGHT * (protocol.words is not None) if piece.kind == "examine" else 0.0

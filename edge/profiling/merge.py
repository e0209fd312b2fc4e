"""Several records of one board as one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import msgspec

from ..errors import ConfigError
from .board import Board
from .comparison import Named, require_one_protocol
from .record import SCHEMA, Configuration, Outcome, Record

# What a kernel leaves to programs differs a little from one start of the board to the next.
MEMORY_TOLERANCE = 0.01


class Replaced(NamedTuple):
    """A configuration that more than one record has.

    Attributes:
        configuration: What was run.
        kept: The name of the record whose outcome stays.
        dropped: The name of the other.
    """

    configuration: Configuration
    kept: str
    dropped: str


def merge(records: Sequence[Named]) -> tuple[Record, list[Replaced]]:
    """Join records of one board, one protocol and one version of the package.

    Passes of two records are never put together: they ran at another temperature and beside other
    programs. Of a configuration that is in several, one outcome stays as it is: measured figures
    before a failure or a skip, and the later record before the earlier.

    Args:
        records: At least one.

    Returns:
        The record, its outcomes in the order in which they were measured, dated as the latest; and
        what it left out.

    Raises:
        ConfigError: They differ in board, protocol, labels or version; the message names the field.
    """
    require_one_protocol(records, "merged")
    first = records[0]
    for other in records[1:]:
        _require_alike(first, other)
    in_order = sorted(records, key=lambda named: named.record.created)
    kept: dict[Configuration, tuple[str, Outcome]] = {}
    replaced = []
    for name, record in in_order:
        for outcome in record.outcomes:
            configuration = outcome.configuration
            winner, loser = (name, outcome), kept.get(configuration)
            if loser is not None:
                if _is_measured(loser[1]) and not _is_measured(outcome):
                    winner, loser = loser, winner
                replaced.append(Replaced(configuration, kept=winner[0], dropped=loser[0]))
            kept.pop(configuration, None)  # so that it stands where it was measured
            kept[configuration] = winner
    joined = msgspec.structs.replace(
        in_order[-1].record,
        schema=SCHEMA,
        outcomes=tuple(outcome for _, outcome in kept.values()),
    )
    return joined, replaced


def _is_measured(outcome: Outcome) -> bool:
    return outcome.status == "measured"


def _require_alike(first: Named, other: Named) -> None:
    fields = [
        (f"board.{field}", getattr(first.record.board, field), getattr(other.record.board, field))
        for field in Board.__struct_fields__
    ]
    fields += [
        (field, getattr(first.record, field), getattr(other.record, field))
        for field in ("package", "labels")
    ]
    for field, ours, theirs in fields:
        if ours == theirs or (field == "board.memory_bytes" and _nearly(ours, theirs)):
            continue
        raise ConfigError(
            f"{first.name} and {other.name} cannot be merged: {field} is {ours!r} and {theirs!r}; "
            "compare them instead"
        )


def _nearly(ours: int | None, theirs: int | None) -> bool:
    return bool(ours and theirs and abs(ours - theirs) <= MEMORY_TOLERANCE * ours)

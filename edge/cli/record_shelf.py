"""The records in the data folder: which of them says something of a board."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from ..errors import ConfigError
from .export_index import data_folder
from .screen import Screen

if TYPE_CHECKING:
    from ..profiling.board import Board
    from ..profiling.comparison import Named
    from ..profiling.record import Record


def shelved_records(screen: Screen) -> list[Named]:
    """All that ``profile`` left there, the newest first; one that cannot be read is told of."""
    from ..profiling.comparison import Named
    from ..profiling.record_file import read_record

    found = []
    for path in sorted((data_folder() / "profiles").rglob("*.json")):
        try:
            found.append(Named(str(path), read_record(path)))
        except ConfigError as error:
            screen.note(f"left out: {error}")
    # ISO 8601 in UTC sorts as text, whichever way UTC is written.
    return sorted(found, key=lambda named: named.record.created[:19], reverse=True)


def is_of(record: Record, board: Board) -> bool:
    """Whether a record was made on this very kind of machine, as far as its firmware says."""
    other = record.board
    return (other.model, other.machine, other.cores) == (board.model, board.machine, board.cores)


def of_other_boards(records: list[Named], device_id: str) -> Iterator[Named]:
    """Those that were not made on a board of this id."""
    return (named for named in records if named.record.board.device_id != device_id)

"""What a recommendation rests on: a record of the board, or an estimate from another's."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from ..errors import ConfigError
from .record_input import read_records
from .record_shelf import is_of, of_other_boards, shelved_records
from .screen import Screen

if TYPE_CHECKING:
    from ..profiling.board import Board
    from ..profiling.comparison import Named
    from ..profiling.estimate_beside import Beside


class Evidence(NamedTuple):
    """A record, and how far it is to be believed.

    Attributes:
        named: With its file's name; None if there is nothing but the board's description.
        is_estimate: Whether its times are another board's, scaled.
        is_here: Whether it is of this machine.
        device_id: Of the board; None if it is not described.
        beside: What would have been estimated, where it was measured.
        notes: Why there is no more, one line each.
    """

    named: Named | None
    is_estimate: bool
    is_here: bool
    device_id: str | None
    beside: tuple[Beside, ...] = ()
    notes: tuple[str, ...] = ()


def find_evidence(
    screen: Screen, path: Path | None, device_id: str | None, here: Board
) -> Evidence:
    """The record that was named, else the newest of the board; else an estimate.

    Args:
        screen: Told about records that cannot be read.
        path: Of a record; None for those in the data folder.
        device_id: Of the board that is asked for; None for the record's, or this one.
        here: This machine.

    Raises:
        ConfigError: There is no record, and nothing is known of the board.
    """
    from ..profiling.devices import device

    if device_id is not None:
        device(device_id)  # a name that is wrong is told at once
    shelf = shelved_records(screen)
    given = None if path is None else read_records([path])[0]
    measured = _measured(given, shelf, device_id, here)
    if measured is not None:
        return _with_beside(measured, shelf if given is None else [given, *shelf], here)
    wanted = device_id or here.device_id
    if wanted is None:
        raise ConfigError(
            "this machine was not profiled, and no file of devices/ describes it; "
            "run: whisperq-edge profile, or name a record"
        )
    others = [given] if given else list(of_other_boards(shelf, wanted))
    return _estimated(others, wanted, here)


def _measured(
    given: Named | None, shelf: list[Named], device_id: str | None, here: Board
) -> Named | None:
    if given is not None:
        wanted = device_id in (None, given.record.board.device_id)
        return given if wanted else None
    if device_id is not None:
        return next((one for one in shelf if one.record.board.device_id == device_id), None)
    return next((one for one in shelf if is_of(one.record, here)), None)


def _with_beside(measured: Named, records: list[Named], here: Board) -> Evidence:
    """The record, and the estimate that the newest of another board would have given."""
    from ..profiling.devices import devices
    from ..profiling.estimate import estimate
    from ..profiling.estimate_beside import beside

    device_id = measured.record.board.device_id
    found: tuple[Beside, ...] = ()
    if device_id is not None and device_id in devices():
        for other in of_other_boards(records, device_id):
            try:
                estimated = estimate(other.record, device_id, devices()[device_id])
            except ConfigError:
                continue  # no estimate, and none is needed
            if found := tuple(beside(estimated, measured.record)):
                break
    return Evidence(measured, False, is_of(measured.record, here), device_id, found)


def _estimated(others: list[Named], wanted: str, here: Board) -> Evidence:
    from ..profiling.comparison import Named
    from ..profiling.devices import device
    from ..profiling.estimate import estimate

    notes = []
    for other in others:
        try:
            estimated = estimate(other.record, wanted, device(wanted))
        except ConfigError as error:
            notes.append(f"{other.name}: {error}")
        else:
            return Evidence(Named(other.name, estimated), True, here.device_id == wanted, wanted)
    return Evidence(None, True, here.device_id == wanted, wanted, (), tuple(dict.fromkeys(notes)))

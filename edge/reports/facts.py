"""The board and the protocol in words: label and value, for the end of every report."""

from __future__ import annotations

from ..profiling.board import Condition
from ..profiling.record import Protocol, Record
from .wording import ABSENT, TIMES, megabytes, number

Fact = tuple[str, str]


def board_name(record: Record) -> str:
    """What to call the board: its model, or at least its kind of processor."""
    board = record.board
    return board.model or ", ".join(core.name for core in board.cores) or board.machine


def board_facts(record: Record) -> list[Fact]:
    """What the record says of the board."""
    board = record.board
    cores = ", ".join(
        f"{core.count} {TIMES} {core.name}" + (f" up to {core.max_mhz} MHz" if core.max_mhz else "")
        for core in board.cores
    )
    limit = board.memory_limit_bytes
    return [
        ("model", board.model or ABSENT),
        ("known as", board.device_id or ABSENT),
        ("cores", cores or ABSENT),
        ("cores that may be used", str(board.usable_cores)),
        ("instructions for 8-bit products", ", ".join(board.features) or "none"),
        ("memory", megabytes(board.memory_bytes)),
        ("memory limit", megabytes(limit) if limit else "none"),
        ("governor of the clocks", board.governor or ABSENT),
        ("machine, system", f"{board.machine}, {board.system}"),
        ("Python, whisperq-edge", f"{board.python}, {record.package}"),
        ("measured", record.created),
    ]


def protocol_facts(protocol: Protocol) -> list[Fact]:
    """How was measured."""
    clips = ", ".join(
        f"{clip.name} ({number(clip.duration_s, 3)} s, {clip.digest[:8]})"
        for clip in protocol.clips
    )
    sustained = f"{number(protocol.sustain_s / 60)} minutes" if protocol.sustain_s else "no"
    return [
        ("version", str(protocol.version)),
        ("recordings that are timed", clips or ABSENT),
        ("passes that do not count", str(protocol.warm_ups)),
        ("passes that count", str(protocol.repeats)),
        ("starts from nothing", str(protocol.cold_starts)),
        ("words are counted in", protocol.words[:16] if protocol.words else "nothing"),
        ("kept busy afterwards", sustained),
    ]


def condition_text(condition: Condition | None) -> str:
    """The board's state in a line: its clocks, its warmest zone, and what keeps it back."""
    if condition is None:
        return ABSENT
    parts = []
    if clocks := condition.clocks_mhz:
        low, high = min(clocks), max(clocks)
        parts.append(f"{high} MHz" if low == high else f"{low} to {high} MHz")
    if zones := condition.temperatures_c:
        zone = max(zones, key=lambda name: zones[name])
        parts.append(f"{number(zones[zone], 3)} °C ({zone})")
    if condition.throttled:
        parts.append(", ".join(condition.throttled))
    return "; ".join(parts) or ABSENT

"""``whisperq-edge board``: what this board is, and how it is now."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer

from .parity_report import size_text
from .screen import Screen

if TYPE_CHECKING:
    from ..profiling.board import Board, Condition, CoreGroup

board = typer.Typer(
    name="board", invoke_without_command=True, epilog="Example: whisperq-edge board capture"
)


@board.callback()
def show(
    ctx: typer.Context,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Show this board's facts: cores, memory, clocks, temperatures, throttling, power.

    What the system does not say is left open.
    """
    if ctx.invoked_subcommand is not None:
        return
    from ..profiling.read_board import read_board, read_condition

    facts, now = read_board(), read_condition()
    if as_json:
        typer.echo(msgspec.json.encode({"board": facts, "condition": now}).decode())
        return
    screen: Screen = ctx.obj
    screen.table(("board", ""), [*_facts(facts), *_condition(now)])


@board.command(epilog="Example: whisperq-edge board capture --output raspberry-pi-5.tar.gz")
def capture(
    ctx: typer.Context,
    output: Annotated[Path, typer.Option("--output", "-o", help="The file to write.")] = Path(
        "board.tar.gz"
    ),
) -> None:
    """Pack the files that the facts were read from, for a bug report.

    No serial numbers, addresses or names are in it.
    """
    from ..profiling.capture import capture as pack

    names = pack(output)
    screen: Screen = ctx.obj
    for name in names:
        screen.detail(name)
    screen.note(f"{len(names)} files in {output}")


def _facts(facts: Board) -> Iterator[tuple[str, str]]:
    yield "model", facts.model or "unknown"
    yield "devices", facts.device_id or "not described there"
    yield "system", " ".join(filter(None, [facts.system, facts.machine]))
    for group in facts.cores:
        yield "cores", core_text(group)
    yield "usable cores", str(facts.usable_cores)
    yield "int8 instructions", " ".join(facts.features) or "none known"
    yield "governor", facts.governor or "-"
    yield "memory", memory_text(facts)


def _condition(now: Condition) -> Iterator[tuple[str, str]]:
    yield "available memory", "-" if now.available_bytes is None else size_text(now.available_bytes)
    yield "clocks", " ".join(map(str, now.clocks_mhz)) + " MHz" if now.clocks_mhz else "-"
    for zone, degrees in now.temperatures_c.items():
        yield f"temperature {zone}", f"{degrees:.1f} °C"
    yield "held back", _reasons(now.throttled)
    yield "held back since boot", _reasons(now.throttled_since_boot)
    for rail, watts in now.power_w.items():
        yield f"power {rail}", f"{watts:.2f} W"


def core_text(group: CoreGroup) -> str:
    """For people: "4 x Cortex-A76, up to 2400 MHz"."""
    clock = "" if group.max_mhz is None else f", up to {group.max_mhz} MHz"
    return f"{group.count} x {group.name}{clock}"


def memory_text(facts: Board) -> str:
    """All of it, and the limit if there is one."""
    if facts.memory_bytes is None:
        return "unknown"
    limit = facts.memory_limit_bytes
    allowed = "" if limit is None else f", of which this process may take {size_text(limit)}"
    return size_text(facts.memory_bytes) + allowed


def _reasons(reasons: tuple[str, ...] | None) -> str:
    return "unknown" if reasons is None else ", ".join(reasons) or "no"

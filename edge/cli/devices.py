"""``whisperq-edge devices``: the boards that are described, and what to use on each."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer

from .screen import Screen

if TYPE_CHECKING:
    from ..profiling.device import Device, Published


def devices(
    ctx: typer.Context,
    name: Annotated[
        str | None, typer.Argument(metavar="[ID|FILE]", help="Show only this one, in full.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """List the boards whose facts are known: cores, memory, which targets work, what to use.

    The path of a board's TOML file checks that file and shows it.
    """
    from ..profiling.devices import SUFFIX, device, read_device
    from ..profiling.devices import devices as known

    screen: Screen = ctx.obj
    if name is None:
        if as_json:
            listed = [_record(device_id, entry) for device_id, entry in known().items()]
            typer.echo(msgspec.json.encode(listed).decode())
        else:
            screen.table(
                ("id", "chip", "cores", "int8", "memory", "GB/s", "use"),
                [_row(device_id, entry) for device_id, entry in known().items()],
            )
        return
    path = Path(name)
    entry = read_device(path) if path.suffix == SUFFIX else device(name)
    if as_json:
        typer.echo(msgspec.json.encode(_record(path.stem, entry)).decode())
    else:
        screen.table((path.stem, "source", entry.name), list(_facts(entry)))
        typer.echo()
        screen.table(("source", "is"), list(entry.sources.items()))


def _record(device_id: str, entry: Device) -> dict[str, object]:
    facts: dict[str, object] = msgspec.to_builtins(entry)
    return {"id": device_id, **facts}


def _row(device_id: str, entry: Device) -> tuple[str, ...]:
    return (
        device_id,
        entry.soc,
        " + ".join(_cores(entry, clocks=False)),
        " ".join(entry.int8.instructions) or "none",
        _sizes(entry.memory.sizes_mib) if entry.memory else "?",
        f"{entry.bandwidth.gb_per_s:g}" if entry.bandwidth else "?",
        _default(entry),
    )


def _facts(entry: Device) -> Iterator[tuple[str, str, str]]:
    """All of a file but its sources: what, the key of the source, the fact."""
    yield "vendor", "", entry.vendor
    yield "chip", "", entry.soc
    yield "machine", "", entry.machine
    for kind, text in zip(entry.cores, _cores(entry), strict=True):
        yield "cores", kind.source, text
    yield "int8", entry.int8.source, " ".join(entry.int8.instructions) or "no such instructions"
    if entry.memory:
        yield "memory", entry.memory.source, _sizes(entry.memory.sizes_mib)
    if entry.bandwidth:
        yield "bandwidth", entry.bandwidth.source, f"{entry.bandwidth.gb_per_s:g} GB/s"
    for accelerator in entry.accelerators:
        tops = f", {accelerator.tops:g} TOPS" if accelerator.tops else ""
        users = ", ".join(accelerator.targets) or "none of our targets"
        yield accelerator.kind, accelerator.source, f"{accelerator.name}{tops}; used by {users}"
    identity = entry.identify
    for patterns in (identity.compatible, identity.models, identity.cores):
        if patterns:
            yield "known by", identity.source, ", ".join(patterns)
    for target, support in entry.targets.items():
        verdict = f"yes ({support.evidence})" if support.works else "no"
        yield target, support.source, f"{verdict}: {support.note}"
    yield "use", "", f"{_default(entry)}: {entry.default.reason}"
    for figure in entry.published:
        yield "published", figure.source, _published(figure)


def _cores(entry: Device, *, clocks: bool = True) -> Iterator[str]:
    for kind in entry.cores:
        count = f"{kind.count} " if kind.count else ""
        clock = f" up to {kind.max_mhz} MHz" if clocks and kind.max_mhz else ""
        yield f"{count}{kind.name}{clock}"


def _sizes(sizes_mib: tuple[int, ...]) -> str:
    """``512 MiB``, or ``4/8 GiB``."""
    if sizes_mib[0] < 1024:
        return f"{'/'.join(map(str, sizes_mib))} MiB"
    return f"{'/'.join(f'{size / 1024:g}' for size in sizes_mib)} GiB"


def _default(entry: Device) -> str:
    threads = f", {entry.default.threads} threads" if entry.default.threads else ""
    return f"{entry.default.target} {entry.default.precision}{threads}"


def _published(figure: Published) -> str:
    took = (
        f"{figure.times_real_time:g} times real time"
        if figure.seconds is None
        else f"{figure.seconds:g} s"
    )
    memory = f", {figure.memory_mb:g} MB" if figure.memory_mb else ""
    precision = "" if figure.precision == "not said" else f" {figure.precision}"
    return f"{figure.engine}, {figure.model}{precision}: {figure.what}: {took}{memory}"

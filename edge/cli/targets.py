"""``whisperq-edge targets``: what can be exported to, and what each target offers."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer

from .screen import Screen

if TYPE_CHECKING:
    from ...exporters.targets import Layout, Target


def targets(
    ctx: typer.Context,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """List the targets of `export`, their layouts, precisions and windows.

    Below them, what `--int8` and its siblings write where that has another name.
    """
    from ...exporters import TARGETS

    if as_json:
        records = [_record(name, target) for name, target in TARGETS.items()]
        typer.echo(msgspec.json.encode(records).decode())
        return
    screen: Screen = ctx.obj
    screen.table(
        ("target", "layout", "for", "precisions", "windows", "installed"),
        [
            _row(name, target, layout, offer)
            for name, target in TARGETS.items()
            for layout, offer in target.layouts.items()
        ],
    )
    for name, target in TARGETS.items():
        for layout, offer in target.layouts.items():
            if own := _own_names(offer):
                typer.echo(f"{name} ({layout}): {own}")


def _own_names(offer: Layout) -> str:
    """``--int8 writes q8_0, --int4 writes q4_0``; empty where formats are called as they are."""
    from ...exporters.targets import GENERAL

    stored = {name: offer.written_for(name) for name in GENERAL}
    return ", ".join(
        f"--{name} writes {own}"
        for name, own in stored.items()
        if own is not None and own.partition(":")[0] != name
    )


def _row(name: str, target: Target, layout: str, offer: Layout) -> tuple[str, ...]:
    return (
        name,
        layout,
        offer.purpose,
        " ".join(_short(offer.precisions)),
        {"any": "any length", "choice": "--windows", "whole": "whole"}[offer.windows],
        "yes" if find_spec(target.module) else pip_command(target),
    )


def _short(precisions: tuple[str, ...]) -> list[str]:
    """The blocks of a precision together: ``int4:32/64/128``."""
    blocks: dict[str, list[str]] = {}
    for precision in precisions:
        name, _, block = precision.partition(":")
        blocks.setdefault(name, []).append(block)
    words = []
    for name, sizes in blocks.items():
        if "" in sizes:
            words.append(name)
        if together := "/".join(filter(None, sizes)):
            words.append(f"{name}:{together}")
    return words


def pip_command(target: Target) -> str:
    """What installs it."""
    return f"pip install 'whisperq-edge[{target.extra}]'"


def _record(name: str, target: Target) -> dict[str, object]:
    from ...exporters.targets import GENERAL

    return {
        "name": name,
        "installed": find_spec(target.module) is not None,
        "install": pip_command(target),
        "layouts": {
            layout: {
                "purpose": offer.purpose,
                "precisions": offer.precisions,
                "means": {name: offer.written_for(name) for name in GENERAL},
                "windows": offer.windows,
            }
            for layout, offer in target.layouts.items()
        },
    }

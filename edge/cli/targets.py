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
    """List the targets of `export`, their layouts, precisions and windows."""
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
    return {
        "name": name,
        "installed": find_spec(target.module) is not None,
        "install": pip_command(target),
        "layouts": {
            layout: {
                "purpose": offer.purpose,
                "precisions": offer.precisions,
                "windows": offer.windows,
            }
            for layout, offer in target.layouts.items()
        },
    }

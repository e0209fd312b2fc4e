"""``whisperq-edge settings``: where the settings file is and what it says."""

from __future__ import annotations

from typing import Annotated

import msgspec
import typer

from .screen import Screen
from .settings_file import read_settings, settings_path


def settings(
    ctx: typer.Context,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Show the path of the settings file and the defaults it sets."""
    path, values = settings_path(), msgspec.structs.asdict(read_settings())
    if as_json:
        typer.echo(msgspec.json.encode({"path": str(path), "settings": values}).decode())
        return
    screen: Screen = ctx.obj
    screen.note(f"{path}{'' if path.is_file() else ' (there is no such file yet)'}")
    screen.table(
        ("setting", "value"),
        [(name, "-" if value is None else str(value)) for name, value in values.items()],
    )

"""``whisperq-edge models``: the checkpoints that have a short name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import msgspec
import typer

from .parity_report import size_text
from .screen import Screen

if TYPE_CHECKING:
    from ...models.registry import RegistryEntry


def models(
    ctx: typer.Context,
    name: Annotated[str | None, typer.Argument(help="Show only this one, in full.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """List the checkpoints that `export --model` knows by name.

    Any other Whisper works by its Hugging Face id, its folder, or OpenAI's .pt file.
    """
    from ...models.registry import find_entry, registry

    screen: Screen = ctx.obj
    entries = registry() if name is None else {name: find_entry(name)}
    if as_json:
        listed = [_record(known, entry) for known, entry in entries.items()]
        typer.echo(msgspec.json.encode(listed if name is None else listed[0]).decode())
    elif name is None:
        screen.table(
            ("name", "parameters", "int8", "languages", "licence", "hub"),
            [_row(known, entry) for known, entry in entries.items()],
        )
    else:
        record = _record(name, entries[name])
        screen.table(("", name), [(key, str(value)) for key, value in record.items()])


def _row(name: str, entry: RegistryEntry) -> tuple[str, ...]:
    return (
        name,
        f"{entry.n_parameters / 1e6:.1f} M",
        size_text(entry.n_parameters),  # a byte each; the scales and biases are some percent more
        "English" if entry.n_languages == 1 else str(entry.n_languages),
        entry.licence,
        entry.hub or "comes with the package",
    )


def _record(name: str, entry: RegistryEntry) -> dict[str, object]:
    return {
        "name": name,
        "hub": entry.hub,
        "parameters": entry.n_parameters,
        "int8_bytes_estimate": entry.n_parameters,
        "languages": entry.n_languages,
        "licence": entry.licence,
        **msgspec.structs.asdict(entry.dimensions),
    }

"""``whisperq-edge adopt``: graphs that another program wrote become an artifact."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer

from ..errors import CheckpointError, UnknownNameError
from .export_index import data_folder, record_finished
from .parity_report import print_parity, size_text
from .screen import Screen

if TYPE_CHECKING:
    from ..evaluation.adopt import Original


def adopt(
    ctx: typer.Context,
    folder: Annotated[
        Path,
        typer.Argument(help="Of optimum or onnx-community, of OpenVINO's hub, or of sherpa-onnx."),
    ],
    model: Annotated[
        str | None,
        typer.Option(
            help="The checkpoint it was made from, as `export` takes it; by default what its "
            "config.json names, if that is on the disk."
        ),
    ] = None,
    variant: Annotated[
        str | None,
        typer.Option(
            help="Which model of several: int8, quantized; plain for files without a suffix."
        ),
    ] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Folder of the artifact.")
    ] = None,
    offline: Annotated[
        bool, typer.Option("--offline", help="Use what is on the disk; ask no server.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Make an artifact of a folder that another program wrote, and verify it.

    The graphs stay as they are. They are compared with the checkpoint; without one at hand only
    the words are judged.
    """
    from ..evaluation.adopt import adopt as run_adopt
    from ..evaluation.foreign_folder import recognize

    screen: Screen = ctx.obj
    found = recognize(folder, variant)
    if (original := _original(folder, model, offline, screen)) is None:
        screen.note("no checkpoint at hand, words alone are judged; name it with --model")
    words = [folder.resolve().name, found.target, *filter(None, [found.variant]), "adopted"]
    target = output or data_folder() / "artifacts" / "-".join(words)
    with screen.progress() as progress:
        artifact = run_adopt(found, target, original, progress=progress)
    record_finished(screen, artifact.folder)
    manifest = artifact.manifest
    if as_json:
        record = {
            "artifact": str(artifact.folder),
            "bytes": artifact.size,
            "quantization": manifest.quantization,
            "parity": manifest.parity,
        }
        typer.echo(msgspec.json.encode(record).decode())
        return
    print_parity(screen, manifest, manifest.parity)
    typer.echo(f"{size_text(artifact.size)} in {artifact.folder}")


def _original(folder: Path, model: str | None, offline: bool, screen: Screen) -> Original | None:
    """The checkpoint behind a folder; one that only ``config.json`` names may be absent."""
    from ...models.checkpoint import load_checkpoint
    from ..evaluation.adopt import Original
    from ..evaluation.foreign_model import named_checkpoint

    if model is not None:
        with screen.progress() as progress:
            checkpoint = load_checkpoint(model, offline=offline, progress=progress)
        return Original(checkpoint, str(Path(model).resolve()) if Path(model).exists() else model)
    if (name := named_checkpoint(folder)) is None:
        return None
    try:
        checkpoint = load_checkpoint(name, offline=True)
    except (CheckpointError, UnknownNameError):
        return None
    screen.note(f"comparing with {name}, which config.json names; --model names another")
    return Original(checkpoint, name)

"""``whisperq-edge export``: a checkpoint becomes a quantized artifact."""

from __future__ import annotations

import re
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer

from ..errors import WhisperqError
from .export_index import data_folder, record_export
from .option_values import window_lengths
from .parity_report import print_parity, size_text
from .precision import make_recipe, recipe_name
from .screen import Screen

if TYPE_CHECKING:
    from ..artifact import Artifact
    from ..types import PrecisionName

BUNDLED = "demo"

PART_HELP = "Weights of the {}, PRECISION[:BLOCK], such as int8 or int4:32."


def export(
    ctx: typer.Context,
    target: Annotated[str, typer.Option(help="Format to write.")] = "onnx",
    model: Annotated[
        str,
        typer.Option(
            help="A name that `models` lists, a Hugging Face id, a folder, or OpenAI's .pt file."
        ),
    ] = BUNDLED,
    revision: Annotated[
        str | None, typer.Option(help="Branch, tag or commit on the Hugging Face hub.")
    ] = None,
    offline: Annotated[
        bool, typer.Option("--offline", help="Use what is on the disk; ask no server.")
    ] = False,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Folder of the artifact.")
    ] = None,
    int8: Annotated[bool, typer.Option("--int8", help="8-bit weights; the default.")] = False,
    int4: Annotated[bool, typer.Option("--int4", help="4-bit weights, 8-bit head.")] = False,
    fp16: Annotated[bool, typer.Option("--fp16", help="16-bit float weights.")] = False,
    fp32: Annotated[bool, typer.Option("--fp32", help="32-bit float weights.")] = False,
    quant_block: Annotated[
        int | None, typer.Option(help="Inputs that share a scale: 32, 64 or 128.")
    ] = None,
    quant_encoder: Annotated[str | None, typer.Option(help=PART_HELP.format("encoder"))] = None,
    quant_decoder: Annotated[str | None, typer.Option(help=PART_HELP.format("decoder"))] = None,
    quant_head: Annotated[str | None, typer.Option(help=PART_HELP.format("head"))] = None,
    layout: Annotated[
        str, typer.Option(help="Whose files to write: a layout of the target.")
    ] = "native",
    portable: Annotated[
        bool, typer.Option("--portable", help="The same as --layout portable.")
    ] = False,
    windows: Annotated[
        str | None,
        typer.Option(help="Fixed windows in seconds, such as 5,10,30, where a target needs them."),
    ] = None,
    no_verify: Annotated[
        bool, typer.Option("--no-verify", help="Skip the comparison with the reference.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Export a Whisper checkpoint to a quantized artifact and verify it.

    Without --model it exports the small English model that comes with the package.
    """
    flags: dict[PrecisionName, bool] = {"int8": int8, "int4": int4, "fp16": fp16, "fp32": fp32}
    chosen = [name for name, given in flags.items() if given]
    recipe = make_recipe(chosen, quant_block, quant_encoder, quant_decoder, quant_head)

    from ...exporters import ExportRequest, check_offer, exporter_for
    from ...models.checkpoint import load_checkpoint
    from ..evaluation.export import export as run_export

    # What cannot be done shows before a long download.
    layout = "portable" if portable else layout
    lengths = window_lengths(windows)
    check_offer(target, layout, recipe, lengths)
    exporter_for(target)
    screen: Screen = ctx.obj
    if model == BUNDLED:
        screen.note("exporting the bundled demo model (English commands; --model picks another)")
    began = time.perf_counter()
    with screen.progress() as progress:
        checkpoint = load_checkpoint(model, revision=revision, offline=offline, progress=progress)
        screen.detail(f"{checkpoint.name}: {checkpoint.dimensions}, licence {checkpoint.licence}")
        request = ExportRequest(checkpoint, recipe, layout, lengths)
        folder = output or _default_output(checkpoint.name, target, recipe_name(recipe), layout)
        artifact = run_export(target, request, folder, verify=not no_verify, progress=progress)
    seconds = time.perf_counter() - began
    try:
        record_export(artifact.folder)
    except (WhisperqError, OSError) as error:
        screen.note(f"the export is not listed for transcribe, name it with --artifact: {error}")
    _report(screen, artifact, seconds, as_json)


def _default_output(model: str, target: str, precision: str, layout: str) -> Path:
    words = [re.sub(r"[^A-Za-z0-9.]+", "-", Path(model).name), target, precision]
    return data_folder() / "artifacts" / "-".join(words + [layout] * (layout != "native"))


def _report(screen: Screen, artifact: Artifact, seconds: float, as_json: bool) -> None:
    manifest = artifact.manifest
    if as_json:
        record = {
            "artifact": str(artifact.folder),
            "bytes": artifact.size,
            "quantization": manifest.quantization,
            "parity": manifest.parity,
            "seconds": round(seconds, 3),
        }
        typer.echo(msgspec.json.encode(record).decode())
        return
    print_parity(screen, manifest, manifest.parity)
    typer.echo(f"{size_text(artifact.size)} in {artifact.folder}, made in {seconds:.1f} s")

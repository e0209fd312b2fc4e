"""``whisperq-edge export``: a checkpoint becomes a quantized artifact."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer

from ..errors import ConfigError
from .export_all import ALL, export_all
from .export_index import data_folder, record_finished
from .gate_report import print_gate
from .option_values import window_lengths
from .parity_report import print_parity, size_text
from .recipe_input import calibration_speech, wanted_precisions
from .screen import Screen

if TYPE_CHECKING:
    from ..artifact import Artifact
    from ..evaluation.plan import Wish
    from ..types import PrecisionName

BUNDLED = "demo"

PART_HELP = "Weights of the {}, PRECISION[:BLOCK], such as int8 or int4:32."


def export(
    ctx: typer.Context,
    target: Annotated[
        str, typer.Option(help="Format to write; `all` for every one that is installed.")
    ] = "onnx",
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
    precision: Annotated[
        str | None,
        typer.Option(
            help="Of the weights: the names below, a target's own such as q4_1, or auto, which "
            "measures what each layer bears."
        ),
    ] = None,
    int8: Annotated[bool, typer.Option("--int8", help="8-bit weights; the default.")] = False,
    int5: Annotated[
        bool, typer.Option("--int5", help="5- or 6-bit weights, where a target has them.")
    ] = False,
    int4: Annotated[bool, typer.Option("--int4", help="4-bit weights, 8-bit head.")] = False,
    fp16: Annotated[bool, typer.Option("--fp16", help="16-bit float weights.")] = False,
    fp32: Annotated[bool, typer.Option("--fp32", help="32-bit float weights.")] = False,
    quant_block: Annotated[
        int | None, typer.Option(help="Inputs that share a scale: 32, 64 or 128.")
    ] = None,
    quant_encoder: Annotated[str | None, typer.Option(help=PART_HELP.format("encoder"))] = None,
    quant_decoder: Annotated[str | None, typer.Option(help=PART_HELP.format("decoder"))] = None,
    quant_head: Annotated[str | None, typer.Option(help=PART_HELP.format("head"))] = None,
    recipe: Annotated[
        Path | None,
        typer.Option(help="Precisions of single layers from a file that `sensitivity` wrote."),
    ] = None,
    rounding: Annotated[
        str | None,
        typer.Option(
            help="How int4 is rounded: nearest (the default), or gptq, which listens to recordings."
        ),
    ] = None,
    calibration: Annotated[
        str | None, typer.Option(help="Speech that gptq listens to, instead of the bundled.")
    ] = None,
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
    soc: Annotated[
        str | None,
        typer.Option(help="Qualcomm chips to compile for as well, such as SM8550,SM8650."),
    ] = None,
    no_verify: Annotated[
        bool, typer.Option("--no-verify", help="Skip the comparison with the reference.")
    ] = False,
    allow_loss: Annotated[
        bool, typer.Option("--allow-loss", help="Keep an artifact that the gate refuses.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Export a Whisper checkpoint to a quantized artifact and verify it.

    Without --model it exports the small English model that comes with the package.
    """
    from ..evaluation.plan import Job, Wish, folder_name

    flags: dict[PrecisionName, bool] = {
        "int8": int8,
        "int5": int5,
        "int4": int4,
        "fp16": fp16,
        "fp32": fp32,
    }
    parts = {"block": quant_block, "encoder": quant_encoder}
    parts |= {"decoder": quant_decoder, "head": quant_head}
    screen: Screen = ctx.obj
    asked = wanted_precisions(recipe, precision, flags, parts, rounding)
    if no_verify and (allow_loss or asked.recipe is None):
        other = "--allow-loss" if allow_loss else "--precision auto"
        raise ConfigError(f"{other} needs what --no-verify leaves out; give one of them")
    wish = Wish(
        model,
        revision,
        offline,
        asked.recipe,
        asked.name,
        "portable" if portable else layout,
        window_lengths(windows),
        tuple(name.strip().upper() for name in soc.split(",")) if soc else (),
        verify=not no_verify,
        allow_loss=allow_loss,
        rounding=asked.rounding,
        calibration=calibration_speech(calibration, asked.rounding),
    )
    if model == BUNDLED:
        screen.note("exporting the bundled demo model (English commands; --model picks another)")
    artifacts = data_folder() / "artifacts"
    if target == ALL:
        export_all(screen, wish, output or artifacts, as_json=as_json)
        return
    _check_possible(target, wish)  # before a long download
    began = time.perf_counter()
    with screen.progress() as progress:
        checkpoint = wish.checkpoint(progress)
        screen.detail(f"{checkpoint.name}: {checkpoint.dimensions}, licence {checkpoint.licence}")
        asked.warn(screen, checkpoint, wish.calibration)
        folder = output or artifacts / folder_name(checkpoint.name, target, wish)
        artifact = Job(target, wish, folder).run(progress, checkpoint)
    seconds = time.perf_counter() - began
    record_finished(screen, artifact.folder)
    _report(screen, artifact, seconds, as_json)


def _check_possible(target: str, wish: Wish) -> None:
    """Refuse what the target does not offer.

    Raises:
        UnknownNameError: There is no such target or layout.
        UnsupportedPrecisionError: The layout has no such precision, or none to choose from.
        MissingDependencyError: The target's library is not installed.
    """
    from ...exporters import check_offer, exporter_for
    from ..evaluation.mixture import Ladder

    recipe = wish.recipe or Ladder.for_target(target, wish.layout).lowest
    check_offer(target, wish.layout, recipe, wish.windows)
    exporter_for(target)


def _report(screen: Screen, artifact: Artifact, seconds: float, as_json: bool) -> None:
    manifest = artifact.manifest
    if as_json:
        record = {
            "artifact": str(artifact.folder),
            "bytes": artifact.size,
            "quantization": manifest.quantization,
            "parity": manifest.parity,
            "verdict": manifest.verdict,
            "speed": manifest.speed,
            "choice": manifest.choice,
            "seconds": round(seconds, 3),
        }
        typer.echo(msgspec.json.encode(record).decode())
        return
    print_parity(screen, manifest, manifest.parity)
    print_gate(screen, manifest)
    typer.echo(f"{size_text(artifact.size)} in {artifact.folder}, made in {seconds:.1f} s")

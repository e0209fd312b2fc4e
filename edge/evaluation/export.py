"""Export with proof: write the graphs, run them, and keep only what passes."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import msgspec

from ...exporters import ExportRequest, check_offer, exporter_for
from ...exporters.targets import granted
from ...models.gptq import CalibratedRounding
from ...models.matrix_names import matrix_names
from ...models.parameters import prepare
from ...models.quantize import Recipe
from ..artifact import Artifact, staging_folder, write_manifest
from ..decoding.tokens import Tokenizer
from ..errors import ConfigError, UnknownNameError
from ..parity import Parity, PrecisionChoice, Tolerance, WeightRounding
from ..types import AudioContexts, Progress, no_progress
from .calibration import calibrated_rounding
from .gate import check, tolerance_for, verdict
from .listening import Heard, Listener
from .recordings import judging_recordings
from .speed import measure_speed
from .teacher import n_recordings
from .verify import verify as compare
from .weights import RoundingMeter
from .writing import write


def export(
    target: str,
    request: ExportRequest,
    output: Path,
    *,
    verify: bool = True,
    allow_loss: bool = False,
    tolerance: Tolerance | None = None,
    choice: PrecisionChoice | None = None,
    rounder: CalibratedRounding | None = None,
    progress: Progress = no_progress,
) -> Artifact:
    """Export a checkpoint and refuse the artifact if it is not what it should be.

    Args:
        target: A name in ``exporters.TARGETS``.
        request: The checkpoint, precisions and layout.
        output: Its folder; an artifact that is there is replaced, at the very end.
        verify: Whether to run it beside the reference.
        allow_loss: Keep an artifact that the gate refuses, with the verdict in its manifest.
        tolerance: What the gate holds it to; None for that of its precisions.
        choice: How the precisions were chosen, for the manifest.
        rounder: Of the checkpoint, where the recipe asks for more than the nearest integers; None
            to make it of the bundled recordings.
        progress: Told the stages "quantize", "write", "judge the checkpoint", "verify", "time", and
            "listen to recordings" where the rounder is made.

    Raises:
        ParityError: It differs from the reference too much; nothing is left behind.
        ExportError: It could not be written, or the target does not offer this.
        ConfigError: The target is unknown or the checkpoint damaged.
    """
    check_offer(target, request.layout, request.recipe, request.windows)
    request = replace(request, recipe=granted(target, request.layout, request.recipe))
    exporter = exporter_for(target)
    exporter.check(request)
    check_layers(request)
    if request.recipe.rounding == "nearest":
        rounder = None
    elif rounder is None:
        rounder = calibrated_rounding(request.checkpoint, progress=progress)
    rounding = RoundingMeter(rounder)
    with staging_folder(output) as folder:
        began = time.perf_counter()
        artifact = write(
            exporter,
            request,
            folder,
            tolerance or tolerance_for(request.recipe),
            progress=progress,
            observe=rounding.add if verify else None,
            rounder=rounder,
        )
        seconds = time.perf_counter() - began
        manifest = msgspec.structs.replace(artifact.manifest, choice=choice)
        if verify:
            parity = _parity(request, artifact, rounding.result(), progress)
            if not allow_loss:
                check(parity, manifest.tolerance)
            manifest = msgspec.structs.replace(
                manifest,
                parity=parity,
                verdict=verdict(parity, manifest.tolerance),
                speed=measure_speed(exporter, request, artifact, seconds, progress),
            )
        write_manifest(folder, manifest)
    return Artifact(output, manifest)


def check_layers(request: ExportRequest) -> None:
    """Refuse a recipe that names what the checkpoint has not, or rounds what it does not hold.

    Raises:
        UnknownNameError: It names another matrix.
        ConfigError: It asks for a rounding of int4 and has none.
    """
    recipe, names = request.recipe, matrix_names(request.checkpoint.dimensions)
    for name in recipe.layers:
        if name not in names:
            raise UnknownNameError("matrix", name, names)
    if recipe.rounding != "nearest" and not recipe.has_int4:
        raise ConfigError(f"rounding by {recipe.rounding} is for int4, which this recipe has not")


def _parity(
    request: ExportRequest, artifact: Artifact, weights: WeightRounding, progress: Progress
) -> Parity:
    manifest = artifact.manifest
    heard = listen(request, manifest.audio_contexts, progress) if manifest.decoders else []
    parity = compare(artifact, heard=heard, progress=progress)
    return msgspec.structs.replace(parity, weights=weights)


def listen(request: ExportRequest, contexts: AudioContexts, progress: Progress) -> list[Heard]:
    """What the unquantized checkpoint makes of the recordings that ``verify`` judges by."""
    checkpoint = request.checkpoint
    tokenizer = Tokenizer(checkpoint.tokenizer, checkpoint.generation)
    listener = Listener(checkpoint.dimensions, checkpoint.generation, tokenizer)
    exact = prepare(checkpoint, Recipe.of("fp32"))
    recordings = list(judging_recordings(n_recordings(exact), request.recipe.rounding))
    # The exact weights are gone before the others are read.
    return listener.listen(exact, recordings, contexts, progress)

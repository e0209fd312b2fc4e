"""Export with proof: write the graphs, run them, and keep only what passes."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import msgspec

from ...exporters import ExportRequest, check_offer, exporter_for
from ...exporters.targets import granted
from ...models.parameters import prepare
from ...models.quantize import Recipe
from ..artifact import Artifact, staging_folder, write_manifest
from ..decoding.tokens import Tokenizer
from ..parity import Parity, PrecisionChoice, Tolerance, WeightRounding
from ..types import AudioContexts, Progress, no_progress
from .gate import check, tolerance_for, verdict
from .listening import Heard, Listener
from .recordings import bundled_recordings
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
        progress: Told the stages "quantize", "write", "judge the checkpoint", "verify", "time".

    Raises:
        ParityError: It differs from the reference too much; nothing is left behind.
        ExportError: It could not be written, or the target does not offer this.
        ConfigError: The target is unknown or the checkpoint damaged.
    """
    check_offer(target, request.layout, request.recipe, request.windows)
    request = replace(request, recipe=granted(target, request.layout, request.recipe))
    exporter = exporter_for(target)
    exporter.check(request)
    rounding = RoundingMeter()
    with staging_folder(output) as folder:
        began = time.perf_counter()
        artifact = write(
            exporter,
            request,
            folder,
            tolerance or tolerance_for(request.recipe),
            progress=progress,
            observe=rounding.add if verify else None,
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
    recordings = list(bundled_recordings(n_recordings(exact)))
    # The exact weights are gone before the others are read.
    return listener.listen(exact, recordings, contexts, progress)

"""An artifact's files, written and read back, before anybody judges how it runs."""

from __future__ import annotations

import datetime
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np

from ... import __version__
from ...exporters import Exporter, ExportRequest, target_named
from ...exporters.exporter import ExportedGraphs
from ...models.gptq import CalibratedRounding
from ...models.parameters import Observer, prepare, to_nearest
from ..artifact import FORMAT_VERSION, TOKENIZER, Artifact, Manifest, Source, record_files
from ..parity import Calibration, Tolerance
from ..types import Precision, Progress, no_progress
from .blas import one_blas_thread
from .calibration import calibration_samples
from .weights import check_stored


@one_blas_thread()  # so that any number of them choose the same integers
def write(
    exporter: Exporter,
    request: ExportRequest,
    folder: Path,
    tolerance: Tolerance,
    *,
    progress: Progress = no_progress,
    observe: Observer | None = None,
    rounder: CalibratedRounding | None = None,
) -> Artifact:
    """Write everything but the manifest, and see that the weights lie there as they were meant.

    Args:
        exporter: Of the target.
        request: What is exported, checked.
        folder: An empty one.
        tolerance: For the manifest.
        progress: Told the stages "quantize" and "write".
        observe: Shown every matrix as it is quantized.
        rounder: Where the recipe asks for more than the nearest integers.

    Raises:
        ParityError: The files hold other weights.
        ExportError: They could not be written.
    """
    if exporter.needs_calibration(request) and not request.calibration:
        request = replace(request, calibration=calibration_samples(request.checkpoint))
    layout = target_named(exporter.target).layouts[request.layout]
    prepared = prepare(
        request.checkpoint,
        request.recipe,
        progress,
        observe,
        rounder=rounder or to_nearest,
        encoder_only=layout.encoder_only,
        as_published=exporter.as_published,
    )
    parameters = exporter.fitted(prepared)
    del prepared
    # Hugging Face's are indented, a token to a line: half of such a file is white space.
    tokenizer = msgspec.json.format(request.checkpoint.tokenizer, indent=-1)
    (folder / TOKENIZER).write_bytes(tokenizer)
    graphs = exporter.write(request, parameters, folder, progress)
    calibration = rounder.calibration if rounder else None
    manifest = _manifest(exporter, request, graphs, folder, tolerance, calibration)
    check_stored(exporter.read_parameters(folder, manifest), parameters)
    return Artifact(folder, manifest)


def _manifest(
    exporter: Exporter,
    request: ExportRequest,
    graphs: ExportedGraphs,
    folder: Path,
    tolerance: Tolerance,
    calibration: Calibration | None,
) -> Manifest:
    checkpoint = request.checkpoint
    return Manifest(
        format_version=FORMAT_VERSION,
        created=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        source=Source(checkpoint.name, checkpoint.digest, checkpoint.licence, checkpoint.revision),
        dimensions=checkpoint.dimensions,
        target=exporter.target,
        layout=request.layout,
        quantization=_stored(exporter, request),
        graphs=dict(graphs.graphs),
        audio_contexts=graphs.audio_contexts,
        generation=checkpoint.generation,
        tolerance=tolerance,
        parity=None,
        files=dict(record_files(folder)),
        tools={**versions(), **graphs.tools},
        calibration=calibration,
    )


def _stored(exporter: Exporter, request: ExportRequest) -> dict[str, Precision]:
    """The precisions of what the artifact holds."""
    precisions = request.recipe.quantization
    if not target_named(exporter.target).layouts[request.layout].encoder_only:
        return precisions
    return {name: stored for name, stored in precisions.items() if name.startswith("encoder")}


def versions() -> Mapping[str, str]:
    """Of what every export is made with."""
    python = ".".join(map(str, sys.version_info[:3]))
    return {"whisperq-edge": __version__, "python": python, "numpy": np.__version__}

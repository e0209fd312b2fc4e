"""Export with proof: write the graphs, run them, and keep only what passes."""

from __future__ import annotations

import datetime
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from ... import __version__
from ...exporters import Exporter, ExportRequest, check_offer, exporter_for
from ...exporters.exporter import ExportedGraphs
from ...models.parameters import Parameters, prepare
from ...models.quantize import Matrix, QuantizedTensor, Recipe
from ..artifact import (
    FORMAT_VERSION,
    TOKENIZER,
    Artifact,
    Manifest,
    Source,
    record_files,
    staging_folder,
    write_manifest,
)
from ..decoding.tokens import Tokenizer
from ..errors import ExportError, ParityError
from ..types import PrecisionName, Progress, no_progress
from .verify import TOLERANCES, check, reference_wer
from .verify import verify as compare

COARSEST_FIRST: tuple[PrecisionName, ...] = ("int4", "int8", "fp16", "fp32")


def export(
    target: str,
    request: ExportRequest,
    output: Path,
    *,
    verify: bool = True,
    progress: Progress = no_progress,
) -> Artifact:
    """Export a checkpoint and refuse the artifact if it is not what it should be.

    Args:
        target: A name in ``exporters.TARGETS``.
        request: The checkpoint, precisions and layout.
        output: Its folder; an artifact that is there is replaced, at the very end.
        verify: Whether to run it beside the reference.
        progress: Told the stages "quantize", "write", "judge the checkpoint" and "verify".

    Raises:
        ParityError: It differs from the reference too much; nothing is left behind.
        ExportError: It could not be written, or the target does not offer this.
        ConfigError: The target is unknown or the checkpoint damaged.
    """
    check_offer(target, request.layout, request.recipe, request.windows)
    exporter = exporter_for(target)
    exporter.check(request)
    parameters = exporter.fitted(prepare(request.checkpoint, request.recipe, progress))
    with staging_folder(output) as folder:
        (folder / TOKENIZER).write_bytes(request.checkpoint.tokenizer)
        graphs = exporter.write(request, parameters, folder, progress)
        manifest = _manifest(exporter, request, graphs, folder)
        _check_stored(exporter.read_parameters(folder, manifest), parameters)
        del parameters  # an export on a board has no memory to spare
        if verify:
            manifest = _verified(request, Artifact(folder, manifest), progress)
        write_manifest(folder, manifest)
    return Artifact(output, manifest)


def _manifest(
    exporter: Exporter, request: ExportRequest, graphs: ExportedGraphs, folder: Path
) -> Manifest:
    checkpoint, recipe = request.checkpoint, request.recipe
    return Manifest(
        format_version=FORMAT_VERSION,
        created=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        source=Source(checkpoint.name, checkpoint.digest, checkpoint.licence, checkpoint.revision),
        dimensions=checkpoint.dimensions,
        target=exporter.target,
        layout=request.layout,
        quantization=recipe.quantization,
        graphs=dict(graphs.graphs),
        audio_contexts=graphs.audio_contexts,
        generation=checkpoint.generation,
        tolerance=TOLERANCES[coarsest(recipe)],
        parity=None,
        files=dict(record_files(folder)),
        tools={**_versions(), **graphs.tools},
    )


def coarsest(recipe: Recipe) -> PrecisionName:
    """The precision that decides what an artifact may lose."""
    names = {precision.name for precision in recipe.quantization.values()}
    return next(name for name in COARSEST_FIRST if name in names)


def _versions() -> Mapping[str, str]:
    python = ".".join(map(str, sys.version_info[:3]))
    return {"whisperq-edge": __version__, "python": python, "numpy": np.__version__}


def _check_stored(stored: Parameters, wanted: Parameters) -> None:
    """Every integer and scale must come back from the files as it went in.

    Raises:
        ParityError: Names the first that did not.
        ExportError: The files hold other parameters altogether.
    """
    if stored.matrices.keys() != wanted.matrices.keys():
        names = sorted(stored.matrices.keys() ^ wanted.matrices.keys())
        raise ExportError(f"the weights file holds other matrices: {', '.join(names)}")
    for name, matrix in wanted.matrices.items():
        for ours, theirs in zip(_arrays(matrix), _arrays(stored.matrices[name]), strict=True):
            if not np.array_equal(ours, theirs):
                difference = float(np.abs(ours.astype(np.float64) - theirs).max())
                raise ParityError(name, "stored weight's difference", difference, 0.0)


def _arrays(matrix: Matrix) -> tuple[NDArray[Any], ...]:
    return (matrix.values, matrix.scales) if isinstance(matrix, QuantizedTensor) else (matrix,)


def _verified(request: ExportRequest, artifact: Artifact, progress: Progress) -> Manifest:
    manifest = artifact.manifest
    exact = prepare(request.checkpoint, Recipe.of("fp32"))
    tokenizer = Tokenizer.read(artifact.folder / TOKENIZER, manifest.generation)
    wer = reference_wer(exact, manifest, tokenizer, progress)
    parity = msgspec.structs.replace(compare(artifact, progress=progress), wer_reference=wer)
    check(parity, manifest.tolerance)
    return msgspec.structs.replace(manifest, parity=parity)

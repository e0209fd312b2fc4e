"""Core ML: packages built from NumPy arrays, without PyTorch."""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from ..edge.artifact import GraphSpec, Manifest
from ..edge.errors import ConfigError, MissingDependencyError
from ..edge.types import POSITIONS_PER_SECOND, AudioContexts, Progress
from ..models.parameters import Parameters
from ..models.quantize import Matrix
from .exporter import ExportedGraphs, Exporter, ExportRequest
from .hugging_face_files import write_hugging_face_files

# At import it reports, line by line, Apple's libraries that are absent on other systems.
logging.getLogger("coremltools").setLevel(logging.ERROR)
try:
    import coremltools as ct

    from . import coreml_weights
    from .coreml_layouts import oldest_system, packages, program_dtypes, program_of
    from .coreml_package import save
except ModuleNotFoundError as error:
    raise MissingDependencyError("coremltools", "coreml", "exporting to Core ML") from error


class CoremlExporter(Exporter):
    """See Exporter."""

    target = "coreml"

    def check(self, request: ExportRequest) -> None:
        """See Exporter."""
        super().check(request)
        longest = request.checkpoint.dimensions.n_audio_ctx
        if request.windows and request.windows[-1] > longest:
            seconds = longest / POSITIONS_PER_SECOND
            raise ConfigError(
                f"the checkpoint takes windows of up to {seconds:g} s, no longer ones"
            )

    def fitted(self, parameters: Parameters) -> Parameters:
        """See Exporter; vectors have the float type that their program computes in."""
        dtypes = program_dtypes(parameters)
        vectors = {
            name: vector.astype(dtypes[program_of(name)])
            for name, vector in parameters.vectors.items()
        }
        return replace(parameters, vectors=vectors)

    def write(
        self, request: ExportRequest, parameters: Parameters, folder: Path, progress: Progress
    ) -> ExportedGraphs:
        """See Exporter."""
        windows = request.windows or (request.checkpoint.dimensions.n_audio_ctx,)
        target = oldest_system(request)
        graphs: dict[str, GraphSpec] = {}
        wanted = packages(request, parameters, windows)
        for done, package in enumerate(wanted):
            progress("write", done / len(wanted))
            spec = save(folder / package.file, package.functions, target, package.activations)
            if package.graph:
                graphs[package.graph] = spec
        if request.layout == "whisperkit":
            write_hugging_face_files(folder, request.checkpoint)
        progress("write", 1.0)
        contexts = AudioContexts(windows[-1], windows)
        return ExportedGraphs(graphs, contexts, {"coremltools": ct.__version__})

    def read_parameters(self, folder: Path, manifest: Manifest) -> Parameters:
        """See Exporter."""
        matrices: dict[str, Matrix] = {}
        vectors: dict[str, NDArray[Any]] = {}
        for graph in manifest.graphs.values():
            stored = coreml_weights.load((folder / graph.file).parent, manifest)
            matrices |= stored.matrices
            vectors |= stored.vectors
        return Parameters(matrices, vectors)

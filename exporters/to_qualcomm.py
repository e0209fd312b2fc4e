"""Qualcomm: graphs of fixed shapes, all in integers, that the HTP takes whole."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np

from ..edge.artifact import GraphSpec, Manifest
from ..edge.errors import ConfigError, ExportError, MissingDependencyError, UnknownNameError
from ..edge.types import AudioContexts, Progress
from ..models.observer import observe
from ..models.parameters import Parameters
from ..models.whisper import decode, encode
from . import onnx_weights
from .exporter import ExportedGraphs, Exporter, ExportRequest
from .qualcomm_socs import SOCS, WITHOUT_A16

try:
    import onnx
    import onnxruntime_qnn

    from . import qualcomm_htp
    from .onnx_graph import OnnxGraph
    from .onnx_grids import read_grids
    from .onnx_ops import OnnxOps
    from .qualcomm_grids import static_grids
    from .qualcomm_ops import QualcommOps
except ModuleNotFoundError as error:
    raise MissingDependencyError("onnxruntime-qnn", "qualcomm", "exporting to Qualcomm") from error

VERSIONS = (21, 10)  # opset 21 is the first whose standard operators quantize to 16 bits
ACTIVATIONS = {"native": np.uint16, "a8w8": np.uint8}
EMBEDDING = "embedding"  # the one graph that is meant for the CPU: it looks up a table
CROSS_GRID = "cross_cache.json"
CONTEXTS = "contexts"


class QualcommExporter(Exporter):
    """See Exporter."""

    target = "qualcomm"

    def check(self, request: ExportRequest) -> None:
        """See Exporter; refuses a chip that it does not know, or that cannot run this."""
        for name in request.socs:
            if name not in SOCS:
                raise UnknownNameError("SoC", name, SOCS)
            if SOCS[name].hexagon == WITHOUT_A16 and request.layout == "native":
                raise ConfigError(
                    f"{name} has a Hexagon V{WITHOUT_A16}, which computes 16-bit activations "
                    "wrongly; add --layout a8w8"
                )
        if request.socs and not qualcomm_htp.can_compile():
            raise ConfigError("--soc needs Qualcomm's compiler, which runs on Linux on x86-64")

    def needs_calibration(self, request: ExportRequest) -> bool:
        """See Exporter."""
        return True

    def write(
        self, request: ExportRequest, parameters: Parameters, folder: Path, progress: Progress
    ) -> ExportedGraphs:
        """See Exporter; every graph is compiled, where the compiler runs."""
        checkpoint, n_samples = request.checkpoint, len(request.calibration)
        extents = observe(
            parameters,
            checkpoint.dimensions,
            checkpoint.generation,
            request.calibration,
            lambda n: progress("calibrate", n / n_samples),
        )
        grids = static_grids(parameters, extents, ACTIVATIONS[request.layout])
        parameters = replace(parameters, grids=grids)
        windows = request.windows or (checkpoint.dimensions.n_audio_ctx,)
        progress("write", 0.0)
        try:
            graphs = _write_graphs(request, parameters, folder, windows)
            cross = grids["decoder.cross_kv.output"]
            text = msgspec.json.encode({"scale": float(cross.scale), "zero": int(cross.zero)})
            (folder / CROSS_GRID).write_bytes(text)
        except OSError as error:
            raise ExportError(f"cannot write the graphs: {error.strerror}") from error
        progress("write", 1.0)
        compiled = sorted(path for path in folder.glob("*coder_*.onnx"))
        _compile(request, compiled, folder, progress)
        tools = {"onnx": onnx.__version__, "onnxruntime-qnn": onnxruntime_qnn.__version__}
        return ExportedGraphs(graphs, AudioContexts(windows[-1], windows), tools)

    def read_parameters(self, folder: Path, manifest: Manifest) -> Parameters:
        """See Exporter."""
        parameters = onnx_weights.load(folder, manifest)
        return replace(parameters, grids=read_grids(folder, manifest))


def _write_graphs(
    request: ExportRequest, parameters: Parameters, folder: Path, windows: tuple[int, ...]
) -> Mapping[str, GraphSpec]:
    """Write the graphs of every window; those of the longest are the manifest's."""
    arrays = onnx_weights.pack(parameters, portable=True)
    offsets = onnx_weights.save(folder, parameters, arrays)
    dimensions = request.checkpoint.dimensions
    embedding = OnnxGraph(EMBEDDING, *VERSIONS)
    _build_embedding(OnnxOps(embedding, parameters, arrays, dimensions))
    embedding.save(folder, offsets, {})
    graphs = {}
    for n_positions in windows:
        for part, build in (("encoder", _build_encoder), ("decoder", _build_decoder)):
            graph = OnnxGraph(f"{part}_{n_positions}", *VERSIONS)
            ops = QualcommOps(graph, parameters, arrays, dimensions, n_positions)
            build(request, ops)
            graphs[part] = graph.save(folder, offsets, ops.activations)
    return graphs


def _build_embedding(ops: OnnxOps) -> None:
    graph = ops.graph
    graph.input("tokens", ("hypotheses", "tokens"), "int64")
    graph.input("past", (1,), "int64")
    x = ops.add_positions(ops.embedding("decoder.embedding"), "decoder.positions")
    graph.output("x", x, ("hypotheses", "tokens", ops.dimensions.n_text_state))


def _build_encoder(request: ExportRequest, ops: QualcommOps) -> None:
    encode(ops, ops.mel(), request.checkpoint.dimensions)


def _build_decoder(request: ExportRequest, ops: QualcommOps) -> None:
    decode(ops, request.checkpoint.dimensions, request.checkpoint.generation.alignment_heads)


def _compile(request: ExportRequest, paths: list[Path], folder: Path, progress: Progress) -> None:
    """See that the HTP takes every graph, and write the contexts that are asked for."""
    if not qualcomm_htp.can_compile():
        return
    steps = list(_compilations(request, paths, folder))
    for done, (path, soc) in enumerate(steps):
        progress("compile", done / len(steps))
        if soc is None:
            qualcomm_htp.check_placement(path)
        else:
            qualcomm_htp.write_context(path, SOCS[soc], folder / CONTEXTS / soc / path.name)
    progress("compile", 1.0)


def _compilations(
    request: ExportRequest, paths: list[Path], folder: Path
) -> Iterator[tuple[Path, str | None]]:
    for path in paths:
        yield path, None
        for soc in request.socs:
            yield path, soc

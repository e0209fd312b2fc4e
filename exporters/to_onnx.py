"""ONNX: an encoder and a decoder graph over one weights file."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from ..edge.artifact import PLAIN_DECODER, GraphSpec, Manifest
from ..edge.errors import ExportError, MissingDependencyError
from ..edge.types import AudioContexts, Progress
from ..models.parameters import Parameters
from ..models.quantize import PER_CHANNEL, QuantizedTensor, part_of
from ..models.whisper import decode, encode
from . import onnx_weights
from .exporter import ExportedGraphs, Exporter, ExportRequest

try:
    import onnx

    from . import onnx_interchange, onnx_optimum, onnx_sherpa, onnx_tensorrt
    from .onnx_graph import OnnxGraph
    from .onnx_grids import read_grids
    from .onnx_ops import OnnxOps, PlainOnnxOps, PortableOnnxOps
except ModuleNotFoundError as error:
    raise MissingDependencyError("onnx", "onnx", "exporting to ONNX") from error

# Opset and IR version of each layout. The oldest runtime supported, ONNX Runtime 1.22, reads opset
# 22; 20 is the first with Gelu, and 18 the oldest that the portable form can be said in.
VERSIONS = {"native": (20, 9), "portable": (18, 8), "tensorrt": (19, 9)}
INTERCHANGE = {"optimum": onnx_optimum, "sherpa": onnx_sherpa}  # layouts of other programs


class OnnxExporter(Exporter):
    """See Exporter."""

    target = "onnx"

    def needs_calibration(self, request: ExportRequest) -> bool:
        """See Exporter."""
        precisions = request.recipe.quantization.values()
        return request.layout == "tensorrt" and PER_CHANNEL in precisions

    def write(
        self, request: ExportRequest, parameters: Parameters, folder: Path, progress: Progress
    ) -> ExportedGraphs:
        """See Exporter."""
        progress("write", 0.0)
        contexts = AudioContexts(request.checkpoint.dimensions.n_audio_ctx)
        if request.layout in INTERCHANGE:
            try:
                written = INTERCHANGE[request.layout].write(request, parameters, folder)
            except OSError as error:
                raise ExportError(f"cannot write {error.filename}: {error.strerror}") from error
            progress("write", 1.0)
            return ExportedGraphs(written, contexts, {"onnx": onnx.__version__})
        if request.layout == "tensorrt":
            parameters = onnx_tensorrt.calibrated(request, parameters)
        portable = request.layout != "native"
        arrays = onnx_weights.pack(parameters, portable=portable)
        offsets = onnx_weights.save(folder, parameters, arrays)
        graphs: dict[str, GraphSpec] = {}
        for name, kind in _graphs(request.layout, parameters):
            graph = OnnxGraph(name, *VERSIONS[request.layout])
            ops = kind(graph, parameters, arrays, request.checkpoint.dimensions)
            (_build_encoder if name == "encoder" else _build_decoder)(request, ops)
            try:
                graphs[name] = graph.save(folder, offsets, ops.activations)
            except OSError as error:
                raise ExportError(f"cannot write {name}.onnx: {error.strerror}") from error
        if request.layout == "tensorrt":
            onnx_tensorrt.check_graphs(folder, graphs)
        progress("write", 1.0)
        return ExportedGraphs(graphs, contexts, {"onnx": onnx.__version__})

    def read_parameters(self, folder: Path, manifest: Manifest) -> Parameters:
        """See Exporter."""
        if manifest.layout in INTERCHANGE:
            return onnx_interchange.read_parameters(folder, manifest)
        parameters = onnx_weights.load(folder, manifest)
        if manifest.layout == "tensorrt":
            return replace(parameters, grids=read_grids(folder, manifest))
        return parameters


def _graphs(layout: str, parameters: Parameters) -> Iterator[tuple[str, type[OnnxOps]]]:
    """The graphs of a layout, and the operations each is made of."""
    standard = {"portable": PortableOnnxOps, "tensorrt": onnx_tensorrt.TensorRtOnnxOps}
    if layout in standard:
        yield from (("encoder", standard[layout]), ("decoder", standard[layout]))
        return
    yield from (("encoder", OnnxOps), ("decoder", OnnxOps))
    if any(
        isinstance(matrix, QuantizedTensor) and matrix.precision == PER_CHANNEL
        for name, matrix in parameters.matrices.items()
        if part_of(name) != "encoder"
    ):
        yield PLAIN_DECODER, PlainOnnxOps


def _build_encoder(request: ExportRequest, ops: OnnxOps) -> None:
    graph, dimensions = ops.graph, request.checkpoint.dimensions
    mel = graph.input("mel", (1, dimensions.n_mels, "frames"))
    encode(ops, graph.op("Transpose", [mel], perm=[0, 2, 1]), dimensions)


def _build_decoder(request: ExportRequest, ops: OnnxOps) -> None:
    graph, dimensions = ops.graph, request.checkpoint.dimensions
    heads = request.checkpoint.generation.alignment_heads
    graph.input("tokens", ("hypotheses", "tokens"), "int64")
    if request.layout == "native":
        graph.input("past", (1,), "int64")
    logits = decode(ops, dimensions, heads)
    graph.output("logits", logits, ("hypotheses", dimensions.n_vocab))
    alignment = (
        graph.op("Concat", ops.alignment, axis=1) if len(ops.alignment) > 1 else ops.alignment[0]
    )
    graph.output("alignment", alignment, (1, len(heads), "hypotheses * tokens", "positions"))

"""OpenVINO: an encoder and a stateful decoder, written with the opset itself."""

from __future__ import annotations

import importlib.util
from pathlib import Path

from ..edge.artifact import GraphSpec, Manifest
from ..edge.errors import ExportError, MissingDependencyError
from ..edge.types import AudioContexts, Progress
from ..models.parameters import Parameters
from ..models.whisper import decode, encode
from .exporter import ExportedGraphs, Exporter, ExportRequest
from .hugging_face_files import write_hugging_face_files

try:
    import openvino as ov
    from openvino import opset13 as op

    from . import openvino_genai, openvino_tokenizer, openvino_weights
    from .openvino_graph import OpenvinoGraph
    from .openvino_ops import OpenvinoOps
except ModuleNotFoundError as error:
    raise MissingDependencyError("openvino", "openvino", "exporting to OpenVINO") from error

ENCODER, DECODER = "encoder.xml", "decoder.xml"


class OpenvinoExporter(Exporter):
    """See Exporter."""

    target = "openvino"

    def check(self, request: ExportRequest) -> None:
        """See Exporter."""
        super().check(request)
        if request.layout == "genai" and importlib.util.find_spec("openvino_tokenizers") is None:
            raise MissingDependencyError(
                "openvino-tokenizers", "openvino", "exporting for OpenVINO GenAI"
            )

    def write(
        self, request: ExportRequest, parameters: Parameters, folder: Path, progress: Progress
    ) -> ExportedGraphs:
        """See Exporter."""
        progress("write", 0.0)
        genai = request.layout == "genai"
        files = (openvino_genai.ENCODER, openvino_genai.DECODER) if genai else (ENCODER, DECODER)
        try:
            encoder = _encoder(request, parameters, folder / files[0])
            progress("write", 0.5)
            decoder = _decoder(request, parameters, folder / files[1])
            if genai:
                write_hugging_face_files(folder, request.checkpoint)
                openvino_tokenizer.write(folder, request.checkpoint)
        except (OSError, RuntimeError) as error:
            raise ExportError(f"cannot write into {folder}: {error}") from error
        progress("write", 1.0)
        contexts = AudioContexts(request.checkpoint.dimensions.n_audio_ctx)
        graphs = {"encoder": encoder, "decoder": decoder}
        return ExportedGraphs(graphs, contexts, {"openvino": ov.__version__})

    def read_parameters(self, folder: Path, manifest: Manifest) -> Parameters:
        """See Exporter."""
        return openvino_weights.load(folder, manifest)


def _encoder(request: ExportRequest, parameters: Parameters, path: Path) -> GraphSpec:
    graph, dimensions = OpenvinoGraph("encoder"), request.checkpoint.dimensions
    genai = request.layout == "genai"
    ops = (openvino_genai.GenaiEncoderOps if genai else OpenvinoOps)(graph, parameters, dimensions)
    # WhisperPipeline clears the input by giving it no window at all.
    shape = ("windows" if genai else 1, dimensions.n_mels, "frames")
    mel = graph.input("input_features", shape)
    encode(ops, op.transpose(mel, graph.ints(0, 2, 1)), dimensions)
    return graph.save(path, ops.activations)


def _decoder(request: ExportRequest, parameters: Parameters, path: Path) -> GraphSpec:
    graph, dimensions = OpenvinoGraph("decoder"), request.checkpoint.dimensions
    genai = request.layout == "genai"
    ops = (openvino_genai.GenaiDecoderOps if genai else OpenvinoOps)(graph, parameters, dimensions)
    heads = request.checkpoint.generation.alignment_heads
    logits = decode(ops, dimensions, heads)
    graph.output("logits", logits, ("hypotheses", 1, dimensions.n_vocab))
    rows = ("hypotheses", len(heads), "tokens") if genai else (1, len(heads), "hypotheses * tokens")
    graph.output("alignment", op.concat(ops.alignment, 1), (*rows, "positions"))
    return graph.save(path, ops.activations)

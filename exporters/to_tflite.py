"""TFLite, today LiteRT: one file with an encoder and a decoder step over one set of weights.

The flatbuffer is written as it is; no converter and no TensorFlow takes part. Tokens are an input
like any other, so language and task are whatever the prompt says.
"""

from __future__ import annotations

from importlib import metadata
from pathlib import Path

from ..edge.artifact import Manifest
from ..edge.errors import ExportError, MissingDependencyError, UnsupportedPrecisionError
from ..edge.types import FRAMES_PER_POSITION, AudioContexts, Progress
from ..models.parameters import Parameters
from ..models.whisper import decode, encode
from .exporter import ExportedGraphs, Exporter, ExportRequest

try:
    from . import tflite_weights
    from .tflite_graph import TfliteModel
    from .tflite_ops import TfliteOps
except ModuleNotFoundError as error:
    raise MissingDependencyError("flatbuffers", "tflite", "exporting to TFLite") from error

HEAD = "decoder.embedding"


class TfliteExporter(Exporter):
    """See Exporter."""

    target = "tflite"

    def check(self, request: ExportRequest) -> None:
        """See Exporter."""
        super().check(request)
        precision = request.recipe.precision(HEAD)
        if precision.block is not None:
            raise UnsupportedPrecisionError(
                f"tflite looks up no tokens in {precision}; store {HEAD} as int8"
            )

    def write(
        self, request: ExportRequest, parameters: Parameters, folder: Path, progress: Progress
    ) -> ExportedGraphs:
        """See Exporter."""
        progress("write", 0.0)
        dimensions = request.checkpoint.dimensions
        n_positions = dimensions.n_audio_ctx
        model = TfliteModel()
        # The decoder is first: what comes first is run without copying its inputs at every step.
        lengths = {"hypotheses": 1, "positions": n_positions}
        decoder = TfliteOps(model.graph("decoder", lengths), parameters, dimensions)
        _build_decoder(request, decoder)
        lengths = {"frames": FRAMES_PER_POSITION * n_positions, "positions": n_positions}
        encoder = TfliteOps(model.graph("encoder", lengths), parameters, dimensions)
        encode(encoder, encoder.encoder_input(), dimensions)
        if lost := [name for name in parameters.vectors if not model.holds(name)]:
            raise ExportError(f"the graph leaves out {lost[0]}")
        file = tflite_weights.MODEL_FILE
        try:
            model.save(folder / file)
        except OSError as error:
            raise ExportError(f"cannot write {file}: {error.strerror}") from error
        progress("write", 1.0)
        graphs = {
            ops.graph.name: ops.graph.spec(file, ops.activations) for ops in (encoder, decoder)
        }
        tools = {"flatbuffers": metadata.version("flatbuffers")}
        return ExportedGraphs(graphs, AudioContexts(n_positions), tools)

    def read_parameters(self, folder: Path, manifest: Manifest) -> Parameters:
        """See Exporter."""
        return tflite_weights.load(folder, manifest)


def _build_decoder(request: ExportRequest, ops: TfliteOps) -> None:
    dimensions, heads = request.checkpoint.dimensions, request.checkpoint.generation.alignment_heads
    ops.decoder_input()
    logits = decode(ops, dimensions, heads)
    ops.graph.output("logits", logits, ("hypotheses", dimensions.n_vocab))
    shape = ("hypotheses", len(heads), "positions", 1)
    ops.graph.output("alignment", ops.joined_alignment(), shape)

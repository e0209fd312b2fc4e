"""Every form in which a session exists here, over one random checkpoint."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from tempfile import mkdtemp

from whisperq_edge.edge.artifact import PLAIN_DECODER, Artifact
from whisperq_edge.edge.evaluation.export import export
from whisperq_edge.edge.types import PrecisionName
from whisperq_edge.exporters import ExportRequest, exporter_for
from whisperq_edge.models.checkpoint import Checkpoint, load_checkpoint
from whisperq_edge.models.quantize import Recipe
from whisperq_edge.runtimes import open_session
from whisperq_edge.runtimes.run_reference import ReferenceSession

from ..random_checkpoint import MINIATURE, write_random_checkpoint

# target, layout, precision, block: a new target is tested by being listed here, and a test fails
# while it is not.
FORMS: dict[str, tuple[str, str, PrecisionName, int | None]] = {
    "onnx-fp32": ("onnx", "native", "fp32", None),
    "onnx-fp16": ("onnx", "native", "fp16", None),
    "onnx-int8": ("onnx", "native", "int8", None),
    "onnx-int8-128": ("onnx", "native", "int8", 128),
    "onnx-int4-32": ("onnx", "native", "int4", 32),
    "onnx-int4-64": ("onnx", "native", "int4", 64),
    "onnx-portable-fp32": ("onnx", "portable", "fp32", None),
    "onnx-portable-fp16": ("onnx", "portable", "fp16", None),
    "onnx-portable-int8": ("onnx", "portable", "int8", None),
}
# Sessions of the same artifacts with another decoder graph.
ALTERNATIVES = {"onnx-int8-plain": ("onnx-int8", PLAIN_DECODER)}
EXACT = [name for name in FORMS if name.endswith(("fp32", "fp16"))]


@cache
def miniature() -> Checkpoint:
    """A random checkpoint with two alignment heads in different layers."""
    folder = Path(mkdtemp(prefix="miniature-"))
    heads = [(1, 1), (0, 0)]
    return load_checkpoint(write_random_checkpoint(folder, MINIATURE, alignment_heads=heads))


@cache
def artifact(form: str) -> Artifact:
    """An artifact of the miniature; not to be changed."""
    target, layout, precision, block = FORMS[form]
    request = ExportRequest(miniature(), Recipe.of(precision, block), layout)
    return export(target, request, Path(mkdtemp(prefix=form)) / "artifact", verify=False)


def session(form: str):
    """A fresh session; "reference" is NumPy in fp32."""
    if form == "reference":
        return reference("onnx-fp32")
    if form in ALTERNATIVES:
        form, decoder = ALTERNATIVES[form]
        return open_session(artifact(form), threads=1, decoder=decoder)
    return open_session(artifact(form), threads=1, decoder="decoder")


def reference(form: str) -> ReferenceSession:
    """NumPy with the integers and the rounding of an artifact."""
    made = artifact(form)
    manifest = made.manifest
    parameters = exporter_for(manifest.target).read_parameters(made.folder, manifest)
    graphs = manifest.graphs
    rules = {**graphs["encoder"].activations, **graphs["decoder"].activations}
    return ReferenceSession(parameters, manifest.dimensions, manifest.generation, rules)

"""What is particular to ONNX artifacts."""

from __future__ import annotations

import numpy as np
import onnx
import onnxruntime as ort
import pytest

from whisperq_edge.edge.artifact import Artifact
from whisperq_edge.edge.errors import ArtifactError, ParityError, UnsupportedPrecisionError
from whisperq_edge.edge.evaluation import export as export_module
from whisperq_edge.edge.types import Precision
from whisperq_edge.exporters import ExportRequest, onnx_weights
from whisperq_edge.exporters.onnx_graph import OnnxGraph
from whisperq_edge.exporters.onnx_ops import OnnxOps, PlainOnnxOps, PortableOnnxOps
from whisperq_edge.models.parameters import Parameters
from whisperq_edge.models.quantize import Recipe, quantize
from whisperq_edge.models.random_checkpoint import MINIATURE
from whisperq_edge.models.reference import NumpyOps
from whisperq_edge.runtimes import open_session

from .sessions import EXACT, FORMS, artifact, miniature, session

ONNX = [name for name, form in FORMS.items() if form.target == "onnx"]
PRECISIONS = [
    Precision("fp32"),
    Precision("fp16"),
    Precision("int8"),
    *(Precision(name, block) for name in ("int8", "int4") for block in (32, 64, 128)),
]


def relative(a, b):
    return np.linalg.norm(a - b) / np.linalg.norm(b)


PRODUCTS = [
    *((OnnxOps, part, precision) for part in ("encoder", "decoder") for precision in PRECISIONS),
    (PlainOnnxOps, "decoder", Precision("int8")),
    *((PortableOnnxOps, "decoder", precision) for precision in PRECISIONS[:3]),
]


@pytest.mark.parametrize(("kind", "part", "precision"), PRODUCTS)
def test_a_single_product_is_exact(kind, part, precision, tmp_path):
    """The arithmetic of a quantized product, on inputs that are equal to the bit."""
    rng = np.random.default_rng(0)
    name = f"{part}.0.fc1"
    parameters = Parameters(
        {name: quantize(rng.standard_t(5, (96, 320)).astype(np.float32), precision)},
        {f"{name}.bias": rng.normal(0, 1, 96).astype(np.float32)},
    )
    x = rng.normal(0, 1, (1, 7, 320)).astype(np.float32)
    arrays = onnx_weights.pack(parameters, portable=kind is PortableOnnxOps)
    graph = OnnxGraph("product", 20, 9)
    ops = kind(graph, parameters, arrays, MINIATURE)
    graph.input("x", (1, "t", 320))
    graph.output("y", ops.linear("x", name), (1, "t", 96))
    spec = graph.save(tmp_path, onnx_weights.save(tmp_path, parameters, arrays), ops.activations)
    ours = ort.InferenceSession(tmp_path / spec.file).run(None, {"x": x})[0]
    theirs = NumpyOps(parameters, spec.activations).linear(x, name)
    assert relative(ours, theirs) < 2e-6
    if spec.activations[part] != "float":  # the rounding is really there
        assert relative(ours, NumpyOps(parameters).linear(x, name)) > 1e-3


@pytest.mark.parametrize("form", ONNX)
def test_the_manifest_names_what_the_graphs_take_and_give(form):
    made = artifact(form)
    with session(form) as opened:
        for part, graph in made.manifest.graphs.items():
            if part not in ("encoder", opened.facts.decoder):
                continue
            loaded = opened._encoder if part == "encoder" else opened._decoder
            for specs, real in (
                (graph.inputs, loaded.get_inputs()),
                (graph.outputs, loaded.get_outputs()),
            ):
                assert [spec.name for spec in specs] == [value.name for value in real]
                assert [list(spec.shape) for spec in specs] == [value.shape for value in real]


@pytest.mark.parametrize("form", [form for form in ONNX if "portable" in form])
def test_the_portable_layout_is_standard_and_another_engine_reads_it(form):
    made = artifact(form)
    for part in ("encoder", "decoder"):
        model = onnx.load(made.path(part))
        assert {opset.domain for opset in model.opset_import} == {""}
        assert {node.domain for node in model.graph.node} == {""}
        onnx.checker.check_model(str(made.path(part)), full_check=True)
    from onnx.reference import ReferenceEvaluator

    mel = np.random.default_rng(0).normal(0, 0.5, (80, 40)).astype(np.float32)
    tokens = np.array([[50258, 50259, 50359]])
    cross = ReferenceEvaluator(str(made.path("encoder"))).run(None, {"mel": mel[None]})
    names = [spec.name for spec in made.manifest.graphs["encoder"].outputs]
    empty = {
        spec.name: np.zeros((1, 2, 0, 32), np.float32)
        for spec in made.manifest.graphs["decoder"].inputs
        if spec.name.startswith("self_")
    }
    feeds = {"tokens": tokens, **dict(zip(names, cross, strict=True)), **empty}
    logits = ReferenceEvaluator(str(made.path("decoder"))).run(["logits"], feeds)[0]
    with session(form) as opened:
        opened.encode(mel)
        ours = opened.step(tokens)
    assert relative(ours, logits) < (1e-5 if form in EXACT else 5e-2)


def test_the_embedding_is_stored_once(tmp_path):
    made = artifact("onnx-int8")
    weights = (made.folder / onnx_weights.WEIGHTS_FILE).stat().st_size
    n_table = MINIATURE.n_vocab * MINIATURE.n_text_state
    assert n_table < weights < 1.5 * n_table  # a byte an element, and no second copy


@pytest.mark.parametrize(("precision", "block"), [("int8", 32), ("int4", None)])
def test_the_portable_layout_refuses_blocks_and_leaves_nothing(precision, block, tmp_path):
    request = ExportRequest(miniature(), Recipe.of(precision, block), "portable")
    with pytest.raises(UnsupportedPrecisionError, match="portable"):
        export_module.export("onnx", request, tmp_path / "artifact")
    assert not any(tmp_path.iterdir())


def test_a_wrong_artifact_is_refused_and_nothing_is_left(tmp_path, monkeypatch):
    """A bias that gets lost on the way into the graph."""
    monkeypatch.setattr(OnnxOps, "linear", lambda ops, x, name: ops._product(x, name))
    request = ExportRequest(miniature(), Recipe.of("int8"))
    with pytest.raises(ParityError, match=r"relative error is .*, allowed"):
        export_module.export("onnx", request, tmp_path / "artifact")
    assert not any(tmp_path.iterdir())


def test_wrong_integers_in_the_file_are_refused(tmp_path, monkeypatch):
    def off_by_one(*arguments):
        for key, array in stored(*arguments):
            yield key, array + (array.dtype == np.int8)

    stored = onnx_weights._stored
    monkeypatch.setattr(onnx_weights, "_stored", off_by_one)
    request = ExportRequest(miniature(), Recipe.of("int8"))
    with pytest.raises(ParityError, match="stored weight's difference"):
        export_module.export("onnx", request, tmp_path / "artifact", verify=False)
    assert not any(tmp_path.iterdir())


def test_a_graph_that_the_runtime_refuses_is_one_line(tmp_path):
    made = artifact("onnx-fp32")
    (tmp_path / "encoder.onnx").write_bytes(b"not a graph")
    with pytest.raises(ArtifactError, match=r"encoder\.onnx: onnxruntime .* refuses it"):
        open_session(Artifact(tmp_path, made.manifest))

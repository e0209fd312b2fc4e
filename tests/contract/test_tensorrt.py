"""What is particular to the layout for TensorRT, which cannot run here."""

from __future__ import annotations

import numpy as np
import onnx
import onnxruntime as ort
import pytest
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

from whisperq_edge.edge.errors import ExportError
from whisperq_edge.edge.evaluation.calibration import calibration_samples
from whisperq_edge.edge.evaluation.export import export
from whisperq_edge.edge.types import Precision
from whisperq_edge.exporters import ExportRequest, exporter_for, onnx_weights
from whisperq_edge.exporters.onnx_graph import OnnxGraph
from whisperq_edge.exporters.onnx_lint import lint_tensorrt
from whisperq_edge.exporters.onnx_ops import PortableOnnxOps
from whisperq_edge.exporters.onnx_tensorrt import TensorRtOnnxOps, calibrated
from whisperq_edge.models.grid import Extent, Grid
from whisperq_edge.models.parameters import Parameters, prepare
from whisperq_edge.models.quantize import Recipe, quantize
from whisperq_edge.models.random_checkpoint import MINIATURE
from whisperq_edge.models.reference import NumpyOps

from .sessions import FORMS, artifact, miniature, session

LAYOUT = [name for name, form in FORMS.items() if form.layout == "tensorrt"]
INT8 = "onnx-tensorrt-int8"


def relative(a, b):
    return np.linalg.norm(a - b) / np.linalg.norm(b)


def graphs(form):
    made = artifact(form)
    for spec in made.manifest.graphs.values():
        yield onnx.load(made.folder / spec.file, load_external_data=False)


@pytest.mark.parametrize("part", ["encoder", "decoder"])
def test_a_single_product_is_exact(part, tmp_path):
    """Whatever kernel the runtime makes of it; some values lie beyond the grid and are clamped."""
    rng = np.random.default_rng(0)
    name = f"{part}.0.fc1"
    x = rng.normal(0, 1, (1, 7, 320)).astype(np.float32)
    parameters = Parameters(
        {name: quantize(rng.standard_t(5, (96, 320)).astype(np.float32), Precision("int8"))},
        {f"{name}.bias": rng.normal(0, 1, 96).astype(np.float32)},
        {f"{name}.input": Grid.symmetric(Extent.of(0.8 * x))},
    )
    arrays = onnx_weights.pack(parameters, portable=True)
    graph = OnnxGraph("product", 19, 9)
    ops = TensorRtOnnxOps(graph, parameters, arrays, MINIATURE)
    graph.input("x", (1, "t", 320))
    graph.output("y", ops.linear("x", name), (1, "t", 96))
    spec = graph.save(tmp_path, onnx_weights.save(tmp_path, parameters, arrays), ops.activations)
    ours = ort.InferenceSession(tmp_path / spec.file).run(None, {"x": x})[0]
    assert relative(ours, NumpyOps(parameters, spec.activations).linear(x, name)) < 2e-6
    unrounded = Parameters(parameters.matrices, parameters.vectors)
    assert relative(ours, NumpyOps(unrounded).linear(x, name)) > 1e-3


@pytest.mark.parametrize("form", LAYOUT)
def test_the_graphs_keep_the_rules(form):
    for model in graphs(form):
        assert lint_tensorrt(model) == []
        kinds = [node.op_type for node in model.graph.node]
        assert ("QuantizeLinear" in kinds) == (form == INT8)


def test_every_product_with_weights_is_quantized_and_no_other():
    n_quantized = 0
    for model in graphs(INT8):
        made_by = {output: node for node in model.graph.node for output in node.output}
        for node in model.graph.node:
            if node.op_type == "MatMul":
                sources = [made_by.get(name) for name in node.input]
                quantized = [s is not None and s.op_type == "DequantizeLinear" for s in sources]
                assert len(set(quantized)) == 1, node.name
                n_quantized += all(quantized)
    n_layers = MINIATURE.n_audio_layer
    assert n_quantized == (2 + 4 * n_layers + 1) + (6 * MINIATURE.n_text_layer + 1)


def test_the_scales_in_the_files_are_those_of_the_calibration():
    made = artifact(INT8)
    parameters = prepare(miniature(), Recipe.of("int8"))
    samples = calibration_samples(miniature())
    request = ExportRequest(miniature(), Recipe.of("int8"), "tensorrt", calibration=samples)
    stored = exporter_for("onnx").read_parameters(made.folder, made.manifest).grids
    assert stored == calibrated(request, parameters).grids
    assert stored.keys() == {f"{name}.input" for name in parameters.matrices}


def test_another_engine_reads_it():
    made = artifact(INT8)
    for part in ("encoder", "decoder"):
        onnx.checker.check_model(str(made.path(part)), full_check=True)
    mel = np.random.default_rng(0).normal(0, 0.5, (80, 40)).astype(np.float32)
    cross = ReferenceEvaluator(str(made.path("encoder"))).run(None, {"mel": mel[None]})
    with session(INT8) as opened:
        opened.encode(mel)
        assert relative(opened.window(), np.concatenate(cross)) < 1e-2


def broken(change):
    """A quantized product of one row, after ``change`` to its nodes and constants."""
    constants = {
        "scale": np.float32(0.1),
        "zero": np.int8(0),
        "weight": np.ones((4, 3), np.int8),
        "weight_scale": np.ones(3, np.float32),
        "weight_zero": np.zeros(3, np.int8),
    }
    nodes = [
        helper.make_node("QuantizeLinear", ["x", "scale", "zero"], ["steps"], name="q"),
        helper.make_node("DequantizeLinear", ["steps", "scale", "zero"], ["rounded"], name="dq"),
        helper.make_node(
            "DequantizeLinear", ["weight", "weight_scale", "weight_zero"], ["w"], name="dw", axis=1
        ),
        helper.make_node("MatMul", ["rounded", "w"], ["y"], name="product"),
    ]
    opset = change(nodes, constants) or 18
    graph = helper.make_graph(
        nodes,
        "product",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, (1, 4))],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(np.asarray(array), name) for name, array in constants.items()],
    )
    opsets = [helper.make_opsetid("", opset)]
    opsets += [helper.make_opsetid(node.domain, 1) for node in nodes if node.domain]
    return helper.make_model(graph, opset_imports=opsets)


def test_the_lint_accepts_a_plain_product():
    assert lint_tensorrt(broken(lambda nodes, constants: None)) == []


@pytest.mark.parametrize(
    ("change", "finding"),
    [
        (lambda n, c: c.update(zero=np.uint8(128)), "the zero point is not int8"),
        (lambda n, c: c.update(zero=np.int8(3)), "the zero point is not 0"),
        (lambda n, c: c.update(weight_zero=np.array([0, 1, 0], np.int8)), "dw: the zero point"),
        (lambda n, c: n[0].input.pop() and None, "q: the zero point is not given"),
        (lambda n, c: c.pop("scale") and None, "the scale is not constant"),
        (lambda n, c: n[3].MergeFrom(helper.make_node("", [], [], domain="com.microsoft")),
         "com.microsoft"),
        (lambda n, c: 21, "opset 21"),
        (lambda n, c: n.append(helper.make_node("Softmax", ["rounded"], ["s"])), "dq: Softmax"),
        (lambda n, c: n.append(helper.make_node("Cast", ["steps"], ["s"], to=1)), "q: Cast"),
        (lambda n, c: n.append(helper.make_node("Gather", ["rounded", "i"], ["s"])), "dq: Gather"),
        (lambda n, c: n.append(helper.make_node("MatMulInteger", ["a", "b"], ["s"], name="m")),
         "m has no kernel"),
    ],
)  # fmt: skip
def test_the_lint_finds(change, finding):
    assert any(finding in line for line in lint_tensorrt(broken(change)))


@pytest.mark.parametrize("form", ["onnx-int8", "onnx-portable-int8"])
def test_other_layouts_do_not_pass(form):
    assert all(lint_tensorrt(model) for model in graphs(form))


def test_an_export_that_breaks_the_rules_is_refused_and_nothing_is_left(tmp_path, monkeypatch):
    monkeypatch.setattr(TensorRtOnnxOps, "_dynamic_product", PortableOnnxOps._dynamic_product)
    request = ExportRequest(miniature(), Recipe.of("int8"), "tensorrt")
    with pytest.raises(ExportError, match=r"encoder\.onnx breaks .* TensorRT's rules"):
        export("onnx", request, tmp_path / "artifact", verify=False)
    assert not any(tmp_path.iterdir())

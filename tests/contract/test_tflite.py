"""What is particular to TFLite artifacts."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("ai_edge_litert", reason="running TFLite artifacts needs ai-edge-litert")

from ai_edge_litert.interpreter import Interpreter, OpResolverType

from whisperq_edge.edge.artifact import Artifact
from whisperq_edge.edge.errors import (
    ArtifactError,
    ExportError,
    ParityError,
    UnsupportedPrecisionError,
)
from whisperq_edge.edge.evaluation import export as export_module
from whisperq_edge.edge.types import Precision
from whisperq_edge.exporters import ExportRequest, tflite_weights
from whisperq_edge.exporters.tflite_graph import TfliteModel
from whisperq_edge.exporters.tflite_ops import TfliteOps
from whisperq_edge.exporters.tflite_products import TfliteProducts
from whisperq_edge.exporters.tflite_schema import ALIGNMENT
from whisperq_edge.exporters.tflite_tables import read_model
from whisperq_edge.models.parameters import Parameters
from whisperq_edge.models.quantize import Recipe, quantize
from whisperq_edge.models.random_checkpoint import MINIATURE
from whisperq_edge.models.reference import NumpyOps
from whisperq_edge.runtimes import open_session, run_tflite

from .sessions import FORMS, artifact, miniature, session

TFLITE = [name for name, form in FORMS.items() if form.target == "tflite"]
WHOLE = [Precision("fp32"), Precision("fp16"), Precision("int8")]
BLOCKED = [Precision("int4", block) for block in (32, 64, 128)]
XNNPACK = OpResolverType.AUTO
PLAIN = OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES  # what tflite-runtime is run with


def relative(a, b):
    return np.linalg.norm(a - b) / np.linalg.norm(b)


def run(path, x, kernels=XNNPACK):
    """The one output for the one input."""
    interpreter = Interpreter(str(path), experimental_op_resolver_type=kernels)
    [given], [wanted] = interpreter.get_input_details(), interpreter.get_output_details()
    interpreter.resize_tensor_input(given["index"], x.shape)
    interpreter.allocate_tensors()
    interpreter.set_tensor(given["index"], x)
    interpreter.invoke()
    return interpreter.get_tensor(wanted["index"])


@pytest.mark.parametrize("kernels", [XNNPACK, PLAIN], ids=["xnnpack", "plain"])
@pytest.mark.parametrize("precision", [*WHOLE, *BLOCKED], ids=str)
def test_a_single_product_is_exact(precision, kernels, tmp_path):
    """The arithmetic of a quantized product, on inputs that are equal to the bit."""
    rng = np.random.default_rng(0)
    weight = rng.standard_t(5, (96, 320)).astype(np.float32)  # not a whole number of 128s
    parameters = Parameters(
        {"encoder.0.fc1": quantize(weight, precision)},
        {"encoder.0.fc1.bias": rng.normal(0, 1, 96).astype(np.float32)},
    )
    x = rng.normal(0.5, 1, (1, 7, 320)).astype(np.float32)
    model = TfliteModel()
    graph = model.graph("product", {"t": 3})
    ops = TfliteOps(graph, parameters, MINIATURE)
    y = ops.linear(graph.input("x", (1, "t", 320)), "encoder.0.fc1")
    graph.output("y", y, (1, "t", 96))
    model.save(tmp_path / "product.tflite")
    ours = run(tmp_path / "product.tflite", x, kernels)
    theirs = NumpyOps(parameters, ops.activations).linear(x, "encoder.0.fc1")
    assert relative(ours, theirs) < 2e-6
    if ops.activations["encoder"] != "float":  # the rounding is really there
        exact = NumpyOps(parameters).linear(x, "encoder.0.fc1")
        assert relative(ours, exact) > 1e-3


@pytest.mark.parametrize("precision", BLOCKED, ids=str)
def test_scales_that_xnnpack_refuses_are_there_to_be_tested(precision):
    matrix = quantize(np.random.default_rng(0).standard_t(5, (96, 320)).astype("f4"), precision)
    arrays = tflite_weights.pack_blocks(matrix)
    assert (matrix.scales < 0).any()
    scales = arrays["scales"].astype(np.float32)
    assert (scales > 0).all()
    np.testing.assert_array_equal(scales.view(np.uint32) & 0xFFFF, 0)  # a bfloat16 holds them
    assert ("n_in" in arrays) == (precision.block == 128)


@pytest.mark.parametrize("precision", WHOLE, ids=str)
def test_rows_of_the_table_are_exact(precision, tmp_path):
    """In halves: every one there is, those too small to be normal among them."""
    name = "decoder.embedding"
    halves = np.arange(2**16, dtype=np.uint16).view(np.float16)
    halves = np.where(np.isfinite(halves), halves, 0).reshape(1024, 64)
    table = quantize(halves.astype(np.float32), precision)
    model = TfliteModel()
    graph = model.graph("rows", {"n": 1})
    products = TfliteProducts(graph, Parameters({name: table}, {}))
    rows = products.embedding_rows(name, graph.input("tokens", ("n",), "int32"))
    graph.output("rows", rows, ("n", 64))
    model.save(tmp_path / "rows.tflite")
    tokens = np.arange(1024, dtype=np.int32)
    reference = NumpyOps(Parameters({name: table}, {}))
    reference.tokens = tokens
    ours = run(tmp_path / "rows.tflite", tokens)
    np.testing.assert_array_equal(ours, reference.embedding(name))


@pytest.mark.parametrize("form", TFLITE)
def test_the_manifest_names_what_the_signatures_take_and_give(form):
    made = artifact(form)
    interpreter = Interpreter(str(made.path("decoder")))
    assert made.path("encoder") == made.path("decoder")
    assert interpreter.get_signature_list().keys() == made.manifest.graphs.keys()
    for part, graph in made.manifest.graphs.items():
        runner = interpreter.get_signature_runner(part)
        for specs, details in (
            (graph.inputs, runner.get_input_details()),
            (graph.outputs, runner.get_output_details()),
        ):
            assert {spec.name for spec in specs} == details.keys()
            for spec in specs:
                assert details[spec.name]["dtype"] == np.dtype(spec.dtype)
                assert len(details[spec.name]["shape"]) == len(spec.shape)
        for spec in graph.inputs:
            open_shape = [-1 if isinstance(size, str) else size for size in spec.shape]
            assert list(runner.get_input_details()[spec.name]["shape_signature"]) == open_shape


def test_language_and_task_are_not_in_the_file():
    with session("tflite-int8") as opened:
        opened.encode(np.random.default_rng(0).normal(0, 0.5, (80, 100)).astype(np.float32))
        logits = []
        for language, task in ((50259, 50359), (50261, 50359), (50259, 50358)):
            opened.rewind(0)
            logits.append(opened.step(np.array([[50258, language, task]])).copy())
    assert relative(logits[1], logits[0]) > 1e-3
    assert relative(logits[2], logits[0]) > 1e-3


def test_every_weight_is_stored_once_and_aligned():
    made = artifact("tflite-int8")
    size = made.path("decoder").stat().st_size
    n_table = MINIATURE.n_vocab * MINIATURE.n_text_state
    assert n_table < size < 1.4 * n_table  # a byte an element, and no second copy
    model = read_model(memoryview(made.path("decoder").read_bytes()))
    shared = [
        {tensor["buffer"] for tensor in graph["tensors"] if tensor["name"] == name}
        for graph in model["subgraphs"]
        for name in ("decoder.embedding.values", "decoder.embedding.scales")
    ]
    assert all(len(buffers) <= 1 for buffers in shared)
    places = [(buffer["offset"], buffer["size"]) for buffer in model["buffers"][1:]]
    assert all(offset % ALIGNMENT == 0 for offset, _ in places)
    assert places[-1][0] + places[-1][1] <= size


@pytest.mark.parametrize("form", TFLITE)
def test_xnnpack_takes_all_but_what_is_looked_up(form):
    """A piece that it leaves in the middle costs more than it computes."""
    interpreter = Interpreter(str(artifact(form).path("decoder")))
    interpreter.allocate_tensors()
    delegated = [op for op in interpreter._get_ops_details() if op["op_name"] == "DELEGATE"]
    # The step itself, and where halves of a table become floats, or heads are joined at the end.
    assert len(delegated) <= 3
    largest = max(len(op["inputs"]) for op in delegated)
    assert largest > 50


def test_windows_of_any_order_of_lengths_agree_with_a_fresh_session():
    """Memory is laid out anew for every length, and for every number of hypotheses."""
    rng = np.random.default_rng(0)
    windows = [rng.normal(0, 0.5, (80, 2 * n)).astype(np.float32) for n in (60, 1, 250, 2, 60)]
    with session("tflite-fp32") as kept:
        for mel in windows:
            with session("tflite-fp32") as fresh:
                for opened in (kept, fresh):
                    opened.encode(mel)
                    opened.step(np.array([[50258, 7]]))
                    opened.reorder(np.zeros(3, np.int64))
                assert relative(kept.window(), fresh.window()) < 1e-6
                step = np.array([[1], [2], [3]])
                assert relative(kept.step(step), fresh.step(step)) < 1e-6


def test_a_table_in_blocks_is_refused_and_nothing_is_left(tmp_path):
    body = Precision("int4", 32)
    request = ExportRequest(miniature(), Recipe(body, body, body))
    with pytest.raises(UnsupportedPrecisionError, match=r"looks up no tokens .* as int8"):
        export_module.export("tflite", request, tmp_path / "artifact")
    assert not any(tmp_path.iterdir())


def test_int4_is_refused_where_its_product_would_be_noise(monkeypatch):
    monkeypatch.setattr(run_tflite, "MULTIPLIES_BLOCKS", False)
    with pytest.raises(ArtifactError, match=r"does not multiply int4; export with --int8"):
        open_session(artifact("tflite-int4-32"))
    open_session(artifact("tflite-int8")).close()


def test_a_wrong_artifact_is_refused_and_nothing_is_left(tmp_path, monkeypatch):
    monkeypatch.setattr(TfliteOps, "gelu", lambda ops, x: x)
    request = ExportRequest(miniature(), Recipe.of("int8"))
    with pytest.raises(ParityError, match=r"relative error is .*, allowed"):
        export_module.export("tflite", request, tmp_path / "artifact")
    assert not any(tmp_path.iterdir())


def test_a_weight_that_gets_lost_on_the_way_into_the_graph_is_refused(tmp_path, monkeypatch):
    """It would be missing in the reference too, which is given what the file holds."""
    monkeypatch.setattr(TfliteOps, "linear", lambda ops, x, name: ops.products.product(x, name))
    request = ExportRequest(miniature(), Recipe.of("int8"))
    with pytest.raises(ExportError, match=r"leaves out encoder\.conv1\.bias"):
        export_module.export("tflite", request, tmp_path / "artifact")
    assert not any(tmp_path.iterdir())


def test_wrong_integers_in_the_file_are_refused(tmp_path, monkeypatch):
    def shifted(model, key, array):
        return stored(model, key, array + (array.dtype == np.int8))

    stored = TfliteModel.data
    monkeypatch.setattr(TfliteModel, "data", shifted)
    request = ExportRequest(miniature(), Recipe.of("int8"))
    with pytest.raises(ParityError, match="stored weight's difference"):
        export_module.export("tflite", request, tmp_path / "artifact", verify=False)
    assert not any(tmp_path.iterdir())


def test_a_file_that_the_runtime_refuses_is_one_line(tmp_path):
    made = artifact("tflite-fp32")
    (tmp_path / tflite_weights.MODEL_FILE).write_bytes(b"not a graph")
    with pytest.raises(ArtifactError, match=r"model\.tflite: ai-edge-litert .* refuses it") as one:
        open_session(Artifact(tmp_path, made.manifest))
    assert "\n" not in str(one.value)


@pytest.mark.parametrize("spoil", [lambda data: b"not a graph", lambda data: data[:5000]])
def test_a_damaged_file_is_not_read_as_weights(spoil, tmp_path):
    made = artifact("tflite-fp32")
    data = made.path("decoder").read_bytes()
    (tmp_path / tflite_weights.MODEL_FILE).write_bytes(spoil(data))
    with pytest.raises(ArtifactError, match=r"model\.tflite cannot be read"):
        tflite_weights.load(tmp_path, made.manifest)

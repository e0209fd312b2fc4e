"""What is particular to OpenVINO artifacts."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("openvino", reason="OpenVINO artifacts need openvino")

import openvino as ov
from tokenizers import Tokenizer as HuggingFaceTokenizer

from whisperq_edge.edge.artifact import Artifact
from whisperq_edge.edge.errors import (
    ArtifactError,
    InferenceError,
    MissingDependencyError,
    ParityError,
)
from whisperq_edge.edge.evaluation.export import export
from whisperq_edge.edge.evaluation.gate import check
from whisperq_edge.edge.evaluation.verify import verify
from whisperq_edge.edge.types import Precision
from whisperq_edge.exporters import ExportRequest, openvino_weights, to_openvino
from whisperq_edge.exporters.openvino_graph import OpenvinoGraph
from whisperq_edge.exporters.openvino_ops import OpenvinoOps
from whisperq_edge.models.checkpoint import load_checkpoint
from whisperq_edge.models.parameters import Parameters
from whisperq_edge.models.quantize import QuantizedTensor, Recipe, quantize
from whisperq_edge.models.random_checkpoint import MINIATURE, write_random_checkpoint
from whisperq_edge.models.reference import NumpyOps
from whisperq_edge.runtimes import open_session, openvino_cache
from whisperq_edge.runtimes.openvino_device import Device
from whisperq_edge.runtimes.openvino_session import OpenvinoSession

from .sessions import FORMS, artifact, miniature, session

OPENVINO = [name for name, form in FORMS.items() if form.target == "openvino"]
PRECISIONS = [
    Precision("fp32"),
    Precision("fp16"),
    Precision("int8"),
    *(Precision(name, block) for name in ("int8", "int4") for block in (32, 64, 128)),
]
PROMPT = np.array([[50258, 50259, 50359, 50363]])


def relative(a, b):
    return np.linalg.norm(a - b) / np.linalg.norm(b)


def mel(n_positions=60, seed=0):
    shape = (80, 2 * n_positions)
    return np.random.default_rng(seed).normal(0, 0.5, shape).astype(np.float32)


def logits(opened):
    opened.encode(mel(opened.contexts.fit(60)))
    return opened.step(PROMPT).copy()


@pytest.mark.parametrize("n_in", [320, 240])  # 240 ends within a block, as the first convolution
@pytest.mark.parametrize("precision", PRECISIONS, ids=str)
def test_a_single_product_is_exact(precision, n_in, tmp_path):
    """The arithmetic of a quantized product, on inputs that are equal to the bit."""
    rng = np.random.default_rng(0)
    name = "encoder.0.fc1"
    parameters = Parameters(
        {name: quantize(rng.standard_t(5, (96, n_in)).astype(np.float32), precision)},
        {f"{name}.bias": rng.normal(0, 1, 96).astype(np.float32)},
    )
    graph = OpenvinoGraph("product")
    ops = OpenvinoOps(graph, parameters, MINIATURE)
    y = ops.linear(graph.input("x", (1, "t", n_in)), name)
    graph.output("y", y, (1, "t", 96))
    graph.save(tmp_path / "product.xml", ops.activations)
    device = Device("CPU", 1, precision.block or 128)
    product, rule = device.compile(tmp_path / "product.xml"), device.rounding()
    reference = NumpyOps(parameters, {"encoder": rule})
    for n_rows in (1, 7, 100):
        x = rng.normal(0, 1, (1, n_rows, n_in)).astype(np.float32)
        ours = product(x)[0]
        # One of the larger number of rows may lie on the edge between two integers.
        assert relative(ours, reference.linear(x, name)) < (2e-6 if n_rows < 100 else 1e-3)
        if rule != "float" and isinstance(parameters.matrices[name], QuantizedTensor):
            assert relative(ours, NumpyOps(parameters).linear(x, name)) > 2e-3


def test_the_rounding_is_what_the_kernels_do():
    device = Device("CPU", 1, 32)
    assert device.rounding() in ("float", "int8-32")
    device._settings["DYNAMIC_QUANTIZATION_GROUP_SIZE"] = 0
    assert device.rounding() == "float"


@pytest.mark.parametrize("form", ["openvino-int8", "openvino-int4-32", "openvino-genai-int8"])
def test_the_integers_are_not_unpacked(form):
    """Kernels multiply with the integers themselves: no matrix lies there as floats."""
    made = artifact(form)
    device = Device("CPU", 1, 32)
    for part in ("encoder", "decoder"):
        model = device.compile(made.path(part))
        nodes = model.get_runtime_model().get_ordered_ops()
        products = [node for node in nodes if _layer(node) == "FullyConnected"]
        assert products
        for node in products:
            weight = node.input_value(1)
            assert weight.get_element_type() in (ov.Type.i8, ov.Type.i4)


def test_a_window_is_projected_once_and_not_in_every_step():
    """GenAI's decoder has those products too, but only where its states start."""
    device = Device("CPU", 1, 32)
    native, genai = (
        [_layer(node) for node in device.compile(path).get_runtime_model().get_ordered_ops()]
        for path in (artifact(f"openvino{k}-int8").path("decoder") for k in ("", "-genai"))
    )
    assert genai.count("FullyConnected") == native.count("FullyConnected")


def _layer(node):
    return node.get_rt_info()["layerType"].astype(str)


@pytest.mark.parametrize("form", ["openvino-fp32", "openvino-genai-fp32"])
def test_several_hypotheses_start_anew_after_rewinding_to_nothing(form):
    with session(form) as opened:
        first = logits(opened)
        opened.reorder(np.zeros(3, np.int64))
        opened.step(np.array([[1], [2], [3]]))
        opened.reorder(np.array([2, 0]))
        opened.rewind(0)
        again = opened.step(np.repeat(PROMPT, 2, axis=0))
        assert again.shape == (2, MINIATURE.n_vocab)
        for row in again:
            assert relative(row, first[0]) < 1e-5


@pytest.mark.parametrize("form", ["openvino-fp32", "openvino-genai-fp32"])
def test_a_reordering_that_no_step_has_seen_counts(form):
    def step(*tokens):
        return opened.step(np.array([[token] for token in tokens])).copy()

    with session(form) as opened:
        logits(opened)
        step(21)
        alone = step(40)
        opened.rewind(4)
        opened.reorder(np.zeros(3, np.int64))
        step(20, 21, 22)
        step(30, 31, 32)
        opened.reorder(np.array([1, 2]))
        opened.reorder(np.array([0]))
        opened.rewind(5)
        assert relative(step(40), alone) < 1e-5


@pytest.mark.parametrize("form", ["openvino-fp32", "openvino-genai-fp32"])
def test_the_alignment_is_the_references(form):
    found = []
    for name in (form, "reference"):
        with session(name) as opened:
            logits(opened)
            opened.reorder(np.zeros(3, np.int64))
            opened.step(np.array([[20, 23], [21, 24], [22, 25]]))
            found.append(opened.alignment)
    assert relative(*found) < 1e-5


@pytest.mark.parametrize("form", ["openvino-fp32", "openvino-genai-int8"])
def test_the_manifest_names_what_the_graphs_take_and_give(form):
    made = artifact(form)
    for part, graph in made.manifest.graphs.items():
        model = ov.Core().read_model(made.path(part))
        for specs, real in ((graph.inputs, model.inputs), (graph.outputs, model.outputs)):
            assert [spec.name for spec in specs] == [value.any_name for value in real]
            for spec, value in zip(specs, real, strict=True):
                shape = value.partial_shape
                assert len(spec.shape) == len(shape)
                for length, dimension in zip(spec.shape, shape, strict=True):
                    assert dimension.is_dynamic or dimension.get_length() == length


@pytest.mark.parametrize("form", ["openvino-int8", "openvino-genai-int8"])
def test_the_embedding_is_stored_once(form):
    weights = artifact(form).path("decoder").with_suffix(".bin").stat().st_size
    n_table = MINIATURE.n_vocab * MINIATURE.n_text_state
    assert n_table < weights < 1.5 * n_table  # a byte an element, and no second copy


def test_a_wrong_graph_is_refused(tmp_path, monkeypatch):
    """An activation that gets lost on the way."""
    monkeypatch.setattr(OpenvinoOps, "gelu", lambda ops, x: x)
    request = ExportRequest(miniature(), Recipe.of("int8"))
    made = export("openvino", request, tmp_path / "artifact", verify=False)
    with pytest.raises(ParityError, match=r"relative error is .*, allowed"):
        check(verify(made), made.manifest.tolerance)


def test_wrong_integers_in_the_file_are_refused(tmp_path, monkeypatch):
    pack = openvino_weights._pack
    monkeypatch.setattr(openvino_weights, "_pack", lambda blocks: pack(blocks) ^ 1)
    request = ExportRequest(miniature(), Recipe.of("int4"))
    with pytest.raises(ParityError, match="stored weight's difference"):
        export("openvino", request, tmp_path / "artifact", verify=False)
    assert not any(tmp_path.iterdir())


def test_a_graph_that_the_runtime_refuses_is_one_line(tmp_path):
    made = artifact("openvino-fp32")
    (tmp_path / "encoder.xml").write_text("not a graph")
    with pytest.raises(ArtifactError, match=r"encoder\.xml: openvino [\d.]+ refuses it: [^\n]+$"):
        open_session(Artifact(tmp_path, made.manifest))


def test_a_compiled_model_is_found_again(tmp_path, monkeypatch):
    monkeypatch.setenv(openvino_cache.VARIABLE, str(tmp_path / "cache"))
    made = artifact("openvino-int8")
    with session("openvino-int8") as opened:
        first = logits(opened)
    kept = list((tmp_path / "cache" / "openvino").glob("*.blob"))
    assert len(kept) == 2
    assert sum(path.stat().st_size for path in kept) < made.size / 2  # and not the weights again
    device = Device("CPU", 1, 64)
    device.keep(openvino_cache.cache_folder(made.folder))
    assert device.compile(made.path("decoder")).get_property("LOADED_FROM_CACHE")
    with session("openvino-int8") as opened:
        np.testing.assert_array_equal(logits(opened), first)


def test_a_new_export_in_the_same_place_is_not_mistaken_for_the_old(tmp_path, monkeypatch):
    monkeypatch.setenv(openvino_cache.VARIABLE, str(tmp_path / "cache"))
    found = []
    for seed in (1, 2):
        folder = write_random_checkpoint(tmp_path / str(seed), MINIATURE, seed=seed)
        request = ExportRequest(load_checkpoint(folder), Recipe.of("int8"))
        made = export("openvino", request, tmp_path / "artifact", verify=False)
        for _ in ("first", "from the cache"):
            with open_session(made, threads=1) as opened:
                found.append(logits(opened))
    first, again, other, other_again = found
    np.testing.assert_array_equal(again, first)
    np.testing.assert_array_equal(other_again, other)
    assert relative(other, first) > 0.1


def test_it_runs_without_a_place_for_the_cache(tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv(openvino_cache.VARIABLE, str(tmp_path / "file" / "cache"))
    with session("openvino-int8") as opened:
        assert np.isfinite(logits(opened)).all()


def test_an_export_in_progress_is_not_kept(tmp_path):
    assert openvino_cache.cache_folder(tmp_path / ".artifact.partial-x") is None
    assert openvino_cache.cache_folder(tmp_path / "artifact") is not None


@pytest.mark.parametrize("device", ["GPU.7", "AUTO:CPU,GPU.7", "TPU", "BATCH:CPU"])
def test_a_device_that_is_not_there_is_one_line(device):
    with pytest.raises(InferenceError, match=r"^OpenVINO has no device \S+ here; it has .*CPU"):
        open_session(artifact("openvino-int8"), device=device)


@pytest.mark.parametrize("device", ["cpu", "AUTO:CPU", "HETERO:CPU"])
def test_a_chooser_that_ends_on_the_cpu_gives_its_numbers(device):
    with session("openvino-int8") as opened:
        wanted = logits(opened)
    with open_session(artifact("openvino-int8"), threads=1, device=device) as opened:
        assert opened.facts.device == "cpu"
        np.testing.assert_array_equal(logits(opened), wanted)


@pytest.mark.parametrize("form", ["openvino-fp32", "openvino-genai-fp32"])
def test_an_encoder_of_fixed_shape_takes_whole_windows(form):
    """What the NPU is given, run on the CPU."""
    made = artifact(form)
    static, free = Device("CPU", 1, 32), Device("CPU", 1, 32)
    static.static = True
    with session(form) as opened:
        kind = type(opened)
        opened.encode(mel(1500))
        wanted = opened.step(PROMPT).copy()
    with kind(made, static, free, 1) as opened:
        assert isinstance(opened, OpenvinoSession)
        assert opened.contexts.fixed == (1500,)
        encoder = opened._encoder.get_compiled_model()
        assert encoder.input("input_features").partial_shape.is_static
        with pytest.raises(InferenceError, match="this artifact takes 1500"):
            opened.encode(mel(60))
        opened.encode(mel(1500))
        assert relative(opened.step(PROMPT), wanted) < 1e-5


def test_genai_needs_the_package_that_writes_its_tokenizer(tmp_path, monkeypatch):
    monkeypatch.setattr(to_openvino.importlib.util, "find_spec", lambda name: None)
    request = ExportRequest(miniature(), Recipe.of("int8"), "genai")
    with pytest.raises(MissingDependencyError, match="openvino-tokenizers"):
        export("openvino", request, tmp_path / "artifact")
    assert not any(tmp_path.iterdir())


TEXTS = [
    " Hello, it's 5 o'clock -- isn't it?",
    "  two  spaces\nand a line",
    " naïve café, Größe, 東京へ行きました。 Привет",
    " 👩‍🚀 1234567 x=y",
    "",
]


@pytest.mark.parametrize("source", ["demo", "official"])
def test_the_tokenizer_for_genai_is_the_same(source, tmp_path):
    pytest.importorskip("openvino_tokenizers", reason="writes the tokenizer for OpenVINO GenAI")
    from whisperq_edge.exporters import openvino_tokenizer

    checkpoint = load_checkpoint("demo") if source == "demo" else miniature()
    openvino_tokenizer.write(tmp_path, checkpoint)
    theirs = HuggingFaceTokenizer.from_str(checkpoint.tokenizer.decode())
    core = ov.Core()
    encoder = core.compile_model(tmp_path / "openvino_tokenizer.xml", "CPU")
    decoder = core.compile_model(tmp_path / "openvino_detokenizer.xml", "CPU")
    start, plain, end = (
        theirs.token_to_id(f"<|{name}|>")
        for name in ("startoftranscript", "notimestamps", "endoftext")
    )
    for text in TEXTS:
        ids = theirs.encode(text, add_special_tokens=False).ids
        ours = encoder([text])["input_ids"][0].tolist()
        assert ours == [start, plain, *ids, end]
        assert decoder(np.array([ours]))["string_output"][0] == text

"""What is particular to Qualcomm: integers throughout, and no node left to the CPU.

The HTP is Qualcomm's own simulator of it, from onnxruntime-qnn's wheel for Linux on x86-64.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from tempfile import mkdtemp

import numpy as np
import onnx
import pytest

pytest.importorskip("onnxruntime_qnn", reason="the target's library")

from whisperq_edge.edge.audio.mel import log_mel
from whisperq_edge.edge.errors import (
    ArtifactError,
    ConfigError,
    ExportError,
    InferenceError,
    UnknownNameError,
)
from whisperq_edge.edge.evaluation.export import export
from whisperq_edge.edge.evaluation.recordings import bundled_recordings
from whisperq_edge.exporters import (
    TARGETS,
    ExportRequest,
    exporter_for,
    onnx_weights,
    qualcomm_htp,
)
from whisperq_edge.exporters.onnx_graph import OnnxGraph
from whisperq_edge.exporters.qualcomm_grids import HEAD, MASK, static_grids
from whisperq_edge.exporters.qualcomm_ops import QualcommOps
from whisperq_edge.exporters.qualcomm_socs import SOCS
from whisperq_edge.exporters.to_qualcomm import QualcommExporter
from whisperq_edge.models.grid import Extent
from whisperq_edge.models.parameters import Parameters
from whisperq_edge.models.quantize import PER_CHANNEL, Recipe, quantize
from whisperq_edge.models.random_checkpoint import MINIATURE
from whisperq_edge.models.reference import NumpyOps
from whisperq_edge.runtimes import open_session
from whisperq_edge.runtimes.qualcomm_library import start

from .sessions import FORMS, artifact, miniature

QUALCOMM = [name for name, form in FORMS.items() if form.target == "qualcomm"]
A16, A8 = QUALCOMM
# Decibels between simulator and CPU; the two round sums elsewhere, and only that.
LEAST_SQNR = {A16: 35, A8: 25}
TYPES = {A16: np.uint16, A8: np.uint8}
TOKENS = (50258, 50259, 50359)

needs_compiler = pytest.mark.skipif(
    not qualcomm_htp.can_compile(), reason="Qualcomm's compiler is for Linux on x86-64"
)


def request(layout, **more):
    return ExportRequest(miniature(), Recipe.of("int8"), layout, **more)


def decibels(ours, theirs):
    error = np.square((ours - theirs).astype(np.float64)).sum()
    return 10 * np.log10(np.square(theirs.astype(np.float64)).sum() / error)


def mel(n_positions=100):
    """Real sound, which the grids are made for."""
    return log_mel(next(bundled_recordings(1)).samples, 80, 2 * n_positions)


def spoken(made, device):
    """The encoded window and the logits of a few steps."""
    with open_session(made, 1, device=device) as session:
        session.encode(mel())
        logits = [session.step(np.array([[token]])).copy() for token in TOKENS]
        return session.facts, session.window(), np.concatenate(logits)


@needs_compiler
@pytest.mark.parametrize("form", QUALCOMM)
def test_the_htp_computes_what_the_cpu_computes(form):
    facts, window, logits = spoken(artifact(form), "HTP")
    assert facts.device == "htp simulator"
    assert "onnxruntime-qnn" in facts.version
    on_cpu, window_on_cpu, logits_on_cpu = spoken(artifact(form), None)
    assert on_cpu.device == "cpu"
    assert decibels(window, window_on_cpu) > LEAST_SQNR[form]
    assert decibels(logits, logits_on_cpu) > LEAST_SQNR[form]
    assert not np.array_equal(logits, logits_on_cpu)  # it is not the CPU again


@needs_compiler
def test_a_context_is_loaded_back_and_gives_the_same_bits():
    made = export(
        "qualcomm",
        request("native", windows=(100,), socs=("SM8550",)),
        Path(mkdtemp()) / "artifact",
        verify=False,
    )
    _, window, logits = spoken(made, "HTP")
    names = {name for name in made.manifest.files if name.startswith("contexts/SM8550/")}
    assert {Path(name).suffix for name in names} == {".onnx", ".bin"}
    assert len(names) == 4
    facts, own_window, own_logits = spoken(made, "SM8550")
    assert facts.device == "htp simulator"
    np.testing.assert_array_equal(own_window, window)
    np.testing.assert_array_equal(own_logits, logits)
    with pytest.raises(InferenceError, match="use CPU, HTP, SM8550"):
        open_session(made, 1, device="SM8750")


@needs_compiler
def test_a_node_that_the_htp_does_not_take_is_named(tmp_path):
    graph = OnnxGraph("part", 21, 10)
    x = graph.input("x", (4, 4))
    graph.op("NonZero", [graph.op("MatMul", [x, x])], outputs=["y"])
    graph.declare_output("y", (2, "n"), "int64")
    graph.save(tmp_path, {}, {})
    with pytest.raises(ExportError, match=r"part\.onnx: the HTP does not take NonZero_1"):
        qualcomm_htp.check_placement(tmp_path / "part.onnx")
    start(tmp_path / "part.onnx", 1, on_htp=False)
    with pytest.raises(ArtifactError, match="fallback to CPU EP has been explicitly disabled"):
        start(tmp_path / "part.onnx", 1, on_htp=True)


@needs_compiler
def test_an_export_that_the_htp_does_not_take_leaves_nothing(tmp_path, monkeypatch):
    def left_in_float(ops, x):
        """An activation function that nobody quantized."""
        return ops._here(ops._op("Gelu", ops._op("Erf", x)), "gelu")

    monkeypatch.setattr(QualcommOps, "gelu", left_in_float)
    with pytest.raises(ExportError, match="the HTP does not take"):
        export("qualcomm", request("native", windows=(50,)), tmp_path / "artifact", verify=False)
    assert not any(tmp_path.iterdir())


def test_wrong_chips_are_refused_before_any_work():
    exporter = QualcommExporter()
    with pytest.raises(UnknownNameError, match="unknown SoC 'SM8551'; did you mean 'SM8550'"):
        exporter.check(request("native", socs=("SM8551",)))
    for chip in ("SM8450", "SM8475"):
        with pytest.raises(ConfigError, match=f"{chip} has a Hexagon V69.*--layout a8w8"):
            exporter.check(request("native", socs=(chip,)))


@needs_compiler
def test_every_other_chip_takes_every_layout():
    for chip, soc in SOCS.items():
        QualcommExporter().check(request("a8w8", socs=(chip,)))
        if soc.hexagon != 69:
            QualcommExporter().check(request("native", socs=(chip,)))


@pytest.mark.parametrize("target", [name for name in TARGETS if name != "qualcomm"])
def test_chips_are_named_for_qualcomm_alone(target):
    pytest.importorskip(TARGETS[target].module, reason="the target's library")
    with pytest.raises(ConfigError, match="--soc is for --target qualcomm"):
        exporter_for(target).check(request("native", socs=("SM8550",)))


def test_a_wrong_device_or_provider_is_refused():
    with pytest.raises(InferenceError, match="no device NPU here; use CPU, HTP"):
        open_session(artifact(A16), 1, device="NPU")
    with pytest.raises(InferenceError, match="no use for --ep cuda"):
        open_session(artifact(A16), 1, provider="cuda")
    with pytest.raises(InferenceError, match="--ep qnn is the HTP, not --device CPU"):
        open_session(artifact(A16), 1, device="cpu", provider="qnn")


@needs_compiler
def test_the_provider_is_another_name_for_the_device():
    with open_session(artifact(A16), 1, provider="qnn") as session:
        assert session.facts.device == "htp simulator"


@pytest.mark.parametrize("form", QUALCOMM)
def test_every_value_is_an_integer_between_two_operators(form):
    """Only what enters and leaves is a float; weights are ours, activations of the layout."""
    made = artifact(form)
    for part in ("encoder", "decoder"):
        model = onnx.load(made.path(part), load_external_data=False)
        assert {opset.domain for opset in model.opset_import} == {""}
        nodes = model.graph.node
        made_by = {output: node.op_type for node in nodes for output in node.output}
        read_by = {name: node.op_type for node in nodes for name in node.input}
        constants = {tensor.name for tensor in model.graph.initializer}
        for node in nodes:
            if node.op_type in ("QuantizeLinear", "DequantizeLinear"):
                continue
            for name in node.input:
                assert name in constants or made_by[name] == "DequantizeLinear", node.name
            assert all(read_by[name] == "QuantizeLinear" for name in node.output), node.name
        types = {tensor.name: tensor.data_type for tensor in model.graph.initializer}
        zeros = [types[node.input[2]] for node in nodes if node.op_type == "QuantizeLinear"]
        of_layout = onnx.helper.np_dtype_to_tensor_dtype(np.dtype(TYPES[form]))
        wide = onnx.TensorProto.UINT16
        assert set(zeros) == {of_layout, wide}  # softmax and head are always wide


@pytest.mark.parametrize("form", QUALCOMM)
def test_a_single_product_rounds_as_the_reference(form, tmp_path):
    """Equal inputs and a sum that may differ by float noise: the same step or its neighbour."""
    rng = np.random.default_rng(0)
    name = "encoder.0.qkv"
    x = rng.normal(0, 1, (1, 50, 320)).astype(np.float32)
    parameters = Parameters(
        {name: quantize(rng.standard_t(5, (96, 320)).astype(np.float32), PER_CHANNEL)},
        {f"{name}.bias": rng.normal(0, 1, 96).astype(np.float32)},
    )
    exact = NumpyOps(parameters).linear(x, name)
    extents = {
        f"{name}.input": Extent.of(x),
        f"{name}.output": Extent.of(exact),
        "decoder.0.qkv.masked": Extent(-1, 1, 0),
    }
    grids = static_grids(parameters, extents, TYPES[form])
    parameters = replace(parameters, grids=grids)
    arrays = onnx_weights.pack(parameters, portable=True)
    graph = OnnxGraph("product", 21, 10)
    ops = QualcommOps(graph, parameters, arrays, MINIATURE, n_positions=25)
    taken = ops._rounded(graph.input("x", x.shape[1:]), f"{name}.input")
    ops._gemm(taken, name, "y")
    graph.declare_output("y", exact.shape[1:])
    spec = graph.save(tmp_path, onnx_weights.save(tmp_path, parameters, arrays), ops.activations)
    ours = start(tmp_path / spec.file, 1, on_htp=False).run(None, {"x": x[0]})[0]
    theirs = NumpyOps(parameters, spec.activations).linear(x, name)[0]
    steps = np.abs(ours - theirs) / grids[f"{name}.output"].scale
    assert steps.max() < 1.01
    assert np.mean(steps < 0.01) > 0.998
    assert np.linalg.norm(ours - exact[0]) > 1e-5 * np.linalg.norm(exact)


def test_grids_suit_their_places():
    """Masked tokens get no weight; the head and the softmax have 16 bits, the latter up to 1."""
    reader = exporter_for("qualcomm")
    for form in QUALCOMM:
        made = artifact(form)
        grids = reader.read_parameters(made.folder, made.manifest).grids
        for place, grid in grids.items():
            steps = np.iinfo(grid.zero.dtype)
            high = (steps.max - int(grid.zero)) * np.max(grid.scale)
            low = (steps.min - int(grid.zero)) * np.max(grid.scale)
            if place.endswith(".softmax"):
                assert (high, low) == (pytest.approx(1), 0)
            if place.endswith(".weights"):
                assert high == pytest.approx(1) if form == A16 else 0 < high < 1.001
            if place.endswith(".masked"):
                assert high - low > 20
                mask = grids[MASK]
                assert float(mask.scale) * np.iinfo(mask.zero.dtype).max >= 0.99 * (high - low)
        assert grids[f"{HEAD}.output"].zero.dtype == np.uint16
        assert grids["encoder.0.fc1.output"].zero.dtype == TYPES[form]


def test_a_bias_that_no_integer_holds_is_refused():
    name = "encoder.0.fc1"
    parameters = Parameters(
        {name: quantize(np.full((2, 4), 1e-6, np.float32), PER_CHANNEL)},
        {f"{name}.bias": np.array([0, 3e3], np.float32)},
    )
    extents = {f"{name}.input": Extent(-1, 1, 0), "decoder.0.qkv.masked": Extent(-1, 1, 0)}
    with pytest.raises(ExportError, match=r"the bias of encoder\.0\.fc1 is too large"):
        static_grids(parameters, extents, np.uint16)


def test_text_beyond_one_token_at_a_time_agrees():
    """Prompts, hypotheses and copies are loops in the session: the numbers are the same."""
    with open_session(artifact(A16), 1) as session:
        session.encode(mel())
        session.step(np.array([TOKENS]))
        together = session.step(np.array([[7, 8]])).copy()
        alignment = session.alignment
        session.rewind(0)
        for token in (*TOKENS, 7):
            session.step(np.array([[token]]))
        session.reorder(np.array([0, 0]))
        apart = session.step(np.array([[8], [9]]))
        np.testing.assert_array_equal(apart[0], together[0])
        assert np.abs(apart[1] - apart[0]).max() > 0
        np.testing.assert_array_equal(session.alignment[0, :, 0], alignment[0, :, 1])
        after = session.step(np.array([[5], [5]]))  # each looks back at its own text
        assert np.abs(after[1] - after[0]).max() > 0
        session.reorder(np.array([1]))
        session.rewind(4)
        np.testing.assert_array_equal(session.step(np.array([[8]])), together)

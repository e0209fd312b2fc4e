"""Execution providers: what was asked for runs, or an error says so."""

from __future__ import annotations

import numpy as np
import onnxruntime as ort
import pytest
from onnx import TensorProto, helper

from whisperq_edge.edge.errors import InferenceError, UnknownNameError
from whisperq_edge.runtimes import onnx_providers, open_session
from whisperq_edge.runtimes.onnx_providers import PROVIDERS, Provider, device_of, start

from .sessions import artifact


@pytest.fixture
def half_supported(tmp_path):
    """A graph of two nodes: every provider takes the first, none of an accelerator the second."""
    graph = helper.make_graph(
        [
            helper.make_node("MatMul", ["x", "x"], ["y"], name="product"),
            helper.make_node("NonZero", ["y"], ["z"], name="places"),
        ],
        "two",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, (4, 4))],
        [helper.make_tensor_value_info("z", TensorProto.INT64, (2, "n"))],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)
    path = tmp_path / "two.onnx"
    path.write_bytes(model.SerializeToString())
    return path


def quiet():
    options = ort.SessionOptions()
    options.log_severity_level = 4
    return options


def test_the_cpu_is_the_default_and_can_be_asked_for():
    made = artifact("onnx-int8")
    for provider in (None, "cpu"):
        with open_session(made, 1, provider=provider) as session:
            assert session.facts.device == "cpu"


@pytest.mark.parametrize(
    ("name", "remedy"),
    [
        ("cuda", "pip install onnxruntime-gpu, in place of onnxruntime"),
        ("tensorrt", "pip install onnxruntime-gpu"),
        ("openvino", "pip install onnxruntime-openvino"),
        ("coreml", "on a Mac"),
        ("xnnpack", "--use_xnnpack"),
    ],
)
def test_a_provider_that_this_build_lacks_is_an_error_with_its_remedy(name, remedy):
    if PROVIDERS[name].name in ort.get_available_providers():
        pytest.skip(f"this onnxruntime has {name}")
    with pytest.raises(InferenceError, match=f"has no {name} provider.*{remedy}"):
        open_session(artifact("onnx-int8"), 1, provider=name)


def test_an_unknown_provider_is_an_error_with_the_nearest():
    with pytest.raises(UnknownNameError, match="did you mean 'cuda'"):
        open_session(artifact("onnx-int8"), 1, provider="cude")


def test_names_are_onnx_runtimes_own():
    known = {*ort.get_all_providers(), "QNNExecutionProvider"}
    assert {provider.name for provider in PROVIDERS.values()} <= known


def test_a_provider_that_does_not_start_is_an_error(half_supported, monkeypatch):
    """ONNX Runtime warns and goes on with the CPU; here it is made to seem to have CUDA."""
    if "CUDAExecutionProvider" in ort.get_available_providers():
        pytest.skip("this onnxruntime has CUDA")
    available = [*ort.get_available_providers(), "CUDAExecutionProvider"]
    monkeypatch.setattr(onnx_providers.ort, "get_available_providers", lambda: available)
    with (
        pytest.warns(UserWarning, match="not in available provider names"),
        pytest.raises(InferenceError, match=r"cuda was asked for, but .* fell back to CPU"),
    ):
        start(half_supported, quiet(), "cuda")


def test_a_provider_that_takes_nothing_is_an_error(monkeypatch):
    """Azure's is in every wheel and takes only operators of its own."""
    azure = "AzureExecutionProvider"
    if azure not in ort.get_available_providers():
        pytest.skip("this onnxruntime has no such provider")
    monkeypatch.setitem(onnx_providers.PROVIDERS, "azure", Provider(azure, "everywhere"))
    with pytest.raises(InferenceError, match=r"azure .* takes none of the \d+ products"):
        open_session(artifact("onnx-int8"), 1, provider="azure")


def test_a_provider_that_takes_a_part_says_how_much(half_supported):
    pytest.importorskip("onnxruntime_qnn", reason="its simulator is the accelerator here")
    session = start(half_supported, quiet(), "qnn")
    assert device_of([session], "qnn") == "qnn (1 of 2 nodes)"
    x = np.eye(4, dtype=np.float32)
    assert session.run(None, {"x": x})[0].shape == (2, 4)


def test_graphs_of_any_length_are_not_for_the_htp():
    """Qualcomm's compiler wants fixed shapes, which --target qualcomm gives."""
    pytest.importorskip("onnxruntime_qnn", reason="its simulator is the accelerator here")
    with pytest.raises(InferenceError, match=r"none of the \d+ products.*--target qualcomm"):
        open_session(artifact("onnx-int8"), 1, provider="qnn")

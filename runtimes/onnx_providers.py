"""ONNX Runtime's execution providers: asked for by a short name, and held to it.

ONNX Runtime runs on the CPU what its provider does not take, or everything where the provider does
not start, and says so at most in a log. Here what was asked for is compared with what came.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import onnxruntime as ort

from ..edge.errors import InferenceError, MissingDependencyError, UnknownNameError

CPU = "CPUExecutionProvider"
# Since ONNX Runtime 1.24 a session can say which provider took which nodes.
RECORD_PLACEMENT = "session.record_ep_graph_assignment_info"
PLACEMENT = "get_provider_graph_assignment_info"
# What the names of operators that do the work have in them.
PRODUCTS = ("MatMul", "Gemm", "Conv", "Attention")


@dataclass(frozen=True)
class Provider:
    """One way of ONNX Runtime's to run a graph.

    Attributes:
        name: ONNX Runtime's own.
        source: Where a build that has it comes from.
        before: Providers that take what this one leaves, in front of the CPU's.
    """

    name: str
    source: str
    before: tuple[str, ...] = ()


PROVIDERS: Mapping[str, Provider] = {
    "cpu": Provider(CPU, "pip install onnxruntime"),
    "cuda": Provider(
        "CUDAExecutionProvider", "pip install onnxruntime-gpu, in place of onnxruntime"
    ),
    "tensorrt": Provider(
        "TensorrtExecutionProvider",
        "pip install onnxruntime-gpu, in place of onnxruntime (on a Jetson NVIDIA's wheel)",
        before=("CUDAExecutionProvider",),
    ),
    "openvino": Provider(
        "OpenVINOExecutionProvider", "pip install onnxruntime-openvino, in place of onnxruntime"
    ),
    "coreml": Provider("CoreMLExecutionProvider", "pip install onnxruntime on a Mac"),
    "xnnpack": Provider("XnnpackExecutionProvider", "build ONNX Runtime with --use_xnnpack"),
    "qnn": Provider("QNNExecutionProvider", "pip install 'whisperq-edge[qualcomm]'"),
}


def provider_named(name: str) -> Provider:
    """The row of a provider, if this ONNX Runtime has it.

    Raises:
        UnknownNameError: There is no such name.
        InferenceError: It is not in this build; says where to get one that has it.
        MissingDependencyError: It is a package of its own, which is not installed.
    """
    if name not in PROVIDERS:
        raise UnknownNameError("execution provider", name, PROVIDERS)
    provider = PROVIDERS[name]
    if name == "qnn":
        register_qnn()
    available = ort.get_available_providers()
    if provider.name not in available:
        raise InferenceError(
            f"this onnxruntime {ort.__version__} has no {name} provider, "
            f"only {', '.join(available)}; {provider.source}"
        )
    return provider


def register_qnn() -> Any:  # noqa: ANN401 - a module
    """Make Qualcomm's plug-in known to ONNX Runtime, once.

    Returns:
        Its package, which knows where its libraries lie.

    Raises:
        MissingDependencyError: It is not installed.
    """
    try:
        import onnxruntime_qnn
    except ModuleNotFoundError:
        raise MissingDependencyError(
            "onnxruntime-qnn", "qualcomm", "Qualcomm's execution provider"
        ) from None
    name = PROVIDERS["qnn"].name
    if name not in ort.get_available_providers():
        ort.register_execution_provider_library(name, onnxruntime_qnn.get_library_path())
    return onnxruntime_qnn


def start(path: Path, options: Any, name: str) -> Any:  # noqa: ANN401 - onnxruntime is untyped
    """A session of one graph on a provider.

    Args:
        path: The graph.
        options: ONNX Runtime's SessionOptions; changed.
        name: A short name of ``PROVIDERS``.

    Raises:
        UnknownNameError: There is no such name.
        InferenceError: This build does not have it, or it did not start.
    """
    provider = provider_named(name)
    if provider.name == CPU:
        return ort.InferenceSession(path, options, providers=[CPU])
    options.add_session_config_entry(RECORD_PLACEMENT, "1")
    if name == "qnn":
        add_htp(options)
        session = ort.InferenceSession(path, options)
    else:
        session = ort.InferenceSession(path, options, [provider.name, *provider.before, CPU])
    if provider.name not in session.get_providers():
        raise InferenceError(
            f"{path.name}: {name} was asked for, but ONNX Runtime fell back to "
            f"{', '.join(session.get_providers())}; its log says why"
        )
    return session


def add_htp(options: Any, **more: str) -> None:  # noqa: ANN401
    """Ask for Qualcomm's HTP.

    Raises:
        InferenceError: Its plug-in finds no device.
    """
    package = register_qnn()
    name = PROVIDERS["qnn"].name
    devices = [device for device in ort.get_ep_devices() if device.ep_name == name]
    if not devices:
        raise InferenceError("onnxruntime-qnn finds no HTP here; is Qualcomm's driver installed?")
    settings = {"backend_path": package.get_qnn_htp_path(), **more}
    options.add_provider_for_devices(devices, settings)


def device_of(sessions: Iterable[Any], name: str) -> str:
    """What sessions really run on: the provider, and its share where that is not all.

    Args:
        sessions: As ``start`` gave them.
        name: The provider that was asked for.

    Raises:
        InferenceError: The provider took nothing that matters: all products run on the CPU.
    """
    provider = PROVIDERS[name]
    if provider.name == CPU or not hasattr(ort.InferenceSession, PLACEMENT):
        return name
    wanted = (provider.name, *provider.before)
    nodes: Counter[bool] = Counter()
    products: Counter[bool] = Counter()
    for session in sessions:
        for part in getattr(session, PLACEMENT)():
            taken, kinds = part.ep_name in wanted, [node.op_type for node in part.get_nodes()]
            nodes[taken] += len(kinds)
            products[taken] += sum(any(word in kind for word in PRODUCTS) for kind in kinds)
    if not products[True]:
        hint = "; for Qualcomm's HTP export with --target qualcomm" if name == "qnn" else ""
        raise InferenceError(
            f"{name} was asked for, but takes none of the {products.total()} products: "
            f"they would run on the CPU{hint}"
        )
    return name if not nodes[False] else f"{name} ({nodes[True]} of {nodes.total()} nodes)"

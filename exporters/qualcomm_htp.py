"""Qualcomm's HTP compiler, which onnxruntime-qnn brings: does it take a graph whole?"""

from __future__ import annotations

import platform
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import onnxruntime as ort
import onnxruntime_qnn

from ..edge.errors import ExportError
from ..edge.native_output import native_output_to_stderr
from .qualcomm_socs import Soc

PROVIDER = "QNNExecutionProvider"
CHECKED_SOC = Soc(57, 75)  # where no other is asked for; Snapdragon 8 Gen 3
TRACE = "qnn_op_trace.json"
_NOTHING_BELOW_FATAL = 4  # ONNX Runtime's log severity: what fails is told in the error


class _Node(msgspec.Struct):
    node_name: str
    op_type: str
    reason: str = ""


class _Trace(msgspec.Struct):
    """What is used of the compiler's account of a graph."""

    unsupported_nodes: list[_Node]


def can_compile() -> bool:
    """Whether the compiler runs here: it is in the package for Linux on x86-64."""
    return sys.platform == "linux" and platform.machine() == "x86_64"


def check_placement(path: Path) -> None:
    """Compile a graph with the fallback to the CPU forbidden.

    Raises:
        ExportError: Names the nodes that the HTP does not take.
    """
    with tempfile.TemporaryDirectory(prefix="htp-") as traces:
        settings = {"enable_framework_op_trace": "1", "framework_op_trace_dir": traces}
        try:
            _session(path, CHECKED_SOC, settings)
        except Exception as error:  # onnxruntime's exceptions have no base of their own
            left = _unsupported(Path(traces))
            raise ExportError(f"{path.name}: the HTP does not take {left or error}") from error
        if left := _unsupported(Path(traces)):
            raise ExportError(f"{path.name}: the HTP does not take {left}")


def write_context(path: Path, soc: Soc, output: Path) -> None:
    """Compile a graph for one chip, to be loaded there without compiling.

    Args:
        path: The graph.
        soc: The chip.
        output: The file; its binary is written beside it.

    Raises:
        ExportError: It does not compile.
    """
    output.parent.mkdir(parents=True, exist_ok=True)
    entries = {
        "ep.context_enable": "1",
        "ep.context_embed_mode": "0",
        "ep.context_file_path": str(output),
    }
    try:
        _session(path, soc, {}, entries)
    except Exception as error:  # as above
        raise ExportError(
            f"{path.name} does not compile for {output.parent.name}: {error}"
        ) from error


def _session(
    path: Path, soc: Soc, settings: Mapping[str, str], entries: Mapping[str, str] | None = None
) -> Any:  # noqa: ANN401 - onnxruntime is untyped
    with native_output_to_stderr():
        return _compiled(path, soc, settings, entries or {})


def _compiled(path: Path, soc: Soc, settings: Mapping[str, str], entries: Mapping[str, str]) -> Any:  # noqa: ANN401
    if PROVIDER not in ort.get_available_providers():
        ort.register_execution_provider_library(PROVIDER, onnxruntime_qnn.get_library_path())
    options = ort.SessionOptions()
    options.log_severity_level = _NOTHING_BELOW_FATAL
    options.add_session_config_entry("session.disable_cpu_ep_fallback", "1")
    for key, value in entries.items():
        options.add_session_config_entry(key, value)
    devices = [device for device in ort.get_ep_devices() if device.ep_name == PROVIDER]
    backend = {"backend_path": onnxruntime_qnn.get_qnn_htp_path(), "soc_model": str(soc.model)}
    options.add_provider_for_devices(devices, {**backend, **settings})
    return ort.InferenceSession(path, options)


def _unsupported(traces: Path) -> str:
    """The nodes that the compiler left, in words; empty if it took all."""
    nodes = []
    for path in traces.rglob("*.json"):
        nodes += msgspec.json.decode(path.read_bytes(), type=_Trace).unsupported_nodes
    return "; ".join(f"{node.node_name} ({node.op_type}): {node.reason}" for node in nodes)

"""Open an artifact with one inference library, behind the Session interface.

The table below is all there is to registering a runtime: the target it opens, and its Runtime.
"""

from __future__ import annotations

import importlib
import os
import sys

from ..edge.artifact import Artifact
from ..edge.errors import UnknownNameError
from ..edge.privacy import keep_private
from ..edge.types import Session
from .runtime import Runtime, SessionOptions

keep_private()  # nothing of ours imports a runtime's library before this package

RUNTIMES = {
    "onnx": "run_onnx:OnnxRuntime",
    "openvino": "run_openvino:OpenvinoRuntime",
    "qualcomm": "run_qualcomm:QualcommRuntime",
    "tflite": "run_tflite:TfliteRuntime",
    "coreml": (
        "run_coreml:CoremlRuntime"
        if sys.platform == "darwin"
        else "run_coreml_reference:CoremlReferenceRuntime"
    ),
    "ggml": "run_ggml:GgmlRuntime",
}

__all__ = ["RUNTIMES", "Runtime", "SessionOptions", "load_runtime", "open_session"]


def open_session(
    artifact: Artifact,
    threads: int | None = None,
    *,
    decoder: str | None = None,
    device: str | None = None,
    provider: str | None = None,
) -> Session:
    """Load an artifact.

    Args:
        artifact: As read by ``Artifact.read``.
        threads: Compute threads; None for every core that this process may use.
        decoder: The decoder graph to use, where the artifact has several; None for the one that
            is fastest on this machine.
        device: Where to run, in the library's own words; None for its default here.
        provider: ONNX Runtime's execution provider, such as "cuda"; None for the CPU's.

    Raises:
        UnknownNameError: No runtime opens this target.
        MissingDependencyError: The library is not installed.
        ArtifactError: The library refuses a graph.
        InferenceError: There is no such device or provider here.
    """
    options = SessionOptions(threads or usable_cores(), decoder, device, provider)
    runtime = load_runtime(artifact.manifest.target)
    runtime.check(options)
    return runtime.open(artifact, options)


def load_runtime(target: str) -> Runtime:
    """The runtime of a target, its library loaded.

    Raises:
        UnknownNameError: No runtime opens this target.
        MissingDependencyError: The library is not installed.
    """
    if target not in RUNTIMES:
        raise UnknownNameError("target", target, RUNTIMES)
    module_name, class_name = RUNTIMES[target].split(":")
    module = importlib.import_module(f".{module_name}", __package__)
    runtime: Runtime = getattr(module, class_name)()
    return runtime


def usable_cores() -> int:
    """Cores that this process may run on, containers and ``taskset`` respected."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1

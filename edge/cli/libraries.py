"""Whether the libraries are there and can be loaded: for ``doctor``.

A library built for another processor kills the process that imports it, so each is imported in
one of its own.
"""

from __future__ import annotations

import importlib.util
import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import metadata

PROBE_TIMEOUT_S = 120


@dataclass(frozen=True)
class Library:
    """One that the package imports somewhere.

    Attributes:
        module: What is imported.
        distribution: What pip installs.
        extra: Of this package, that brings it; None if the package cannot run without it.
        system_package: Debian's, with a C library that its wheel may come without.
    """

    module: str
    distribution: str
    extra: str | None = None
    system_package: str | None = None


LIBRARIES = (
    Library("numpy", "numpy"),
    Library("onnxruntime", "onnxruntime"),
    Library("soundfile", "soundfile", system_package="libsndfile1"),
    Library("soxr", "soxr"),
    Library("tokenizers", "tokenizers"),
    Library("huggingface_hub", "huggingface_hub"),
    Library("safetensors", "safetensors", "verify"),
    Library("jiwer", "jiwer", "verify"),
    Library("threadpoolctl", "threadpoolctl", "verify"),
    Library("onnx", "onnx", "onnx"),
    Library("openvino", "openvino", "openvino"),
    Library("ai_edge_litert", "ai-edge-litert", "tflite"),
    Library("flatbuffers", "flatbuffers", "tflite"),
    Library("coremltools", "coremltools", "coreml"),
    Library("onnxruntime_qnn", "onnxruntime-qnn", "qualcomm"),
    Library("sounddevice", "sounddevice", "mic", system_package="libportaudio2"),
)


@dataclass(frozen=True)
class LibraryState:
    """What was found of one library.

    Attributes:
        name: The distribution.
        version: None if it is not installed.
        extra: The extra that brings it; None if the package cannot run without it.
        problem: Why it cannot be used; None if it can, or if it is optional and absent.
    """

    name: str
    version: str | None
    extra: str | None
    problem: str | None


def probe(library: Library) -> LibraryState:
    """Look for a library and import it in a process of its own."""
    if importlib.util.find_spec(library.module) is None:
        missing = None if library.extra else "not installed"
        return LibraryState(library.distribution, None, library.extra, missing)
    private = "from whisperq_edge.edge.privacy import keep_private; keep_private()"
    problem = failure(["-c", f"{private}; import {library.module}"])
    if problem and problem.startswith("OSError") and library.system_package:
        problem = f"{problem}; run: sudo apt-get install {library.system_package}"
    try:
        version = metadata.version(library.distribution)
    except metadata.PackageNotFoundError:
        version = "unknown"
    return LibraryState(library.distribution, version, library.extra, problem)


def failure(arguments: Sequence[str]) -> str | None:
    """Run Python with these arguments; why it failed, or None if it did not."""
    try:
        run = run_python(arguments)
    except subprocess.TimeoutExpired:
        return f"did not finish within {PROBE_TIMEOUT_S} s"
    if run.returncode < 0:
        return f"killed by {signal.Signals(-run.returncode).name}"
    last = run.stderr.strip().splitlines()[-1:]
    return None if run.returncode == 0 else (last or [f"exit status {run.returncode}"])[0]


def run_python(arguments: Sequence[str]) -> subprocess.CompletedProcess[str]:
    """Run this Python with these arguments, its output kept.

    Raises:
        TimeoutExpired: It takes longer than any import should.
    """
    return subprocess.run(
        [sys.executable, *arguments],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=PROBE_TIMEOUT_S,
        check=False,
    )

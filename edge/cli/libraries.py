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

from .wheels import Interpreter, no_wheel, this_interpreter

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

    @property
    def pip_command(self) -> str:
        """What installs it, and all that belongs to it."""
        return (
            f"pip install 'whisperq-edge[{self.extra}]'"
            if self.extra
            else "pip install whisperq-edge"
        )


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
    Library("_pywhispercpp", "pywhispercpp", "ggml"),
    Library("whisper_normalizer", "whisper-normalizer", "evaluate"),
    Library("datasets", "datasets", "datasets"),
    Library("distributed", "distributed", "cluster"),
    Library("sounddevice", "sounddevice", "mic", system_package="libportaudio2"),
    Library("matplotlib", "matplotlib", "report"),
    Library("jinja2", "jinja2", "report"),
    Library("asyncssh", "asyncssh", "ssh"),
)


@dataclass(frozen=True)
class LibraryState:
    """What was found of one library.

    Attributes:
        name: The distribution.
        version: None if it is not installed.
        extra: The extra that brings it; None if the package cannot run without it.
        problem: Why it cannot be used; None if it can, or if it is optional and absent.
        remedy: What to run, or what to use in its place; None if it works or nobody knows.
    """

    name: str
    version: str | None
    extra: str | None
    problem: str | None
    remedy: str | None = None


def probe(library: Library, here: Interpreter | None = None) -> LibraryState:
    """Look for a library and import it in a process of its own.

    Args:
        library: Which.
        here: What wheels have to fit; None for this interpreter.
    """
    if importlib.util.find_spec(library.module) is None:
        missing = None if library.extra else "not installed"
        instead = no_wheel(library.distribution, here or this_interpreter())
        how = instead or f"run: {library.pip_command}"
        return LibraryState(library.distribution, None, library.extra, missing, how)
    private = "from whisperq_edge.edge.privacy import keep_private; keep_private()"
    problem = failure(["-c", f"{private}; import {library.module}"])
    try:
        version = metadata.version(library.distribution)
    except metadata.PackageNotFoundError:
        version = "unknown"
    remedy = _remedy(library, problem) if problem else None
    return LibraryState(library.distribution, version, library.extra, problem, remedy)


def _remedy(library: Library, problem: str) -> str | None:
    if problem.startswith("OSError") and library.system_package:
        return f"run: sudo apt-get install {library.system_package}"
    if problem.endswith("SIGILL"):
        # An older wheel may have been built for older processors; which one, nobody lists.
        return "its wheel needs instructions that this processor has not; try an older version"
    if problem.startswith(("ImportError", "ModuleNotFoundError")):
        return f"run: pip install --force-reinstall '{library.distribution}'"
    return None


def failure(arguments: Sequence[str]) -> str | None:
    """Run Python with these arguments; why it failed, or None if it did not."""
    try:
        run = run_python(arguments)
    except subprocess.TimeoutExpired:
        return f"did not finish within {PROBE_TIMEOUT_S} s"
    return failure_of(run)


def failure_of(run: subprocess.CompletedProcess[str]) -> str | None:
    """Why a program failed: its last line, if it had one; None if it did not."""
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

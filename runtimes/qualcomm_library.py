"""Load Qualcomm graphs: on the CPU for a look, on the HTP or its simulator for real."""

from __future__ import annotations

import platform
from pathlib import Path
from typing import Any

import onnxruntime as ort

from ..edge.artifact import Artifact
from ..edge.errors import ArtifactError, InferenceError, WhisperqError
from ..edge.native_output import native_output_to_stderr
from .onnx_providers import CPU, add_htp, register_qnn
from .runtime import SessionOptions

_ERRORS_ONLY = 3  # ONNX Runtime's log severity
CONTEXTS = "contexts"  # of the artifact: graphs compiled for one chip each
CPU_DEVICE, HTP_DEVICE = "CPU", "HTP"
SIMULATED_SOC = "57"  # Snapdragon 8 Gen 3, where no driver says what the chip is
# What cannot run on the HTP is an error: the CPU would compute it without a word.
NO_FALLBACK = "session.disable_cpu_ep_fallback"
# Otherwise ONNX Runtime puts kernels of its own, which round elsewhere, in place of the float
# operators between two grids.
NO_QDQ_KERNELS = "session.disable_quant_qdq"


class QualcommLibrary:
    """Where an artifact's graphs are run.

    Args:
        artifact: Of the target qualcomm.
        options: ``device`` is "CPU", "HTP" or a chip that the artifact has contexts for.

    Raises:
        InferenceError: There is no such device here.
        MissingDependencyError: The HTP needs onnxruntime-qnn, which is not installed.
    """

    def __init__(self, artifact: Artifact, options: SessionOptions) -> None:
        default = HTP_DEVICE if options.provider == "qnn" else CPU_DEVICE
        device = options.device or default
        compiled = artifact.folder / CONTEXTS
        chips = sorted(path.name for path in compiled.iterdir()) if compiled.is_dir() else []
        choices = [CPU_DEVICE, HTP_DEVICE, *chips]
        self._device = device.upper()
        if self._device not in choices:
            raise InferenceError(f"there is no device {device} here; use {', '.join(choices)}")
        if self._device == CPU_DEVICE and options.provider == "qnn":
            raise InferenceError("--ep qnn is the HTP, not --device CPU; leave one of them out")
        self._folder = compiled / self._device if self._device in chips else artifact.folder
        self._threads = options.threads

    @property
    def device(self) -> str:
        """What computes: "cpu", "htp", or "htp simulator" where there is no such processor."""
        if self._device == CPU_DEVICE:
            return "cpu"
        return "htp simulator" if _simulates() else "htp"

    @property
    def version(self) -> str:
        """Of ONNX Runtime and, where it computes, Qualcomm's part."""
        if self._device == CPU_DEVICE:
            return str(ort.__version__)
        return f"{ort.__version__}, onnxruntime-qnn {register_qnn().__version__}"

    def load(self, file: str) -> Any:  # noqa: ANN401 - onnxruntime is untyped
        """One graph of the artifact, or what was compiled of it.

        Raises:
            ArtifactError: The library refuses it, or it does not run on the device whole.
        """
        return start(self._folder / file, self._threads, on_htp=self._device != CPU_DEVICE)


def start(path: Path, threads: int, *, on_htp: bool) -> Any:  # noqa: ANN401
    """A session of one graph.

    Raises:
        ArtifactError: The library refuses it, or the HTP does not take it whole.
    """
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = _ERRORS_ONLY
    options.enable_cpu_mem_arena = False  # which keeps the largest window's attention for good
    try:
        if not on_htp:
            options.add_session_config_entry(NO_QDQ_KERNELS, "1")
            return ort.InferenceSession(path, options, providers=[CPU])
        options.add_session_config_entry(NO_FALLBACK, "1")
        add_htp(options, **({"soc_model": SIMULATED_SOC} if _simulates() else {}))
        with native_output_to_stderr():
            return ort.InferenceSession(path, options)
    except WhisperqError:
        raise
    except Exception as error:  # onnxruntime's exceptions have no base of their own
        raise ArtifactError(f"{path}: onnxruntime {ort.__version__} refuses it: {error}") from error


def _simulates() -> bool:
    return platform.machine().lower() in ("x86_64", "amd64")

"""What every session of ONNX Runtime does with the library: load a graph, translate errors."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime as ort

from ..edge.errors import ArtifactError, InferenceError, WhisperqError
from .onnx_providers import start

_ERRORS_ONLY = 3  # ONNX Runtime's log severity


def load(
    path: Path,
    threads: int,
    provider: str = "cpu",
) -> Any:  # noqa: ANN401 - onnxruntime is untyped
    """Load a graph.

    Args:
        path: The graph.
        threads: Compute threads.
        provider: What is to run it, a name in ``onnx_providers.PROVIDERS``.

    Raises:
        ArtifactError: The library refuses it.
        InferenceError: There is no such provider here, or it does not start.
    """
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = _ERRORS_ONLY
    try:
        return start(path, options, provider)
    except WhisperqError:
        raise
    except Exception as error:  # onnxruntime's exceptions have no base of their own
        raise ArtifactError(f"{path}: onnxruntime {ort.__version__} refuses it: {error}") from error


@contextmanager
def translated(part: str) -> Iterator[None]:
    """Turn the library's exceptions into InferenceError; ``part`` says where they came from."""
    try:
        yield
    except Exception as error:  # as above
        raise InferenceError(f"onnxruntime failed in the {part}: {error}") from error


def numpy_type(value: Any) -> np.dtype[Any]:  # noqa: ANN401
    """The type of a graph's input, such as ``tensor(float16)``, as NumPy's."""
    name = value.type.removeprefix("tensor(").removesuffix(")")
    found: np.dtype[Any] = np.dtype({"float": "float32", "double": "float64"}.get(name, name))
    return found

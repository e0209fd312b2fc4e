"""TFLite's interpreter from whichever package is installed, and its errors in our words.

``ai-edge-litert`` is what TFLite is called today. Boards whose Python it has no wheel for, those of
32 bits among them, have ``tflite-runtime``, whose last release is 2.14; the interpreter is the
same.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path
from typing import Any

from ..edge.errors import ArtifactError, InferenceError

try:
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    LIBRARY = "ai-edge-litert"
except ModuleNotFoundError:
    from tflite_runtime.interpreter import Interpreter, OpResolverType

    LIBRARY = "tflite-runtime"

VERSION = metadata.version(LIBRARY)
IS_LITERT = LIBRARY == "ai-edge-litert"
BLOCKS_SINCE = (2, 1)  # ai-edge-litert 1.4 takes int4 in blocks, and gives noise
MULTIPLIES_BLOCKS = IS_LITERT and tuple(map(int, VERSION.split(".")[:2])) >= BLOCKS_SINCE
# The XNNPACK in tflite-runtime does not multiply int8, and once a window has another length keeps
# memory for every tensor of the encoder: four times as much. Its own kernels do neither.
KERNELS = OpResolverType.AUTO if IS_LITERT else OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES


def load(path: Path, threads: int) -> Any:  # noqa: ANN401 - the interpreter is untyped
    """An interpreter of the file, which it maps into memory.

    Raises:
        ArtifactError: The library refuses it.
    """
    try:
        return Interpreter(
            model_path=str(path), num_threads=threads, experimental_op_resolver_type=KERNELS
        )
    except (ValueError, RuntimeError) as error:
        line = " ".join(str(error).split())
        raise ArtifactError(f"{path}: {LIBRARY} {VERSION} refuses it: {line}") from error


@contextmanager
def translated(part: str) -> Iterator[None]:
    """Turn the library's errors into ours."""
    try:
        yield
    except (ValueError, RuntimeError) as error:
        line = " ".join(str(error).split())
        raise InferenceError(f"{LIBRARY} failed in the {part}: {line}") from error

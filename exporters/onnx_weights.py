"""The weights of an ONNX artifact: one safetensors file that both graphs map as external data.

Readable without ONNX, so that the reference runs on the very bytes that the graphs use. A matrix
is stored as its operator takes it:

    NAME.values  int8 (n_in, n_out)             MatMulInteger; scales in NAME.scales, (n_out,)
    NAME.blocks  uint8 (n_out, n_blocks, bytes) MatMulNBits; scales likewise, (n_out, n_blocks)
    NAME.weight  fp32 or fp16 (n_in, n_out)     MatMul

Per-channel int8 is ``values`` where many rows are multiplied at once, and ``blocks`` with one scale
repeated where a single token is: each is the faster there. Vectors and tables keep their name. The
header's metadata holds ``n_in`` of each blocked matrix, whose last block is padded.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..edge.artifact import Manifest
from ..edge.errors import ArtifactError, ExportError, MissingDependencyError
from ..edge.types import Precision
from ..models.parameters import Parameters
from ..models.quantize import (
    PER_CHANNEL,
    Matrix,
    QuantizedTensor,
    floats_of,
    part_of,
    precision_of,
)

WEIGHTS_FILE = "weights.safetensors"
INT4_ZERO, INT8_ZERO = 8, 128  # MatMulNBits holds unsigned integers around these


def pack(parameters: Parameters, *, portable: bool) -> dict[str, NDArray[Any]]:
    """Every array of the file, by name.

    Args:
        parameters: Of the model.
        portable: Keep per-channel int8 in the form of standard operators throughout.
    """
    arrays: dict[str, NDArray[Any]] = dict(parameters.vectors)
    for name, matrix in parameters.matrices.items():
        arrays.update(_stored(name, matrix, portable or part_of(name) == "encoder"))
    return arrays


def _stored(name: str, matrix: Matrix, by_columns: bool) -> Iterator[tuple[str, NDArray[Any]]]:
    if not isinstance(matrix, QuantizedTensor):
        yield f"{name}.weight", np.ascontiguousarray(floats_of(matrix).T)
    elif matrix.precision == PER_CHANNEL and by_columns:
        yield f"{name}.values", np.ascontiguousarray(matrix.values.T)
        yield f"{name}.scales", matrix.scales[:, 0]
    else:
        blocks = _pack(matrix)
        yield f"{name}.blocks", blocks
        yield f"{name}.scales", np.broadcast_to(matrix.scales, blocks.shape[:2]).copy()


def save(
    folder: Path, parameters: Parameters, arrays: dict[str, NDArray[Any]]
) -> dict[str, tuple[int, int]]:
    """Write every array of ``pack(parameters)``.

    Returns:
        Where each array lies in the file: its offset and length in bytes.

    Raises:
        ExportError: The disk is full or refuses.
    """
    library = _safetensors()
    metadata = {
        f"n_in:{name}": str(matrix.values.shape[1])  # type: ignore[union-attr]
        for name, matrix in parameters.matrices.items()
        if f"{name}.blocks" in arrays
    }
    path = folder / WEIGHTS_FILE
    try:
        library.save_file(arrays, path, {"format": "whisperq-edge", **metadata})
    except (OSError, library.SafetensorError) as error:
        raise ExportError(f"cannot write {path.name}: {error}") from error
    # The library writes owner-only; an artifact is shared like any other file.
    path.chmod(0o644)
    return _offsets(path)


def _offsets(path: Path) -> dict[str, tuple[int, int]]:
    with path.open("rb") as file:
        n_header = int.from_bytes(file.read(8), "little")
        header = json.loads(file.read(n_header))
    header.pop("__metadata__", None)
    spans = {name: entry["data_offsets"] for name, entry in header.items()}
    return {name: (8 + n_header + start, end - start) for name, (start, end) in spans.items()}


def load(folder: Path, manifest: Manifest) -> Parameters:
    """Read every parameter back.

    Raises:
        ArtifactError: The file is missing, damaged, or not in the precision of the manifest.
    """
    path = folder / WEIGHTS_FILE
    try:
        with _safetensors().safe_open(path, framework="numpy") as file:
            metadata = file.metadata() or {}
            arrays = {name: file.get_tensor(name) for name in file.keys()}
    except (OSError, _safetensors().SafetensorError) as error:
        raise ArtifactError(f"{path} cannot be read: {error}") from error
    return restored(arrays, metadata, manifest, path)


def restored(
    arrays: dict[str, NDArray[Any]], metadata: Mapping[str, str], manifest: Manifest, path: Path
) -> Parameters:
    """The parameters behind the arrays of a file.

    Args:
        arrays: By name; used up.
        metadata: Holds ``n_in`` of each blocked matrix.
        manifest: Says the precisions.
        path: The file, for messages.

    Raises:
        ArtifactError: They are not in the precision of the manifest.
    """
    matrices: dict[str, Matrix] = {}
    for key in [key for key in arrays if key.endswith((".weight", ".values", ".blocks"))]:
        name, form = key.rsplit(".", 1)
        array, scales = arrays.pop(key), arrays.pop(f"{name}.scales", None)
        precision = precision_of(name, manifest.quantization)
        try:
            matrices[name] = _restored(form, array, scales, precision, metadata.get(f"n_in:{name}"))
        except (TypeError, ValueError) as error:
            raise ArtifactError(f"{path}: {name} is not {precision}") from error
    return Parameters(matrices, arrays)


def _restored(
    form: str,
    array: NDArray[Any],
    scales: NDArray[np.float32] | None,
    precision: Precision,
    n_in: str | None,
) -> Matrix:
    if form == "weight":
        return array.T
    if scales is None:
        raise ValueError("no scales")
    if form == "values":
        return QuantizedTensor(array.T, scales[:, None], precision)
    values = _unpack(array, precision)[:, : int(n_in or 0)]
    return QuantizedTensor(values, scales[:, :1] if precision.block is None else scales, precision)


def _pack(matrix: QuantizedTensor) -> NDArray[np.uint8]:
    n_out, n_in = matrix.values.shape
    block = matrix.kernel_block
    padded = np.pad(matrix.values, ((0, 0), (0, -n_in % block)))
    blocks = padded.reshape(n_out, -1, block).astype(np.int16)
    if matrix.precision.name == "int8":
        return (blocks + INT8_ZERO).astype(np.uint8)
    unsigned = (blocks + INT4_ZERO).astype(np.uint8)
    pairs: NDArray[np.uint8] = np.bitwise_or(unsigned[..., ::2], unsigned[..., 1::2] << 4)
    return pairs


def _unpack(blocks: NDArray[np.uint8], precision: Precision) -> NDArray[np.int8]:
    if precision.name == "int8":
        values = blocks.astype(np.int16) - INT8_ZERO
    else:
        values = np.stack([blocks & 15, blocks >> 4], axis=-1).astype(np.int16) - INT4_ZERO
    return values.astype(np.int8).reshape(blocks.shape[0], -1)


class _Library:
    """The two safetensors functions that are needed and their one exception."""

    def __init__(self) -> None:
        from safetensors import SafetensorError, safe_open
        from safetensors.numpy import save_file

        self.safe_open, self.save_file, self.SafetensorError = safe_open, save_file, SafetensorError


def _safetensors() -> _Library:
    try:
        return _Library()
    except ModuleNotFoundError:
        raise MissingDependencyError("safetensors", "onnx", "reading or writing weights") from None

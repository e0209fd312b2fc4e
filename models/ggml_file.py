"""whisper.cpp's file, read: what it holds, and the parameters that its tensors make up.

Little-endian throughout: the magic number, the dimensions and the type of the file, the mel
filters, the text tokens, then every tensor with its name.

Source: ggml-org/whisper.cpp ``src/whisper.cpp``, ``whisper_model_load``.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from ..edge.errors import ArtifactError
from ..edge.types import FloatArray, ModelDimensions, Precision, PrecisionName
from .ggml_blocks import BLOCK, FORMATS, unpack
from .ggml_tensors import is_matrix, tensor_names, tensor_shape
from .parameters import Parameters
from .quantize import CONVOLUTIONS, Matrix

MAGIC = 0x67676D6C  # "ggml"
QUANTIZATION_VERSION = 2  # of the blocks' layout; files of floats are of none
VERSION_FACTOR = 1000  # the type of a file is its version times this, and the type of its matrices


# The type of a file by the precision of its matrices: GGML_FTYPE_MOSTLY_... There are files of
# floats too, but whisper.cpp loads them and then ends the process at the first convolution.
FILE_TYPES: Mapping[PrecisionName, int] = {
    "fp16": 1,
    "q4_0": 2,
    "q4_1": 3,
    "q8_0": 7,
    "q5_0": 8,
    "q5_1": 9,
}
# The type of a tensor: GGML_TYPE_...
TENSOR_TYPES: Mapping[PrecisionName, int] = {
    "fp32": 0,
    "fp16": 1,
    "q4_0": 2,
    "q4_1": 3,
    "q5_0": 6,
    "q5_1": 7,
    "q8_0": 8,
}
_OF_FILES = {number: name for name, number in FILE_TYPES.items()}
_OF_TENSORS = {number: name for name, number in TENSOR_TYPES.items()}
HEADER = (
    "n_vocab",
    *("n_audio_ctx", "n_audio_state", "n_audio_head", "n_audio_layer"),
    *("n_text_ctx", "n_text_state", "n_text_head", "n_text_layer"),
    "n_mels",
)


class StoredTensor(NamedTuple):
    """One tensor of the file; ``shape`` is NumPy's, the last axis first in memory."""

    precision: PrecisionName
    shape: tuple[int, ...]
    data: NDArray[np.uint8]

    def floats(self) -> FloatArray | NDArray[np.float16]:
        """The values of a tensor of floats."""
        dtype = np.dtype("<f2" if self.precision == "fp16" else "<f4")
        return self.data.view(dtype).reshape(self.shape)


@dataclass(frozen=True)
class GgmlFile:
    """What a file holds.

    Attributes:
        path: Where it lies.
        dimensions: Of the model.
        precision: Of its matrices.
        tokens: The bytes of each text token, by id.
        tensors: By name, mapped into memory.
    """

    path: Path
    dimensions: ModelDimensions
    precision: PrecisionName
    tokens: tuple[bytes, ...]
    tensors: Mapping[str, StoredTensor]

    @classmethod
    def read(cls, path: Path) -> GgmlFile:
        """Read a file's structure; its tensors are read when they are used.

        whisper.cpp believes what a file says of its lengths, so this is also what protects it.

        Raises:
            ArtifactError: It cannot be read, is not such a file, or ends too early.
        """
        try:
            data = np.memmap(path, np.uint8, "r")
        except (OSError, ValueError) as error:
            raise ArtifactError(f"{path} cannot be read: {error}") from error
        try:
            return _Reader(path, data).file()
        except (struct.error, ValueError, KeyError, OverflowError) as error:
            raise ArtifactError(f"{path} is not a file of whisper.cpp's: {error}") from error

    def parameters(self) -> Parameters:
        """Every parameter, bit for bit, under our names.

        Raises:
            ArtifactError: A tensor is missing, or of another shape or precision than it must be.
        """
        self.check()
        names = tensor_names(self.dimensions)
        matrices = {ours: self._matrix(ours, parts) for ours, parts in names.matrices.items()}
        vectors: dict[str, NDArray[np.float32] | NDArray[np.float16]] = {
            ours: self._vector(parts) for ours, parts in names.vectors.items()
        }
        return Parameters(matrices, vectors, scaled_queries=False)

    def check(self) -> None:
        """Hold the tensors against the dimensions.

        Raises:
            ArtifactError: One is missing, or of another shape or precision than it must be.
        """
        d = self.dimensions
        if min(msgspec.structs.astuple(d)) < 1 or d.n_audio_state != d.n_text_state:
            raise ArtifactError(f"{self.path}: there is no Whisper of these dimensions: {d}")
        if d.n_audio_state % d.n_audio_head or d.n_text_state % d.n_text_head:
            raise ArtifactError(f"{self.path}: there is no Whisper of these dimensions: {d}")
        names = tensor_names(d)
        parts = (*names.matrices.values(), *names.vectors.values())
        needed = {name for part in parts for name in part if name is not None}
        if wrong := sorted(needed ^ self.tensors.keys()):
            raise ArtifactError(f"{self.path}: {wrong[0]} is missing or unknown")
        for name, tensor in self.tensors.items():
            shape, precision = tensor_shape(name, d), tensor_precision(name, self.precision)
            if tensor.shape != shape or tensor.precision != precision:
                raise ArtifactError(
                    f"{self.path}: {name} is {tensor.precision} of {tensor.shape}, "
                    f"not {precision} of {shape}"
                )

    def _matrix(self, ours: str, parts: tuple[str, ...]) -> Matrix:
        stored = [self.tensors[name] for name in parts]
        if ours in CONVOLUTIONS:
            kernel = np.asarray(stored[0].floats())
            return np.ascontiguousarray(kernel.transpose(0, 2, 1).reshape(len(kernel), -1))
        if self.precision not in FORMATS:
            return np.concatenate([tensor.floats() for tensor in stored])
        precision = Precision(self.precision)
        n_out = sum(tensor.shape[0] for tensor in stored)
        data = np.concatenate([tensor.data for tensor in stored])
        return unpack(data, (n_out, stored[0].shape[1]), precision)

    def _vector(self, parts: tuple[str | None, ...]) -> FloatArray:
        stored = [None if name is None else self.tensors[name].floats() for name in parts]
        length = next(array.size for array in stored if array is not None)
        zeros = np.zeros(length, np.float32)
        arrays = [zeros if array is None else np.asarray(array, np.float32) for array in stored]
        # A convolution's bias has a second axis of one; the position tables have a true one.
        flat = [array[:, 0] if array.shape[-1] == 1 else array for array in arrays]
        return np.concatenate(flat)


class _Reader:
    """Goes through a file once, from its start to its end."""

    def __init__(self, path: Path, data: NDArray[np.uint8]) -> None:
        self._path, self._data, self._at = path, data, 0

    def file(self) -> GgmlFile:
        if self._integers(1)[0] != MAGIC:
            raise ValueError("it starts with another number")
        dimensions = ModelDimensions(**dict(zip(HEADER, self._integers(len(HEADER)), strict=True)))
        (kind,) = self._integers(1)
        n_mels, n_bins = self._integers(2)
        self._take(4 * n_mels * n_bins)
        tokens = tuple(
            self._take(self._integers(1)[0]).tobytes() for _ in range(*self._integers(1))
        )
        tensors = {}
        while self._at < len(self._data):
            name, tensor = self._tensor()
            tensors[name] = tensor
        if kind % VERSION_FACTOR not in _OF_FILES:
            raise ValueError(f"it is of type {kind}")
        return GgmlFile(self._path, dimensions, _OF_FILES[kind % VERSION_FACTOR], tokens, tensors)

    def _tensor(self) -> tuple[str, StoredTensor]:
        n_axes, name_length, kind = self._integers(3)
        shape = tuple(reversed(self._integers(n_axes)))
        name = self._take(name_length).tobytes().decode()
        if kind not in _OF_TENSORS:
            raise ValueError(f"{name} is of type {kind}")
        precision = _OF_TENSORS[kind]
        return name, StoredTensor(precision, shape, self._take(n_bytes(shape, precision)))

    def _integers(self, count: int) -> tuple[Any, ...]:
        if not 0 <= count <= len(HEADER):
            raise ValueError(f"a count is {count}")
        return struct.unpack(f"<{count}i", self._take(4 * count).tobytes())

    def _take(self, count: int) -> NDArray[np.uint8]:
        if not 0 <= count <= len(self._data) - self._at:
            raise ValueError("it ends too early")
        self._at += count
        return self._data[self._at - count : self._at]


def tensor_precision(name: str, precision: PrecisionName) -> PrecisionName:
    """What a tensor is stored as in a file whose matrices are of a precision."""
    if ".conv" in name and name.endswith(".weight"):
        return "fp16"
    return precision if is_matrix(name) else "fp32"


def n_bytes(shape: tuple[int, ...], precision: PrecisionName) -> int:
    """What a tensor takes in the file."""
    size = math.prod(shape)
    if precision in FORMATS:
        return size // BLOCK * FORMATS[precision].layout.itemsize
    return size * (2 if precision == "fp16" else 4)


def write_tensor_header(name: str, shape: tuple[int, ...], precision: PrecisionName) -> bytes:
    """What stands before a tensor's data."""
    spelt = name.encode()
    head = struct.pack("<3i", len(shape), len(spelt), TENSOR_TYPES[precision])
    return head + struct.pack(f"<{len(shape)}i", *reversed(shape)) + spelt

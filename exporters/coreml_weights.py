"""Parameters as constants of a Core ML program, and read back from a saved package.

A quantized matrix is the integers and scales of ``models/quantize.py``, or the indices and palettes
of ``models/palette.py``, under the operation by which Core ML makes floats of them:

    constexpr_affine_dequantize      int8, a scale per output channel; since iOS 16
    constexpr_blockwise_shift_scale  int4, a scale per block of inputs; since iOS 18
    constexpr_lut_to_dense           lut6, a palette per group of output channels; likewise

Everything else is a plain constant in the program's float type. A parameter's constant carries its
name, so that the saved program alone says which bytes are what.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from coremltools.converters.mil.mil import Builder as mb
from coremltools.converters.mil.mil import types
from coremltools.libmilstoragepython import _BlobStorageReader as BlobReader
from coremltools.proto import MIL_pb2 as mil
from coremltools.proto.Model_pb2 import Model
from google.protobuf.message import DecodeError  # type: ignore[import-untyped]
from numpy.typing import NDArray

from ..edge.artifact import Manifest
from ..edge.errors import ArtifactError
from ..edge.types import Precision
from ..models.palette import N_CENTROIDS, PaletteTensor
from ..models.parameters import Parameters
from ..models.quantize import Matrix, QuantizedTensor, floats_of, precision_of

MODEL_FILE = Path("Data/com.apple.CoreML/model.mlmodel")
WEIGHTS_FILE = Path("Data/com.apple.CoreML/weights/weight.bin")
VECTORS = ("bias", "gain", "shift", "positions")  # how the names of what is no matrix end
KERNEL = 3  # taps of both convolutions
PARTS = ("encoder_", "decoder_")  # how the names of parameters begin, and of no other constant

_Layout = Callable[[NDArray[Any]], NDArray[Any]]


def constant_name(parameter: str) -> str:
    """``encoder.0.attn_norm.gain`` without what Core ML forbids: ``encoder_0_attn__norm_gain``."""
    return parameter.replace("_", "__").replace(".", "_")


def parameter_name(constant: str) -> str:
    """The way back from ``constant_name``."""
    return "_".join(piece.replace("_", ".") for piece in constant.split("__"))


class Constants:
    """Adds parameters to the function that is being built, each once.

    Args:
        parameters: Of the model.
        dtype: What the program computes in.
    """

    def __init__(self, parameters: Parameters, dtype: type[np.floating[Any]]) -> None:
        self.parameters, self.dtype = parameters, dtype
        self._made: dict[str, Any] = {}

    def kernel(self, name: str, n_taps: int = 1) -> Any:  # noqa: ANN401 - a value of the program
        """The matrix ``name``, (n_out, n_taps * n_in), for a convolution over time.

        Returns:
            Shape (n_out, n_in, 1, n_taps).
        """
        return self._matrix(name, lambda matrix: _as_kernel(matrix, n_taps))

    def table(self, name: str) -> Any:  # noqa: ANN401
        """The matrix ``name`` as it is, (n_out, n_in)."""
        return self._matrix(name, lambda matrix: matrix)

    def vector(self, name: str) -> Any:  # noqa: ANN401
        """The vector ``name``, or a table of positions with one row a position."""
        return self.array(constant_name(name), self.parameters.vectors[name])

    def columns(self, name: str) -> Any:  # noqa: ANN401
        """A table of positions with one column a position: (1, n_state, 1, n_positions)."""
        table = self.parameters.vectors[name]
        return self.array(constant_name(name), np.ascontiguousarray(table.T)[None, :, None])

    def array(self, name: str, values: NDArray[Any]) -> Any:  # noqa: ANN401
        """A constant of floats that is no parameter; equal names must mean equal values."""
        if name not in self._made:
            self._made[name] = mb.const(val=values.astype(self.dtype, copy=False), name=name)
        return self._made[name]

    def _matrix(self, name: str, laid_out: _Layout) -> Any:  # noqa: ANN401
        key = constant_name(name)
        if key not in self._made:
            matrix = self.parameters.matrices[name]
            if isinstance(matrix, QuantizedTensor):
                self._made[key] = self._dequantized(key, matrix, laid_out)
            elif isinstance(matrix, PaletteTensor):
                self._made[key] = self._looked_up(key, matrix, laid_out)
            else:
                self.array(key, laid_out(floats_of(matrix)))
        return self._made[key]

    def _dequantized(self, key: str, matrix: QuantizedTensor, laid_out: _Layout) -> Any:  # noqa: ANN401
        scales = matrix.scales.astype(self.dtype)
        if matrix.precision.block is None:
            return mb.constexpr_affine_dequantize(
                quantized_data=laid_out(matrix.values),
                zero_point=np.int8(0),
                scale=np.ascontiguousarray(scales[:, 0]),
                axis=0,
                name=key,
            )
        values = laid_out(whole_blocks(matrix)).astype(types.np_int4_dtype)
        return mb.constexpr_blockwise_shift_scale(data=values, scale=laid_out(scales), name=key)

    def _looked_up(self, key: str, matrix: PaletteTensor, laid_out: _Layout) -> Any:  # noqa: ANN401
        indices = laid_out(matrix.indices).astype(types.np_uint6_dtype)
        centroids = matrix.centroids.astype(self.dtype)
        # A group spans whole rows; the last axis is for palettes of vectors.
        shape = (len(centroids), *(1,) * (indices.ndim - 1), N_CENTROIDS, 1)
        return mb.constexpr_lut_to_dense(indices=indices, lut=centroids.reshape(shape), name=key)


def whole_blocks(matrix: QuantizedTensor) -> NDArray[np.int8]:
    """The integers with zeros up to the end of the last block."""
    return np.pad(matrix.values, ((0, 0), (0, -matrix.values.shape[1] % matrix.block)))


def _as_kernel(matrix: NDArray[Any], n_taps: int) -> NDArray[Any]:
    taps = matrix.reshape(len(matrix), n_taps, -1)
    return np.ascontiguousarray(taps.transpose(0, 2, 1)[:, :, None])


def load(package: Path, manifest: Manifest) -> Parameters:
    """Read the parameters of one saved package back.

    Args:
        package: The ``.mlpackage``.
        manifest: Of the artifact that it belongs to.

    Raises:
        ArtifactError: The package is missing, damaged, or not in the precision of the manifest.
    """
    matrices: dict[str, Matrix] = {}
    vectors: dict[str, NDArray[Any]] = {}
    try:
        reader = _Reader(package)
        for name, operation in reader.parameters():
            if name.rsplit(".", 1)[-1] in VECTORS:
                vectors[name] = _from_columns(reader.array(operation.attributes["val"]))
            elif operation.type == "const":
                matrices[name] = _from_kernel(reader.array(operation.attributes["val"]))
            else:
                precision = precision_of(name, manifest.quantization)
                # Of all matrices only this one's inputs may end within a block.
                n_in = KERNEL * manifest.dimensions.n_mels if name == "encoder.conv1" else None
                matrices[name] = reader.quantized(operation, precision, n_in)
    except (OSError, RuntimeError, LookupError, ValueError, DecodeError) as error:
        raise ArtifactError(f"{package} cannot be read: {error}") from error
    return Parameters(matrices, vectors)


class _Reader:
    """One package, by way of coremltools' own classes."""

    def __init__(self, package: Path) -> None:
        spec = Model.FromString((package / MODEL_FILE).read_bytes())
        self._blobs = BlobReader(str(package / WEIGHTS_FILE))
        # Several functions share every parameter: the first has them all.
        function = next(iter(spec.mlProgram.functions.values()))
        self._operations = function.block_specializations[function.opset].operations

    def parameters(self) -> Iterator[tuple[str, Any]]:
        """The operations that make a parameter, under its name."""
        for operation in self._operations:
            constant = operation.outputs[0].name
            if constant.startswith(PARTS) and operation.type.startswith("const"):
                yield parameter_name(constant), operation

    def quantized(self, operation: Any, precision: Precision, n_in: int | None) -> Matrix:  # noqa: ANN401
        """What is under a matrix that Core ML makes when it loads the program."""
        if operation.type == "constexpr_lut_to_dense":
            given = operation.inputs
            indices, lut = (given[key].arguments[0].value for key in ("indices", "lut"))
            centroids = self.array(lut).astype(np.float32).reshape(-1, N_CENTROIDS)
            return PaletteTensor(_from_kernel(self.array(indices)), centroids, precision)
        if operation.type == "constexpr_affine_dequantize":
            given = operation.attributes
            values, scales = given["quantized_data"], given["scale"]
        else:
            given = operation.inputs
            values, scales = (given[key].arguments[0].value for key in ("data", "scale"))
        matrix = _from_kernel(self.array(values))[:, :n_in]
        spread = _from_kernel(self.array(scales)).astype(np.float32)
        return QuantizedTensor(matrix, spread.reshape(len(matrix), -1), precision)

    def array(self, value: Any) -> NDArray[Any]:  # noqa: ANN401
        """A stored value."""
        kind = value.type.tensorType
        shape = [dimension.constant.size for dimension in kind.dimensions]
        offset = value.blobFileValue.offset
        if kind.dataType == mil.FLOAT16:
            flat = self._blobs.read_fp16_data(offset).view(np.float16)
        elif kind.dataType == mil.FLOAT32:
            flat = self._blobs.read_float_data(offset)
        elif kind.dataType == mil.INT8:
            flat = self._blobs.read_int8_data(offset)
        elif kind.dataType == mil.INT4:
            flat = self._blobs.read_int4_data(offset).astype(np.int8)
        elif kind.dataType == mil.UINT6:
            flat = self._blobs.read_uint6_data(offset).astype(np.uint8)
        else:
            raise ValueError(f"a parameter has the type {mil.DataType.Name(kind.dataType)}")
        return np.asarray(flat).reshape(shape)


def _from_kernel(stored: NDArray[Any]) -> NDArray[Any]:
    if stored.ndim != 4:
        return stored
    return np.ascontiguousarray(stored[:, :, 0].transpose(0, 2, 1).reshape(len(stored), -1))


def _from_columns(stored: NDArray[Any]) -> NDArray[Any]:
    return np.ascontiguousarray(stored[0, :, 0].T) if stored.ndim == 4 else stored

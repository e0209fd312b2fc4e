"""How the kernels of each runtime round what they multiply with, for the reference to imitate."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from ..edge.types import ActivationRule, FloatArray
from .ggml_blocks import BLOCK, GgmlTensor
from .quantize import Matrix, QuantizedTensor


def round_to_uint8(x: FloatArray) -> FloatArray:
    """Round to the 256 steps between the tensor's extremes, zero among them.

    Source:
        The ONNX operator DynamicQuantizeLinear.
    """
    low, high = min(x.min(), np.float32(0)), max(x.max(), np.float32(0))
    scale = np.float32((high - low) / np.float32(255)) if high > low else np.float32(1)
    zero = np.rint(np.clip(-low / scale, 0, 255))
    steps = np.clip(np.rint(x / scale) + zero, 0, 255)
    return np.asarray((steps - zero) * scale, np.float32)


def round_to_int8_blocks(x: FloatArray, block: int) -> FloatArray:
    """Round every block of a row to 255 symmetric steps, as ONNX Runtime's MatMulNBits does."""
    n_in = x.shape[-1]
    padded = np.pad(x, [(0, 0)] * (x.ndim - 1) + [(0, -n_in % block)])
    blocks = padded.reshape(*x.shape[:-1], -1, block)
    scale = np.abs(blocks).max(-1, keepdims=True) / np.float32(127)
    scale[scale == 0] = 1
    rounded = np.rint(blocks / scale) * scale
    return np.asarray(rounded.reshape(*x.shape[:-1], -1)[..., :n_in], np.float32)


def round_to_int8_rows(x: FloatArray) -> FloatArray:
    """Round every row to the 256 steps between its extremes, zero among them, as XNNPACK does."""
    low = np.minimum(x.min(-1, keepdims=True), np.float32(0))
    high = np.maximum(x.max(-1, keepdims=True), np.float32(0))
    steps_per_unit = np.float32(255) / np.where(high > low, high - low, np.float32(255))
    zero = np.rint(np.clip(-128 - low * steps_per_unit, -128, 127))
    steps = np.clip(np.rint(x * steps_per_unit) + zero, -128, 127)
    return np.asarray((steps - zero) / steps_per_unit, np.float32)


def _asymmetric_rows(x: FloatArray, matrix: Matrix) -> FloatArray:
    return round_to_int8_rows(x) if isinstance(matrix, QuantizedTensor) else x


def round_to_half(x: FloatArray) -> FloatArray:
    """The nearest halves, as float32."""
    return x.astype(np.float16).astype(np.float32)


def _in_blocks(x: FloatArray, matrix: Matrix) -> FloatArray:
    if not isinstance(matrix, QuantizedTensor):
        return x
    return round_to_int8_blocks(x, matrix.kernel_block)


def _in_groups(size: int) -> Callable[[FloatArray, Matrix], FloatArray]:
    """Groups of one size whatever the matrix's blocks are, as OpenVINO rounds them."""

    def rounded(x: FloatArray, matrix: Matrix) -> FloatArray:
        return round_to_int8_blocks(x, size) if isinstance(matrix, QuantizedTensor) else x

    return rounded


def q8_blocks(x: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Round to ggml's blocks of 8 bits.

    Args:
        x: Shape (..., n_in); ``n_in`` is a multiple of the block.

    Returns:
        Integers, (..., n_blocks, block), and scales, (..., n_blocks, 1), which are stored as halves
        after the integers are chosen.

    Source:
        ggml ``src/ggml-cpu/arch/x86/quants.c``, ``quantize_row_q8_0`` and ``quantize_row_q8_1``.
    """
    blocks = x.reshape(*x.shape[:-1], -1, BLOCK)
    largest = np.abs(blocks).max(-1, keepdims=True)
    inverse = np.float32(127) / np.where(largest > 0, largest, np.float32(127))
    return np.rint(blocks * inverse), largest / np.float32(127)


def _as_ggml(x: FloatArray, matrix: Matrix) -> FloatArray:
    """To blocks of 8 bits where the matrix is in blocks, to halves where it is in halves."""
    if isinstance(matrix, GgmlTensor):
        integers, scales = q8_blocks(x)
        return (integers * round_to_half(scales)).reshape(x.shape)
    in_halves = isinstance(matrix, np.ndarray) and matrix.dtype == np.float16
    return round_to_half(x) if in_halves else x


ROUNDINGS: Mapping[ActivationRule, Callable[[FloatArray, Matrix], FloatArray]] = {
    "float": lambda x, _: x,
    "uint8-tensor": lambda x, _: round_to_uint8(x),
    "int8-block": _in_blocks,
    "int8-32": _in_groups(32),
    "int8-64": _in_groups(64),
    "int8-128": _in_groups(128),
    "int8-row-asymmetric": _asymmetric_rows,
    "int8-row": lambda x, _: round_to_int8_blocks(x, x.shape[-1]),
    "static": lambda x, _: x,  # done before, place by place: see Parameters.grids
    "ggml": _as_ggml,
    "float16": lambda x, _: x,  # every result is a half then: see NumpyOps.at
}

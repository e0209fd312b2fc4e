"""How the kernels of each runtime round what they multiply with, for the reference to imitate."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from ..edge.types import ActivationRule, FloatArray
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


def _in_blocks(x: FloatArray, matrix: Matrix) -> FloatArray:
    if not isinstance(matrix, QuantizedTensor):
        return x
    return round_to_int8_blocks(x, matrix.kernel_block)


ROUNDINGS: Mapping[ActivationRule, Callable[[FloatArray, Matrix], FloatArray]] = {
    "float": lambda x, _: x,
    "uint8-tensor": lambda x, _: round_to_uint8(x),
    "int8-block": _in_blocks,
}

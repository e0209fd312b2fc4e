"""The operations of MIL that the exporter writes, in NumPy.

Each takes the operation's parameters by their names in MIL and computes in float32; rounding to the
declared type is the caller's. ``FORMS`` says which settings an operation may have: a GELU by
approximation is refused, not computed as the exact one.

Source:
    The MIL operation reference of coremltools 9.0 (iOS 15 to iOS 18).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

_END, _STEPS = 8, 1024  # Phi is 0 or 1 beyond +-8; interpolated at this many steps a unit


def conv(
    *, x: Array, weight: Array, strides: Array, pad: Array, bias: Array | None = None
) -> Array:
    """Over time alone: (1, n_in, 1, t) and a kernel of (n_out, n_in, 1, n_taps)."""
    n_taps, stride = weight.shape[3], int(strides[1])
    if n_taps == 1 and stride == 1:
        y = weight[:, :, 0, 0] @ x[0, :, 0]
    else:
        padded = np.pad(x[0, :, 0], ((0, 0), (int(pad[2]), int(pad[3]))))
        n_out = (padded.shape[1] - n_taps) // stride + 1
        taps = (padded[:, k : k + stride * (n_out - 1) + 1 : stride] for k in range(n_taps))
        y = sum(weight[:, :, 0, k] @ tap for k, tap in enumerate(taps))
    y = y if bias is None else y + bias[:, None]
    return np.asarray(y[None, :, None], np.float32)


def linear(*, x: Array, weight: Array, bias: Array) -> Array:
    """Rows of ``x`` against rows of ``weight``."""
    return np.asarray(x @ weight.T + bias)


def layer_norm(*, x: Array, axes: Array, epsilon: Array) -> Array:
    """Mean 0 and variance 1 along the axes."""
    along = tuple(axes.tolist())
    centred = x - x.mean(along, keepdims=True)
    variance = np.square(centred).mean(along, keepdims=True)
    return np.asarray(centred / np.sqrt(variance + epsilon))


def batch_norm(
    *, x: Array, mean: Array, variance: Array, gamma: Array, beta: Array, epsilon: Array
) -> Array:
    """With given statistics, along axis 1."""
    scale = gamma / np.sqrt(variance + epsilon)
    column = (slice(None), *(None,) * (x.ndim - 2))
    return np.asarray((x - mean[column]) * scale[column] + beta[column])


def gelu(*, x: Array) -> Array:
    """``x * Phi(x)``."""
    points, values = _normal_distribution()
    return np.asarray(x * np.interp(x, points, values), np.float32)


@cache
def _normal_distribution() -> tuple[Array, Array]:
    points = np.arange(-_END * _STEPS, _END * _STEPS + 1) / _STEPS
    return points, np.array([0.5 * math.erfc(-point / math.sqrt(2)) for point in points])


def softmax(*, x: Array, axis: Array) -> Array:
    """Of the differences from the largest."""
    powers = np.exp(x - x.max(int(axis), keepdims=True))
    return np.asarray(powers / powers.sum(int(axis), keepdims=True))


def matmul(*, x: Array, y: Array, transpose_x: Array, transpose_y: Array) -> Array:
    """Of the last two axes."""
    left = x.swapaxes(-1, -2) if transpose_x else x
    right = y.swapaxes(-1, -2) if transpose_y else y
    return np.asarray(left @ right)


def gather(*, x: Array, indices: Array, axis: Array) -> Array:
    """Slices of ``x`` by their index."""
    return x.take(indices, int(axis))


def split(*, x: Array, num_splits: Array, axis: Array) -> list[Array]:
    """Equal parts."""
    return np.split(x, int(num_splits), int(axis))


def concat(*, values: list[Array], axis: Array) -> Array:
    """One after the other."""
    return np.concatenate(values, int(axis))


def slice_by_size(*, x: Array, begin: Array, size: Array) -> Array:
    """So many elements of each axis from the beginning given."""
    return np.asarray(x[tuple(slice(b, b + n) for b, n in zip(begin, size, strict=True))])


def slice_by_index(*, x: Array, begin: Array, end: Array, stride: Array) -> Array:
    """From one index to before another."""
    return np.asarray(x[tuple(map(slice, begin, end, stride))])


def pad(*, x: Array, pad: Array, mode: Array, constant_val: Array) -> Array:
    """Before and after each of the last axes: one value, or the array mirrored."""
    widths = [(0, 0)] * (x.ndim - len(pad) // 2) + pad.reshape(-1, 2).tolist()
    if mode == "reflect":
        return np.pad(x, widths, mode="reflect")
    return np.pad(x, widths, constant_values=constant_val)


KERNELS: Mapping[str, Callable[..., Array | list[Array]]] = {
    "add": lambda x, y: x + y,
    "batch_norm": batch_norm,
    "cast": lambda x: x,  # the caller rounds
    "concat": concat,
    "conv": conv,
    "expand_dims": lambda x, axes: np.expand_dims(x, tuple(axes.tolist())),
    "gather": gather,
    "gelu": gelu,
    "identity": lambda x: x,
    "layer_norm": layer_norm,
    "linear": linear,
    "log": lambda x, epsilon: np.log(x + epsilon),
    "matmul": matmul,
    "maximum": lambda x, y: np.maximum(x, y),
    "mul": lambda x, y: x * y,
    "pad": pad,
    "reduce_max": lambda x, axes: x.max(tuple(axes.tolist()), keepdims=True),
    "reduce_mean": lambda x, axes: x.mean(tuple(axes.tolist())),
    "reshape": lambda x, shape: x.reshape(shape),
    "slice_by_index": slice_by_index,
    "slice_by_size": slice_by_size,
    "softmax": softmax,
    "split": split,
    "square": lambda x: np.square(x),
    "squeeze": lambda x, axes: x.squeeze(tuple(axes.tolist())),
    "sub": lambda x, y: x - y,
    "transpose": lambda x, perm: x.transpose(perm),
}

# Settings that an operation may have and no others; one that is no argument above has no effect.
FORMS: Mapping[str, Mapping[str, tuple[Any, ...]]] = {
    "cast": {"dtype": ("fp16", "fp32")},
    "concat": {"interleave": (False,)},
    "conv": {"pad_type": ("custom", "valid"), "dilations": ([1, 1],), "groups": (1,)},
    "gather": {"batch_dims": (0,), "validate_indices": (False,)},
    "gelu": {"mode": ("EXACT",)},
    "pad": {"mode": ("constant", "reflect")},
    "reduce_max": {"keep_dims": (True,)},
    "reduce_mean": {"keep_dims": (False,)},
    "slice_by_index": {
        name: tuple([False] * rank for rank in range(1, 5))
        for name in ("begin_mask", "end_mask", "squeeze_mask")
    },
}
# What moves elements and rounds none.
MOVES = frozenset(
    "concat expand_dims gather identity pad reshape slice_by_index slice_by_size split squeeze "
    "transpose".split()
)

"""What whisper.cpp computes, imitated by the reference.

Its products round what they multiply as the rule "ggml" says. Beside that it keeps keys, values
and attention's weights in halves, looks GELU up in a table of halves, by Hendrycks and Gimpel's
approximation, and scales queries and keys each by the fourth root.

Source: ggml-org/whisper.cpp ``src/whisper.cpp``, without flash attention, and ggml's
``ggml_vec_gelu_f32``, ``ggml_compute_forward_mul_mat``.
"""

from __future__ import annotations

import functools

import numpy as np

from ..edge.types import FloatArray
from .ggml_blocks import GgmlTensor
from .reference import NumpyOps
from .rounding import q8_blocks, round_to_half

_SQRT_2_OVER_PI = np.float32(0.79788456080286535587989211986876)
_CUBIC = np.float32(0.044715)
_GELU_END = 10  # beyond it GELU is 0 or its input


class GgmlOps(NumpyOps):
    """See NumpyOps."""

    def gelu(self, x: FloatArray) -> FloatArray:
        """See Ops; looked up by the nearest half."""
        y = gelu_table()[x.astype(np.float16).view(np.uint16)]
        return np.where(np.abs(x) < _GELU_END, y, np.maximum(x, 0))

    def attention(self, qkv: FloatArray, n_heads: int) -> FloatArray:
        """See Ops; queries are scaled after they are rounded."""
        return super().attention(round_to_half(qkv), n_heads)

    def cached_attention(self, qkv: FloatArray, n_heads: int, layer: int) -> FloatArray:
        """See Ops; queries and keys are scaled before they are rounded."""
        q, k, v = np.split(qkv, 3, axis=-1)
        scale = _fourth_root(q.shape[-1] // n_heads)
        halves = round_to_half(np.concatenate([q * scale, k * scale, v], axis=-1))
        halves[..., : q.shape[-1]] /= scale * scale  # what follows scales them whole
        return super().cached_attention(halves, n_heads, layer)

    def cross_cache(self, kv: FloatArray, n_heads: int, n_layers: int) -> None:
        """See Ops; keys are scaled before they are rounded."""
        n_state = kv.shape[-1] // (2 * n_layers)
        parts = kv.reshape(*kv.shape[:-1], n_layers, 2, n_state).copy()
        parts[..., 0, :] *= _fourth_root(n_state // n_heads)
        super().cross_cache(round_to_half(parts.reshape(kv.shape)), n_heads, n_layers)

    def cross_attention(
        self, q: FloatArray, n_heads: int, layer: int, aligned: tuple[int, ...]
    ) -> FloatArray:
        """See Ops; the keys bring half of the scale."""
        scale = _fourth_root(q.shape[-1] // n_heads)
        return super().cross_attention(round_to_half(q) / scale, n_heads, layer, aligned)

    def _context(self, weights: FloatArray, v: FloatArray) -> FloatArray:
        y: FloatArray = round_to_half(weights) @ v
        return y

    def _product(self, x: FloatArray, name: str) -> FloatArray:
        matrix = self.parameters.matrices[name]
        if not isinstance(matrix, GgmlTensor) or matrix.minima is None:
            return super()._product(x, name)
        # Minima are multiplied with the sums of the blocks, which are rounded to halves themselves.
        integers, scales = q8_blocks(self._noisy(x))
        counts = integers.sum(-1, keepdims=True)
        stored = round_to_half(scales)
        rounded = (integers * stored).reshape(x.shape)
        change = (round_to_half(scales * counts) - stored * counts)[..., 0]
        y: FloatArray = rounded @ self._weight(name).T + change @ matrix.minima.T
        return y


@functools.cache
def gelu_table() -> FloatArray:
    """GELU of every half, by its bits, rounded to a half."""
    x = np.arange(2**16, dtype=np.uint16).view(np.float16).astype(np.float32)
    with np.errstate(all="ignore"):  # infinities and what is no number, which nobody looks up
        # In doubles what C computes in one step, or to the last bit.
        cubic = ((_CUBIC * x).astype(np.float64) * x + 1).astype(np.float32)
        tanh = np.tanh((_SQRT_2_OVER_PI * x * cubic).astype(np.float64)).astype(np.float32)
        return round_to_half(np.float32(0.5) * x * (1 + tanh))


def _fourth_root(head: int) -> np.float32:
    return np.float32(head**-0.25)

"""The NumPy interpreter of the definition: what every artifact is judged by."""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from ..edge.types import ActivationRule, FloatArray, IntArray
from .ops import Ops
from .parameters import Parameters
from .quantize import part_of
from .rounding import ROUNDINGS, round_to_half

# What summing in another order may do to a value, against the size of its row, peak to peak.
# Several times what it does on average: what tips over there by chance has to tip over here.
FLOAT_NOISE = np.float32(2**-17)
KERNEL = 3  # of both convolutions


@dataclass
class Cache:
    """The keys and values of one window; heads first, like every array here.

    Attributes:
        keys: Self-attention, by layer: (n_hypotheses, n_heads, n_past, head).
        values: Likewise.
        cross: Cross-attention keys and values, by layer: (n_heads, n_positions, head).
        n_past: Tokens in ``keys`` and ``values`` before the current step.
    """

    keys: dict[int, FloatArray] = field(default_factory=dict)
    values: dict[int, FloatArray] = field(default_factory=dict)
    cross: list[tuple[FloatArray, FloatArray]] = field(default_factory=list)
    n_past: int = 0


class NumpyOps(Ops[FloatArray]):
    """Computes in float32, with the rounding that the target's kernels do.

    Args:
        parameters: The weights, in whatever precision.
        activations: The rounding rule of each part, "float" where one is not named, and those of
            single matrices that differ from their part.

    Attributes:
        cache: Of the current window.
        tokens: Of the current step, (n_hypotheses, n_tokens).
        alignment: Cross-attention of the alignment heads in this step, one array a layer.
        float_noise: Where set, the source of noise on what every product takes; what computes in
            halves then rounds every result as well.
    """

    def __init__(
        self, parameters: Parameters, activations: Mapping[str, ActivationRule] | None = None
    ) -> None:
        self.parameters = parameters
        self.activations = activations or {}
        self.float_noise: np.random.Generator | None = None
        self.cache = Cache()
        self.tokens: IntArray = np.zeros((1, 0), np.int64)
        self.alignment: list[FloatArray] = []
        self._place = ""
        self._kept: dict[str, FloatArray] = {}

    def at(self, x: FloatArray, place: str) -> FloatArray:
        """``x`` as it leaves a place where kernels may round to a grid fixed at export.

        A place is called after the last named operation and what was done since: the products
        have an "encoder.0.fc1.input" and ".output", then comes "encoder.0.fc1.gelu".
        """
        if self.float_noise is not None and self._in_halves(place.rpartition(".")[0]):
            # Where a program computes in halves, another may keep a result in a wider register:
            # no rounding is the right one to imitate, and all of them at once are the noise.
            return round_to_half(x)
        grid = self.parameters.grids.get(place)
        return x if grid is None else grid.round(self._noisy(x))

    def _here(self, x: FloatArray, what: str) -> FloatArray:
        return self.at(x, f"{self._place}.{what}")

    def _in_halves(self, name: str) -> bool:
        return self.activations.get(part_of(name)) == "float16"

    def conv1d(self, x: FloatArray, name: str, *, stride: int) -> FloatArray:
        """See Ops: a product with three shifted copies side by side."""
        n_time = x.shape[1]
        padded = np.pad(x, ((0, 0), (1, 1), (0, 0)))
        shifted = [padded[:, tap : tap + n_time : stride] for tap in range(KERNEL)]
        return self.linear(np.concatenate(shifted, axis=2), name)

    def linear(self, x: FloatArray, name: str) -> FloatArray:
        """See Ops."""
        self._place = name
        y = self._product(x, name)
        if f"{name}.bias" in self.parameters.vectors:
            y = y + self._vector(f"{name}.bias")
        return self._here(y, "output")

    def layer_norm(self, x: FloatArray, name: str) -> FloatArray:
        """See Ops."""
        centred = x - x.mean(-1, keepdims=True)
        variance = np.square(centred).mean(-1, keepdims=True)
        normal = centred / np.sqrt(variance + np.float32(1e-5))
        self._place = name
        y = normal * self._vector(f"{name}.gain") + self._vector(f"{name}.shift")
        return self._here(y, "output")

    def gelu(self, x: FloatArray) -> FloatArray:
        """See Ops; the normal distribution function is interpolated in a table."""
        table, slope = _normal_table()
        place = (np.clip(x, -_TABLE_END, _TABLE_END) + _TABLE_END) * _TABLE_STEPS
        whole = np.floor(place)
        index = whole.astype(np.int32)
        return self._here(x * (table[index] + (place - whole) * slope[index]), "gelu")

    def add(self, a: FloatArray, b: FloatArray) -> FloatArray:
        """See Ops."""
        return self._here(a + b, "sum")

    def add_positions(self, x: FloatArray, name: str) -> FloatArray:
        """See Ops."""
        start = self.cache.n_past if name.startswith("decoder.") else 0
        self._place = name
        return self._here(x + self._vector(name)[start : start + x.shape[1]], "sum")

    def attention(self, qkv: FloatArray, n_heads: int) -> FloatArray:
        """See Ops."""
        q, k, v = (_split_heads(part, n_heads) for part in np.split(qkv, 3, axis=-1))
        q = self._scaled(q)
        return self._attended(self._here(q @ k.swapaxes(-1, -2), "scores"), v)[0]

    def cached_attention(self, qkv: FloatArray, n_heads: int, layer: int) -> FloatArray:
        """See Ops."""
        q, k, v = (_split_heads(part, n_heads) for part in np.split(qkv, 3, axis=-1))
        q = self._scaled(q)
        cache = self.cache
        if cache.n_past:
            k = np.concatenate([cache.keys[layer][:, :, : cache.n_past], k], axis=2)
            v = np.concatenate([cache.values[layer][:, :, : cache.n_past], v], axis=2)
        cache.keys[layer], cache.values[layer] = k, v
        scores = self._here(self._here(q @ k.swapaxes(-1, -2), "scores"), "masked")
        n_new, n_all = scores.shape[-2:]
        future = np.triu(np.ones((n_new, n_all), bool), k=n_all - n_new + 1)
        scores[..., future] = -np.inf
        return self._attended(scores, v)[0]

    def cross_cache(self, kv: FloatArray, n_heads: int, n_layers: int) -> None:
        """See Ops."""
        parts = [_split_heads(part, n_heads)[0] for part in np.split(kv, 2 * n_layers, axis=-1)]
        self.cache = Cache(cross=list(zip(parts[::2], parts[1::2], strict=True)))

    def cross_attention(
        self, q: FloatArray, n_heads: int, layer: int, aligned: tuple[int, ...]
    ) -> FloatArray:
        """See Ops."""
        keys, values = self.cache.cross[layer]
        queries = self._scaled(_split_heads(q, n_heads))
        scores = self._here(queries @ keys.swapaxes(-1, -2), "scores")
        y, weights = self._attended(scores, values)
        if aligned:
            self.alignment.append(weights[:, list(aligned)])
        return y

    def _attended(self, scores: FloatArray, v: FloatArray) -> tuple[FloatArray, FloatArray]:
        """What attention gives, heads side by side, and its weights."""
        weights = self._here(_softmax(scores), "softmax")
        y = self._context(self._here(weights, "weights"), v)
        return self._here(_merge_heads(y), "context"), weights

    def _context(self, weights: FloatArray, v: FloatArray) -> FloatArray:
        y: FloatArray = weights @ v
        return y

    def _scaled(self, q: FloatArray) -> FloatArray:
        """Queries, (..., head), scaled if their product did not do it."""
        return q if self.parameters.scaled_queries else q * np.float32(q.shape[-1] ** -0.5)

    def embedding(self, name: str) -> FloatArray:
        """See Ops."""
        rows: FloatArray = self._weight(name)[self.tokens]
        return rows

    def head(self, x: FloatArray, name: str) -> FloatArray:
        """See Ops."""
        self._place = name
        return self._here(self._product(x[:, -1:], name), "output")[:, 0]

    def _product(self, x: FloatArray, name: str) -> FloatArray:
        matrix = self.parameters.matrices[name]
        x = self._noisy(self.at(x, f"{name}.input"))
        rule = self.activations.get(name) or self.activations.get(part_of(name), "float")
        x = ROUNDINGS[rule](x, matrix)
        y: FloatArray = x @ self._weight(name).T
        return y

    def _noisy(self, x: FloatArray) -> FloatArray:
        if self.float_noise is None:
            return x
        energy = np.einsum("...i,...i->...", x, x)[..., None]
        # In one array: attention to a whole window is the largest there is.
        noise = self.float_noise.random(x.shape, np.float32)
        noise -= np.float32(0.5)
        noise *= np.sqrt(energy / np.float32(x.shape[-1])) * FLOAT_NOISE
        noise += x
        return noise

    def _vector(self, name: str) -> FloatArray:
        vector = self.parameters.vectors[name].astype(np.float32, copy=False)
        grid = self.parameters.grids.get(name)
        return vector if grid is None else grid.round(vector)

    def _weight(self, name: str) -> FloatArray:
        """A matrix in float32; kept where it is multiplied token by token.

        The encoder multiplies once a window, and is most of what a large model weighs.
        """
        if name in self._kept:
            return self._kept[name]
        matrix = self.parameters.matrices[name]
        if isinstance(matrix, np.ndarray):
            weight = matrix.astype(np.float32, copy=False)
        else:
            weight = matrix.dequantize()
            if self._in_halves(name):  # an integer times its scale is longer than a half
                weight = round_to_half(weight)
        if part_of(name) != "encoder":
            self._kept[name] = weight
        return weight


_TABLE_END = 8  # beyond it the distribution function is 0 or 1 in float32
_TABLE_STEPS = 2048  # per unit; linear interpolation is then exact to 1e-8


@functools.cache
def _normal_table() -> tuple[FloatArray, FloatArray]:
    """The normal distribution function on a grid from -8 to 8, and its differences."""
    n = 2 * _TABLE_END * _TABLE_STEPS
    points = (i / _TABLE_STEPS - _TABLE_END for i in range(n + 2))
    values = np.array([0.5 * math.erfc(-x / math.sqrt(2)) for x in points])
    return values.astype(np.float32), np.diff(values, append=1).astype(np.float32)


def _softmax(scores: FloatArray) -> FloatArray:
    weights: FloatArray = np.exp(scores - scores.max(-1, keepdims=True))
    weights /= weights.sum(-1, keepdims=True)
    return weights


def _split_heads(x: FloatArray, n_heads: int) -> FloatArray:
    """(b, t, d) to (b, n_heads, t, d / n_heads)."""
    n_batch, n_time, n_state = x.shape
    return x.reshape(n_batch, n_time, n_heads, n_state // n_heads).swapaxes(1, 2)


def _merge_heads(x: FloatArray) -> FloatArray:
    """(b, n_heads, t, head) to (b, t, n_heads * head)."""
    n_batch, n_heads, n_time, head = x.shape
    return x.swapaxes(1, 2).reshape(n_batch, n_time, n_heads * head)

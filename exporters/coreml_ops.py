"""The definition of Whisper in Core ML's MIL: each operation in the form that Apple's engines run.

Activations are ``(1, n_state, 1, n_time)`` and a product is a convolution with kernel 1, the form
that the Neural Engine takes without rearranging. Source: Apple, "Deploying Transformers on the
Apple Neural Engine" (2022), principles 1 and 2. Shapes are fixed, batch and text step are one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from coremltools.converters.mil.mil import Builder as mb

from ..edge.types import ModelDimensions
from ..models.ops import Ops
from ..models.parameters import Parameters
from ..models.quantize import QuantizedTensor
from .coreml_weights import KERNEL, Constants, whole_blocks

EPSILON = 1e-5  # of the layer norms

Value = Any  # of a program; coremltools is untyped


class CoremlOps(Ops[Value]):
    """Adds operations to the function that is being built.

    Args:
        parameters: The weights.
        dimensions: The model's shape.
        dtype: What the function computes in, half or float.
        inputs: Of the function, by name; the decoder reads its step and its caches from there.

    Attributes:
        cross: The cross-attention's keys and values, layer by layer in turn:
            (1, 2 * n_text_layer * n_text_state, 1, n_positions).
        key_updates: The new token's self-attention keys, one value a layer.
        value_updates: Likewise its values.
        alignment: The attention of the alignment heads, one value a layer.
    """

    def __init__(
        self,
        parameters: Parameters,
        dimensions: ModelDimensions,
        dtype: type[np.floating[Any]],
        inputs: Mapping[str, Value],
    ) -> None:
        self.constants = Constants(parameters, dtype)
        self.parameters, self.dimensions, self.dtype = parameters, dimensions, dtype
        self.inputs = inputs
        self.cross: Value = None
        self.key_updates: list[Value] = []
        self.value_updates: list[Value] = []
        self.alignment: list[Value] = []
        self._made: dict[str, Any] = {}

    # Encoder and decoder

    def linear(self, x: Value, name: str) -> Value:
        """See Ops."""
        bias = self.constants.vector(f"{name}.bias")
        return mb.conv(x=x, weight=self.constants.kernel(name), bias=bias)

    def layer_norm(self, x: Value, name: str) -> Value:
        """See Ops.

        Gain and shift stand apart from the normalization, as a batch norm whose statistics do
        nothing: that pair is what Apple's own conversion of a norm over channels gives. Its
        epsilon may not be zero, so the variance makes up for it.
        """
        n_state = x.shape[1]
        normal = mb.layer_norm(x=x, axes=[1], epsilon=self.dtype(EPSILON))
        return mb.batch_norm(
            x=normal,
            mean=self.constants.array("no_mean", np.zeros(n_state)),
            variance=self.constants.array("unit_variance", np.full(n_state, 1 - EPSILON)),
            gamma=self.constants.vector(f"{name}.gain"),
            beta=self.constants.vector(f"{name}.shift"),
            epsilon=self.dtype(EPSILON),
        )

    def gelu(self, x: Value) -> Value:
        """See Ops."""
        return mb.gelu(x=x, mode="EXACT")

    def add(self, a: Value, b: Value) -> Value:
        """See Ops."""
        return mb.add(x=a, y=b)

    def add_positions(self, x: Value, name: str) -> Value:
        """See Ops."""
        if name.startswith("decoder."):
            table = self.constants.vector(name)
            rows = mb.gather(x=table, indices=self.inputs["cache_length"], axis=0)
            return mb.add(x=x, y=self._column(rows))
        # The whole table even under a short window, so that windows share it.
        columns, n_positions = self.constants.columns(name), x.shape[3]
        if n_positions < columns.shape[3]:
            size = [*columns.shape[:3], n_positions]
            columns = mb.slice_by_size(x=columns, begin=[0, 0, 0, 0], size=size)
        return mb.add(x=x, y=columns)

    # Encoder

    def conv1d(self, x: Value, name: str, *, stride: int) -> Value:
        """See Ops."""
        matrix = self.parameters.matrices[name]
        if isinstance(matrix, QuantizedTensor) and matrix.precision.block is not None:
            return self._shifted_product(x, name, matrix, stride)
        return mb.conv(
            x=x,
            weight=self.constants.kernel(name, KERNEL),
            bias=self.constants.vector(f"{name}.bias"),
            strides=[1, stride],
            pad_type="custom",
            pad=[0, 0, 1, 1],
        )

    def _shifted_product(self, x: Value, name: str, matrix: QuantizedTensor, stride: int) -> Value:
        """The convolution as a product with three shifted copies, over which blocks are laid."""
        n_in, n_time = x.shape[1], x.shape[3]
        zero = self.dtype(0)
        padded = mb.pad(x=x, pad=[0, 0, 0, 0, 0, 0, 1, 1], constant_val=zero)
        copies = [
            mb.slice_by_index(
                x=padded,
                begin=[0, 0, 0, tap],
                end=[1, n_in, 1, n_time + tap],
                stride=[1, 1, 1, stride],
            )
            for tap in range(KERNEL)
        ]
        x = mb.concat(values=copies, axis=1)
        n_missing = whole_blocks(matrix).shape[1] - x.shape[1]
        if n_missing:
            x = mb.pad(x=x, pad=[0, 0, 0, n_missing, 0, 0, 0, 0], constant_val=zero)
        return self.linear(x, name)

    def attention(self, qkv: Value, n_heads: int) -> Value:
        """See Ops."""
        q, k, v = mb.split(x=qkv, num_splits=3, axis=1)
        heads = (self._heads(part, n_heads) for part in (q, k, v))
        return self._attended(heads)[0]

    def cross_cache(self, kv: Value, n_heads: int, n_layers: int) -> None:
        """See Ops."""
        self.cross = kv

    # Decoder

    def embedding(self, name: str) -> Value:
        """See Ops."""
        rows = mb.gather(x=self.constants.table(name), indices=self.inputs["input_ids"], axis=0)
        return self._column(rows)

    def cached_attention(self, qkv: Value, n_heads: int, layer: int) -> Value:
        """See Ops.

        The cache comes in whole; the new token takes its place by a mask, and goes out alone.
        """
        q, *new = mb.split(x=qkv, num_splits=3, axis=1)
        self.key_updates.append(new[0])
        self.value_updates.append(new[1])
        k, v = (
            mb.add(
                x=mb.mul(x=self._by_layer(name)[layer], y=self._once("kept", self._kept)),
                y=mb.mul(x=update, y=self._once("written", self._written)),
            )
            for name, update in zip(("key_cache", "value_cache"), new, strict=True)
        )
        hidden = self._once("hidden", self._hidden)
        return self._attended((self._heads(part, n_heads) for part in (q, k, v)), hidden)[0]

    def cross_attention(
        self, q: Value, n_heads: int, layer: int, aligned: tuple[int, ...]
    ) -> Value:
        """See Ops."""
        cross = self._once(
            "cross", lambda: self._split(self.cross, 2 * self.dimensions.n_text_layer)
        )
        heads = (self._heads(part, n_heads) for part in (q, *cross[2 * layer : 2 * layer + 2]))
        y, weights = self._attended(heads)
        if aligned:
            index = np.array(aligned, np.int32)
            self.alignment.append(mb.gather(x=weights, indices=index, axis=1))
        return y

    def head(self, x: Value, name: str) -> Value:
        """See Ops; (1, n_vocab)."""
        row = mb.squeeze(x=x, axes=[2, 3])
        return mb.linear(x=row, weight=self.constants.table(name))

    # Pieces

    def _attended(self, qkv: Iterable[Value], mask: Value = None) -> tuple[Value, Value]:
        """Attention over three times (1, n_heads, head, n_time), and its weights."""
        q, k, v = qkv
        scores = mb.matmul(x=q, y=k, transpose_x=True)
        if mask is not None:
            scores = mb.add(x=scores, y=mask)
        weights = mb.softmax(x=scores, axis=-1)
        y = mb.matmul(x=v, y=weights, transpose_y=True)
        n_state = y.shape[1] * y.shape[2]
        return mb.reshape(x=y, shape=[1, n_state, 1, y.shape[3]]), weights

    def _heads(self, x: Value, n_heads: int) -> Value:
        """(1, d, 1, t) to (1, n_heads, d / n_heads, t)."""
        return mb.reshape(x=x, shape=[1, n_heads, x.shape[1] // n_heads, x.shape[3]])

    def _by_layer(self, name: str) -> list[Value]:
        n_layers = self.dimensions.n_text_layer
        return self._once(name, lambda: self._split(self.inputs[name], n_layers))  # type: ignore[no-any-return]

    def _split(self, x: Value, n: int) -> list[Value]:
        return list(mb.split(x=x, num_splits=n, axis=1)) if n > 1 else [x]

    def _written(self) -> Value:
        """1 at the new token's place of the cache, 0 elsewhere; (1, 1, 1, n_text_ctx)."""
        return mb.expand_dims(x=self.inputs["kv_cache_update_mask"], axes=[1, 2])

    def _kept(self) -> Value:
        return mb.sub(x=self.dtype(1), y=self._once("written", self._written))

    def _hidden(self) -> Value:
        """0 at what the token may look at, far below zero elsewhere; (1, 1, 1, n_text_ctx)."""
        return mb.expand_dims(x=self.inputs["decoder_key_padding_mask"], axes=[1, 2])

    def _column(self, rows: Value) -> Value:
        """(1, d) to (1, d, 1, 1)."""
        return mb.expand_dims(x=rows, axes=[2, 3])

    def _once(self, key: str, make: Any) -> Any:  # noqa: ANN401
        if key not in self._made:
            self._made[key] = make()
        return self._made[key]

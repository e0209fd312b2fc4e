"""The definition of Whisper in TFLite: each operation in the form that XNNPACK takes whole.

A step of the decoder is one token of each hypothesis: a prompt is several steps. Attention of a
single query is written as products and sums, because BATCH_MATMUL packs keys and values anew at
every call.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ..edge.types import ActivationRule, ModelDimensions
from ..models.ops import Ops
from ..models.parameters import Parameters
from .tflite_arithmetic import Arithmetic
from .tflite_graph import TfliteGraph, Value
from .tflite_products import TfliteProducts
from .tflite_schema import PADDING_VALID

KERNEL = 3  # of both convolutions
EPSILON = 1e-5  # of the layer norm
MOST_PARTS = 4  # that XNNPACK splits and joins


class TfliteOps(Ops[Value]):
    """Adds operators to a graph.

    Args:
        graph: The graph to build.
        parameters: The weights.
        dimensions: The model's shape.

    Attributes:
        alignment: The decoder's attention weights that are outputs, one value a layer.
    """

    def __init__(
        self, graph: TfliteGraph, parameters: Parameters, dimensions: ModelDimensions
    ) -> None:
        self.graph, self.parameters, self.dimensions = graph, parameters, dimensions
        self.products = TfliteProducts(graph, parameters)
        self._math = Arithmetic(graph)
        self.alignment: list[Value] = []
        self._inputs: dict[str, Value] = {}

    @property
    def activations(self) -> Mapping[str, ActivationRule]:
        """How the products made so far round what they take, by part."""
        return self.products.activations

    # Encoder and decoder

    def linear(self, x: Value, name: str) -> Value:
        """See Ops."""
        y = self.products.product(x, name)
        bias = self.parameters.bias(name)
        return y if bias is None else self.add(y, self.graph.weight(f"{name}.bias", bias))

    def layer_norm(self, x: Value, name: str) -> Value:
        """See Ops."""
        vectors = self.parameters.vectors
        mean = self._math.reduced("MEAN", x, -1)
        squares = self._math.elementwise("SQUARED_DIFFERENCE", x, mean)
        variance = self.add(
            self._math.reduced("MEAN", squares, -1),
            self.graph.constant(np.array([EPSILON], np.float32)),
        )
        inverse = self.graph.op("RSQRT", [variance], variance.shape)
        normal = self._math.product(self._math.elementwise("SUB", x, mean), inverse)
        gain, shift = (
            self.graph.weight(f"{name}.{part}", vectors[f"{name}.{part}"])
            for part in ("gain", "shift")
        )
        return self.add(self._math.product(normal, gain), shift)

    def gelu(self, x: Value) -> Value:
        """See Ops."""
        return self.graph.op("GELU", [x], x.shape, approximate=False)

    def add(self, a: Value, b: Value) -> Value:
        """See Ops."""
        return self._math.elementwise("ADD", a, b)

    def add_positions(self, x: Value, name: str) -> Value:
        """See Ops; the numbers of the rows are an input."""
        table = self.products.floats(name, self.parameters.vectors[name])
        rows = self._math.rows(table, self._inputs["positions"])
        return self.add(x, self._math.reshaped(rows, (1, -1, rows.shape[-1])))

    # Encoder

    def encoder_input(self) -> Value:
        """Declare the inputs of the encoder; the features, time first."""
        mel = self.graph.input("mel", (1, self.dimensions.n_mels, "frames"))
        self._inputs["positions"] = self.graph.input("positions", ("positions",), "int32")
        return self._math.transposed(mel, (0, 2, 1))

    def conv1d(self, x: Value, name: str, *, stride: int) -> Value:
        """See Ops: a product with three shifted copies, which quantizes like every other product.

        A copy is the channel-wise convolution with a 1 in one place: slices would need the length
        of the window, which the graph leaves open.
        """
        _, n_time, n_in = x.shape
        row = self._math.reshaped(x, (1, 1, -1, n_in))
        padded = self._math.padded(row, 2, 1, 1)
        bias = self.graph.constant(np.zeros(n_in, np.float32))
        copies = []
        for tap in range(KERNEL):
            kernel = np.zeros((1, 1, KERNEL, n_in), np.float32)
            kernel[:, :, tap] = 1
            copies.append(
                self.graph.op(
                    "DEPTHWISE_CONV_2D",
                    [padded, self.graph.constant(kernel), bias],
                    (1, 1, n_time // stride, n_in),
                    padding=PADDING_VALID, stride_w=stride, stride_h=1, depth_multiplier=1,
                    dilation_w=1, dilation_h=1,
                )
            )  # fmt: skip
        return self.linear(
            self._math.reshaped(self._math.joined(copies, 3), (1, -1, KERNEL * n_in)), name
        )

    def attention(self, qkv: Value, n_heads: int) -> Value:
        """See Ops; a few heads at a time, for scores are most of the memory the encoder needs."""
        head = qkv.shape[-1] // 3 // n_heads
        heads = self._math.reshaped(qkv, (1, -1, 3 * n_heads, head))
        packed = self._math.split(self._math.transposed(heads, (0, 2, 1, 3)), 3)
        n_groups = next(n for n in range(MOST_PARTS, 0, -1) if n_heads % n == 0)
        groups = zip(*(self._math.split(x, n_groups) for x in packed), strict=True)
        y = self._math.joined([self._attended(*group) for group in groups], 1)
        return self._math.reshaped(self._math.transposed(y, (0, 2, 1, 3)), (1, -1, n_heads * head))

    def _attended(self, q: Value, k: Value, v: Value) -> Value:
        shape = (*q.shape[:3], k.shape[2])
        scores = self.graph.op("BATCH_MATMUL", [q, k], shape, adjoint_y=True)
        weights = self.graph.op("SOFTMAX", [scores], shape, beta=1.0)
        return self.graph.op("BATCH_MATMUL", [weights, v], q.shape)

    def cross_cache(self, kv: Value, n_heads: int, n_layers: int) -> None:
        """See Ops; one output: for each layer the heads of its keys, then of its values."""
        head = self.dimensions.n_text_state // n_heads
        n_all = 2 * n_layers * n_heads
        cross = self._math.transposed(self._math.reshaped(kv, (1, -1, n_all, head)), (0, 2, 1, 3))
        self.graph.output("cross", cross, (1, n_all, "positions", head))

    # Decoder

    def decoder_input(self) -> None:
        """Declare the inputs that all layers of the decoder share."""
        self._inputs["tokens"] = self.graph.input("tokens", ("hypotheses",), "int32")
        self._inputs["positions"] = self.graph.input("position", (1,), "int32")
        mask = (1, 1, self.dimensions.n_text_ctx, 1)
        self._inputs["mask"] = self.graph.input("mask", mask)

    def embedding(self, name: str) -> Value:
        """See Ops."""
        rows = self.products.embedding_rows(name, self._inputs["tokens"])
        return self._math.reshaped(rows, (-1, 1, rows.shape[-1]))

    def cached_attention(self, qkv: Value, n_heads: int, layer: int) -> Value:
        """See Ops; the new row is an output, which the caller adds to the cache.

        A mask hides the rows of the cache that are not yet filled; the new one joins by itself.
        """
        head = qkv.shape[-1] // 3 // n_heads
        q, *new = self._math.split(self._math.reshaped(qkv, (-1, 3 * n_heads, 1, head)), 3)
        cache = []
        for t, row in zip("kv", new, strict=True):
            self.graph.output(f"new_{t}_{layer}", row, ("hypotheses", n_heads, 1, head))
            shape = ("hypotheses", n_heads, self.dimensions.n_text_ctx, head)
            cache.append(self.graph.input(f"self_{t}_{layer}", shape))
        scores = self.add(self._scores(q, cache[0]), self._inputs["mask"])
        own = self._scores(q, new[0])
        top = self._math.elementwise("MAXIMUM", self._math.reduced("REDUCE_MAX", scores, 2), own)
        weights, own = self._exponential(scores, top), self._exponential(own, top)
        total = self.add(self._math.reduced("SUM", weights, 2), own)
        y = self.add(self._weighted(weights, cache[1]), self._math.product(own, new[1]))
        return self._merged(self._math.elementwise("DIV", y, total))

    def cross_attention(
        self, q: Value, n_heads: int, layer: int, aligned: tuple[int, ...]
    ) -> Value:
        """See Ops."""
        head = q.shape[-1] // n_heads
        query = self._math.reshaped(q, (-1, n_heads, 1, head))
        shape = (1, n_heads, "positions", head)
        keys, values = (self.graph.input(f"cross_{t}_{layer}", shape) for t in "kv")
        scores = self._scores(query, keys)
        weights = self._exponential(scores, self._math.reduced("REDUCE_MAX", scores, 2))
        total = self._math.reduced("SUM", weights, 2)
        if aligned:
            shares = self._math.elementwise("DIV", weights, total)
            index = self.graph.ints(*aligned)
            picked = (shares.shape[0], len(aligned), *shares.shape[2:])
            # A slice would do, but XNNPACK does not resize it: it fails, or is silently wrong.
            self.alignment.append(self.graph.op("GATHER", [shares, index], picked, axis=1))
        return self._merged(self._math.elementwise("DIV", self._weighted(weights, values), total))

    def head(self, x: Value, name: str) -> Value:
        """See Ops."""
        logits = self.products.product(x, name)
        return self._math.reshaped(logits, (-1, logits.shape[-1]))

    def joined_alignment(self) -> Value:
        """(hypotheses, alignment heads, positions, 1)."""
        return self._math.joined(self.alignment, 1)

    def _scores(self, q: Value, keys: Value) -> Value:
        """One query of each head against its keys: (b, n_heads, n, 1)."""
        return self._math.reduced("SUM", self._math.product(q, keys), 3)

    def _exponential(self, scores: Value, top: Value) -> Value:
        difference = self._math.elementwise("SUB", scores, top)
        return self.graph.op("EXP", [difference], difference.shape)

    def _weighted(self, weights: Value, values: Value) -> Value:
        """The sum of the values, each by its weight: (b, n_heads, 1, head)."""
        return self._math.reduced("SUM", self._math.product(weights, values), 2)

    def _merged(self, y: Value) -> Value:
        _, n_heads, _, head = y.shape
        return self._math.reshaped(y, (-1, 1, n_heads * head))

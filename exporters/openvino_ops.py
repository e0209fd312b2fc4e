"""The definition of Whisper in OpenVINO's operations, in the form that its CPU plugin fuses."""

from __future__ import annotations

from collections.abc import Sequence

from openvino import opset13 as op

from ..edge.types import ActivationRule, ModelDimensions
from ..models.ops import Ops
from ..models.parameters import Parameters
from ..models.quantize import Matrix, QuantizedTensor, part_of
from . import openvino_weights
from .openvino_graph import OpenvinoGraph, Value

KERNEL = 3  # of both convolutions
HIDDEN = -1e9  # what is added to the score of a token that comes later


class OpenvinoOps(Ops[Value]):
    """Adds nodes to a graph.

    Args:
        graph: The graph to build.
        parameters: The weights; constants share their memory.
        dimensions: The model's shape.

    Attributes:
        alignment: The decoder's attention weights that are outputs, one value a layer.
        activations: How the products made so far round what they take, by part.
    """

    def __init__(
        self, graph: OpenvinoGraph, parameters: Parameters, dimensions: ModelDimensions
    ) -> None:
        self.graph, self.parameters, self.dimensions = graph, parameters, dimensions
        self.alignment: list[Value] = []
        self.activations: dict[str, ActivationRule] = {}

    # Encoder and decoder

    def linear(self, x: Value, name: str) -> Value:
        """See Ops."""
        y = self._product(x, name)
        return y if self.parameters.bias(name) is None else op.add(y, self._vector(f"{name}.bias"))

    def layer_norm(self, x: Value, name: str) -> Value:
        """See Ops."""
        normal = op.mvn(x, self.graph.ints(-1), True, 1e-5, "inside_sqrt")
        scaled = op.multiply(normal, self._vector(f"{name}.gain"))
        return op.add(scaled, self._vector(f"{name}.shift"))

    def gelu(self, x: Value) -> Value:
        """See Ops."""
        return op.gelu(x, "erf")

    def add(self, a: Value, b: Value) -> Value:
        """See Ops."""
        return op.add(a, b)

    def add_positions(self, x: Value, name: str) -> Value:
        """See Ops."""
        graph, table = self.graph, self._vector(name)
        if name.startswith("encoder."):
            end = op.gather(op.shape_of(x), graph.ints(1), graph.scalar(0))
            return op.add(x, op.slice(table, graph.ints(0), end, graph.ints(1), graph.ints(0)))
        return op.add(x, op.gather(table, self._positions(), graph.scalar(0)))

    # Encoder

    def conv1d(self, x: Value, name: str, *, stride: int) -> Value:
        """See Ops: a product of shifted copies, which quantizes like every other product."""
        ints = self.graph.ints
        padded = op.pad(x, ints(0, 1, 0), ints(0, 1, 0), "constant", self.graph.scalar(0.0))
        length = op.gather(op.shape_of(x), ints(1), self.graph.scalar(0))
        shifted = [
            op.slice(padded, ints(tap), op.add(length, ints(tap)), ints(stride), ints(1))
            for tap in range(KERNEL)
        ]
        return self.linear(op.concat(shifted, 2), name)

    def attention(self, qkv: Value, n_heads: int) -> Value:
        """See Ops."""
        q, k, v = (self._heads(part, n_heads) for part in self._split(qkv, 3))
        y = op.scaled_dot_product_attention(q, k, v, self.graph.scalar(0.0), self.graph.scalar(1.0))
        return self._merged(y, n_heads)

    def cross_cache(self, kv: Value, n_heads: int, n_layers: int) -> None:
        """See Ops; one output, so that all of it is copied into place once."""
        head = self.dimensions.n_text_state // n_heads
        parts = op.reshape(kv, self.graph.ints(-1, 2 * n_layers, n_heads, head), False)
        stacked = op.transpose(parts, self.graph.ints(1, 2, 0, 3))
        self.graph.output("cross", stacked, (2 * n_layers, n_heads, "positions", head))

    # Decoder

    def embedding(self, name: str) -> Value:
        """See Ops; only the rows of this step's tokens are dequantized."""
        rows = op.gather(self._matrix(name), self._tokens(), self.graph.scalar(0))
        matrix = self.parameters.matrices[name]
        return self._cut(rows, 2, matrix)

    def cached_attention(self, qkv: Value, n_heads: int, layer: int) -> Value:
        """See Ops.

        State, Gather, Concat and attention in this order become one node of the CPU plugin, which
        writes into a buffer of its own and follows ``beam_idx`` without copying.
        """
        q, *new = (self._heads(part, n_heads) for part in self._split(qkv, 3))
        k, v = (
            self._grown(part, f"self_{t}_{layer}", n_heads)
            for t, part in zip("kv", new, strict=True)
        )
        mask = self.graph.once("mask", lambda: self._mask(k))
        y = op.scaled_dot_product_attention(q, k, v, mask, self.graph.scalar(1.0))
        return self._merged(y, n_heads)

    def cross_attention(
        self, q: Value, n_heads: int, layer: int, aligned: tuple[int, ...]
    ) -> Value:
        """See Ops.

        All hypotheses look at the same window, so their queries are rows of one product.
        """
        graph = self.graph
        shape = (1, n_heads, "positions", self.dimensions.n_text_state // n_heads)
        keys, values = (graph.input(f"cross_{t}_{layer}", shape) for t in "kv")
        rows = op.reshape(q, graph.ints(1, -1, n_heads, shape[-1]), False)
        weights = op.softmax(self._cross_scores(rows, keys), -1)
        self._align(weights, aligned)
        y = op.transpose(op.matmul(weights, values, False, False), graph.ints(0, 2, 1, 3))
        return op.reshape(y, graph.once("step_shape", self._step_shape), False)

    def head(self, x: Value, name: str) -> Value:
        """See Ops."""
        return self._product(op.gather(x, self.graph.ints(-1), self.graph.scalar(1)), name)

    # Products

    def _product(self, x: Value, name: str) -> Value:
        matrix = self.parameters.matrices[name]
        # The graph asks for nothing else; what a processor does is for the runtime to say.
        self.activations[part_of(name)] = "float"
        if isinstance(matrix, QuantizedTensor):
            x = self._filled(x, matrix)
        return op.matmul(x, self._matrix(name), False, True)

    def _matrix(self, name: str) -> Value:
        return openvino_weights.matrix(self.graph, name, self.parameters.matrices[name])

    def _vector(self, name: str) -> Value:
        return openvino_weights.vector(self.graph, name, self.parameters.vectors[name])

    def _filled(self, x: Value, matrix: QuantizedTensor) -> Value:
        """``x`` with zeros up to whole blocks."""
        missing = -matrix.values.shape[1] % matrix.block
        if not missing:
            return x
        rank = x.get_output_partial_shape(0).rank.get_length()
        begin, end = [0] * rank, [0] * (rank - 1) + [missing]
        ints = self.graph.ints
        return op.pad(x, ints(*begin), ints(*end), "constant", self.graph.scalar(0.0))

    def _cut(self, x: Value, axis: int, matrix: Matrix) -> Value:
        """``x`` without what fills its last block."""
        if not isinstance(matrix, QuantizedTensor) or matrix.values.shape[1] % matrix.block == 0:
            return x
        ints = self.graph.ints
        return op.slice(x, ints(0), ints(matrix.values.shape[1]), ints(1), ints(axis))

    # The step

    def _tokens(self) -> Value:
        return self.graph.input("input_ids", ("hypotheses", "tokens"), "int64")

    def _positions(self) -> Value:
        return self.graph.input("cache_position", ("tokens",), "int64")

    def _step_shape(self) -> Value:
        """(n_hypotheses, n_tokens, d) of this step."""
        d = self.graph.ints(self.dimensions.n_text_state)
        return op.concat([op.shape_of(self._tokens()), d], 0)

    def _grown(self, new: Value, name: str, n_heads: int) -> Value:
        """The keys or values of a layer so far, and those of this step."""
        graph, head = self.graph, self.dimensions.n_text_state // n_heads
        shape = ("hypotheses", n_heads, "past", head)
        empty = op.broadcast(graph.scalar(0.0), graph.ints(1, n_heads, 0, head))
        past, keep = graph.state(name, shape, empty)
        sources = graph.input("beam_idx", ("hypotheses",), "int32")
        whole = op.concat([op.gather(past, sources, graph.scalar(0)), new], 2)
        keep(whole)
        return whole

    def _mask(self, keys: Value) -> Value:
        """0 where a token may look, and a large negative number at what comes after it."""
        graph = self.graph
        zero, one = graph.scalar(0), graph.scalar(1)
        total = op.gather(op.shape_of(keys), graph.scalar(2), zero)
        columns = op.unsqueeze(op.range(zero, total, one, "i64"), graph.ints(0, 1, 2))
        later = op.greater(columns, op.unsqueeze(self._positions(), graph.ints(0, 1, 3)))
        return op.select(later, graph.scalar(HIDDEN), graph.scalar(0.0))

    def _cross_scores(self, rows: Value, keys: Value) -> Value:
        """Queries (b, t, n_heads, head) against keys: (b, n_heads, t, n_positions).

        Keys times queries, not the other way round: a single query is then a column, for which the
        CPU plugin has a kernel that is twice as fast.
        """
        columns = op.transpose(rows, self.graph.ints(0, 2, 3, 1))
        return op.transpose(op.matmul(keys, columns, False, False), self.graph.ints(0, 1, 3, 2))

    def _align(self, weights: Value, aligned: Sequence[int]) -> None:
        if aligned:
            self.alignment.append(
                op.gather(weights, self.graph.ints(*aligned), self.graph.scalar(1))
            )

    # Shapes

    def _heads(self, x: Value, n_heads: int) -> Value:
        """(b, t, d) to (b, n_heads, t, d / n_heads)."""
        split = op.reshape(x, self.graph.ints(0, 0, n_heads, -1), True)
        return op.transpose(split, self.graph.ints(0, 2, 1, 3))

    def _merged(self, x: Value, n_heads: int) -> Value:
        """(b, n_heads, t, head) to (b, t, n_heads * head)."""
        together = op.transpose(x, self.graph.ints(0, 2, 1, 3))
        return op.reshape(together, self.graph.ints(0, 0, -1), True)

    def _split(self, x: Value, n: int) -> list[Value]:
        outputs: list[Value] = op.split(x, self.graph.scalar(2), n).outputs()
        return outputs

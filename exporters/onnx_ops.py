"""The definition of Whisper in ONNX: each operation in the form that ONNX Runtime runs fastest."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..edge.types import ActivationRule, ModelDimensions
from ..models.ops import Ops
from ..models.parameters import Parameters
from ..models.quantize import PER_CHANNEL, QuantizedTensor, part_of
from .onnx_graph import CONTRIB, FLOAT, INT32, OnnxGraph
from .onnx_weights import INT4_ZERO, INT8_ZERO

KERNEL = 3  # of both convolutions
INT8_ACCURACY = 4  # MatMulNBits: round activations to int8; any other level is many times slower


class OnnxOps(Ops[str]):
    """Adds nodes to a graph; values are names.

    Written for ONNX Runtime with its contrib operators. ``PortableOnnxOps`` replaces those.

    Args:
        graph: The graph to build.
        parameters: The weights to refer to.
        arrays: The same as the weights file holds them, see ``onnx_weights``.
        dimensions: The model's shape.

    Attributes:
        alignment: The decoder's attention weights that are outputs, one value a layer.
        activations: How the products made so far round what they take, by part.
    """

    def __init__(
        self,
        graph: OnnxGraph,
        parameters: Parameters,
        arrays: Mapping[str, NDArray[Any]],
        dimensions: ModelDimensions,
    ) -> None:
        self.graph, self.parameters, self.arrays = graph, parameters, arrays
        self.dimensions = dimensions
        self.alignment: list[str] = []
        self.activations: dict[str, ActivationRule] = {}
        self._made: dict[str, str] = {}

    # Encoder and decoder

    def linear(self, x: str, name: str) -> str:
        """See Ops."""
        y = self._product(x, name)
        bias = self.parameters.bias(name)
        return y if bias is None else self._op("Add", y, self._array(f"{name}.bias"))

    def layer_norm(self, x: str, name: str) -> str:
        """See Ops."""
        inputs = [x, self._array(f"{name}.gain"), self._array(f"{name}.shift")]
        return self._op("LayerNormalization", *inputs, axis=-1, epsilon=1e-5)

    def gelu(self, x: str) -> str:
        """See Ops."""
        return self._op("Gelu", x)

    def add(self, a: str, b: str) -> str:
        """See Ops."""
        return self._op("Add", a, b)

    def add_positions(self, x: str, name: str) -> str:
        """See Ops."""
        start, end = self._positions(x, name)
        rows = self._op("Slice", self._array(name), start, end, self.graph.ints(0))
        if self.parameters.vectors[name].dtype == np.float16:
            rows = self._op("Cast", rows, to=FLOAT)
        return self._op("Add", x, rows)

    # Encoder

    def conv1d(self, x: str, name: str, *, stride: int) -> str:
        """See Ops: a product of shifted copies, which quantizes like every other product."""
        ints = self.graph.ints
        padded = self._op("Pad", x, ints(0, 1, 0, 0, 1, 0))
        length = self._op("Shape", x, start=1, end=2)
        shifted = []
        for tap in range(KERNEL):
            end = self._op("Add", length, ints(tap)) if tap else length
            shifted.append(self._op("Slice", padded, ints(tap), end, ints(1), ints(stride)))
        return self.linear(self._op("Concat", *shifted, axis=2), name)

    def attention(self, qkv: str, n_heads: int) -> str:
        """See Ops."""
        parts = self._split(qkv, 3)
        return self._op("MultiHeadAttention", *parts, domain=CONTRIB, num_heads=n_heads, scale=1.0)

    def cross_cache(self, kv: str, n_heads: int, n_layers: int) -> None:
        """See Ops."""
        head = self.dimensions.n_text_state // n_heads
        for i, part in enumerate(self._split(kv, 2 * n_layers)):
            layer, is_value = divmod(i, 2)
            name = f"cross_{'kv'[is_value]}_{layer}"
            shape = (1, n_heads, "positions", head)
            self.graph.output(name, self._heads(part, n_heads), shape)

    # Decoder

    def embedding(self, name: str) -> str:
        """See Ops; only the rows of this step's tokens are dequantized."""
        rows = self._embedding_rows(name, self._op("Reshape", "tokens", self.graph.ints(-1)))
        return self._op("Reshape", rows, self._step_shape())

    def cached_attention(self, qkv: str, n_heads: int, layer: int) -> str:
        """See Ops; writes in place where past and present are bound to one buffer."""
        names = [f"{kind}_{t}_{layer}" for kind in ("self", "present") for t in "kv"]
        head = self.dimensions.n_text_state // n_heads
        shape = ("hypotheses", n_heads, self.dimensions.n_text_ctx, head)
        past_k, past_v = (self.graph.input(name, shape) for name in names[:2])
        last, total = self._cache_lengths()
        y = self.graph.op(
            "GroupQueryAttention",
            [qkv, "", "", past_k, past_v, last, total],
            outputs=[f"attention_{layer}", *names[2:]],
            domain=CONTRIB,
            num_heads=n_heads,
            kv_num_heads=n_heads,
            scale=1.0,
        )[0]
        for name in names[2:]:
            self.graph.declare_output(name, shape)
        return str(y)

    def cross_attention(self, q: str, n_heads: int, layer: int, aligned: tuple[int, ...]) -> str:
        """See Ops.

        All hypotheses look at the same window, so their queries are rows of one product.
        """
        shape = (1, n_heads, "positions", self.dimensions.n_text_state // n_heads)
        keys = self.graph.input(f"cross_k_{layer}", shape)
        values = self.graph.input(f"cross_v_{layer}", shape)
        # ONNX Runtime fuses transposition and product into a kernel that reads the keys as they
        # lie; with keys stored transposed the product alone took 1.6 times as long.
        scores = self._op(
            "MatMul", self._heads(q, n_heads), self._op("Transpose", keys, perm=[0, 1, 3, 2])
        )
        weights = self._op("Softmax", scores, axis=-1)
        if aligned:
            index = self.graph.constant(np.array(aligned, np.int64), f"aligned_{layer}")
            self.alignment.append(self._op("Gather", weights, index, axis=1))
        y = self._op("Transpose", self._op("MatMul", weights, values), perm=[0, 2, 1, 3])
        return self._op("Reshape", y, self._step_shape())

    def head(self, x: str, name: str) -> str:
        """See Ops."""
        last = self._op("Gather", x, self.graph.constant(np.array(-1, np.int64), "last"), axis=1)
        return self._product(last, name)

    # Products

    def _product(self, x: str, name: str) -> str:
        if f"{name}.weight" in self.arrays:
            self._rounds(name, "float")
            return self._op("MatMul", x, self._float_matrix(name))
        if f"{name}.values" in self.arrays:
            return self._dynamic_product(x, name, self._array(f"{name}.values"))
        return self._blocked_product(x, name)

    def _rounds(self, name: str, rule: ActivationRule) -> None:
        """Note a product's rule: its part's, or its own where the part has another already."""
        if self.activations.setdefault(part_of(name), rule) != rule:
            self.activations[name] = rule

    def _dynamic_product(self, x: str, name: str, columns: str, *zero: str) -> str:
        """Five standard nodes, which ONNX Runtime fuses into one at load.

        Args:
            x: What is multiplied.
            name: Of the product.
            columns: Its integers, (n_in, n_out).
            zero: Their zero point, where it is not 0.
        """
        self._rounds(name, "uint8-tensor")
        rounded, x_scale, x_zero = self.graph.op("DynamicQuantizeLinear", [x], outputs=3)
        y = self._op("MatMulInteger", rounded, columns, x_zero, *zero)
        scale = self._op("Mul", x_scale, self._channel_scales(name))
        return self._op("Mul", self._op("Cast", y, to=FLOAT), scale)

    def _blocked_product(self, x: str, name: str) -> str:
        self._rounds(name, "int8-block")
        matrix = self._quantized(name)
        n_out, n_in = matrix.values.shape
        return self._op(
            "MatMulNBits",
            x, self._array(f"{name}.blocks"), self._array(f"{name}.scales"),
            domain=CONTRIB, K=n_in, N=n_out, bits=8 if matrix.precision.name == "int8" else 4,
            block_size=matrix.kernel_block, accuracy_level=INT8_ACCURACY,
        )  # fmt: skip

    def _channel_scales(self, name: str) -> str:
        return self._array(f"{name}.scales")

    def _float_matrix(self, name: str) -> str:
        weight = self._array(f"{name}.weight")
        halves = self.parameters.matrices[name].dtype == np.float16  # type: ignore[union-attr]
        return self._op("Cast", weight, to=FLOAT) if halves else weight

    def _embedding_rows(self, name: str, tokens: str) -> str:
        """(n_tokens,) to (n_tokens, d)."""
        if f"{name}.blocks" in self.arrays:
            return self._blocked_rows(name, tokens)
        quantized = f"{name}.values" in self.arrays
        table = self._array(f"{name}.values" if quantized else f"{name}.weight")
        columns = self._op("Cast", self._op("Gather", table, tokens, axis=1), to=FLOAT)
        if quantized:
            scales = self._op("Gather", self._array(f"{name}.scales"), tokens)
            columns = self._op("Mul", columns, scales)
        return self._op("Transpose", columns, perm=[1, 0])

    def _blocked_rows(self, name: str, tokens: str) -> str:
        matrix, ints = self._quantized(name), self.graph.ints
        rows = self._op("Gather", self._array(f"{name}.blocks"), tokens)
        if matrix.precision.name == "int4":
            rows = self._nibbles(rows)
        zero = INT8_ZERO if matrix.precision.name == "int8" else INT4_ZERO
        offset = self.graph.constant(np.array(zero, np.float32), "embedding_zero")
        values = self._op("Sub", self._op("Cast", rows, to=FLOAT), offset)
        scales = self._op("Gather", self._array(f"{name}.scales"), tokens)
        values = self._op("Mul", values, self._op("Unsqueeze", scales, ints(-1)))
        flat = self._op("Reshape", values, ints(0, -1))
        return self._op("Slice", flat, ints(0), ints(matrix.values.shape[1]), ints(1))

    def _nibbles(self, rows: str) -> str:
        """(n, n_blocks, block / 2) bytes to (n, n_blocks, block) integers, low nibble first."""
        constant = self.graph.constant
        low = self._op("BitwiseAnd", rows, constant(np.array(15, np.uint8), "low_bits"))
        shift = constant(np.array(4, np.uint8), "high_bits")
        high = self._op("BitShift", rows, shift, direction="RIGHT")
        pairs = [self._op("Unsqueeze", half, self.graph.ints(-1)) for half in (low, high)]
        together = self._op("Concat", *pairs, axis=-1)
        n_blocks = self._op("Shape", rows, start=0, end=2)
        shape = self._op("Concat", n_blocks, self.graph.ints(-1), axis=0)
        return self._op("Reshape", together, shape)

    def _quantized(self, name: str) -> QuantizedTensor:
        matrix = self.parameters.matrices[name]
        if not isinstance(matrix, QuantizedTensor):
            raise TypeError(f"{name} is not quantized")
        return matrix

    # Shapes: values that several nodes need are made once

    def _step_shape(self) -> str:
        """(n_hypotheses, n_tokens, d) of this step."""
        return self._once("step_shape", self._make_step_shape)

    def _make_step_shape(self) -> str:
        shape = self._op("Shape", "tokens")
        return self._op("Concat", shape, self.graph.ints(self.dimensions.n_text_state), axis=0)

    def _positions(self, x: str, name: str) -> tuple[str, str]:
        """First and last row of a position table for ``x``."""
        if name.startswith("encoder."):
            return self.graph.ints(0), self._op("Shape", x, start=1, end=2)
        return self._past(), self._total()

    def _past(self) -> str:
        return "past"

    def _total(self) -> str:
        return self._once("total", self._make_total)

    def _make_total(self) -> str:
        return self._op("Add", self._past(), self._op("Shape", "tokens", start=1, end=2))

    def _cache_lengths(self) -> tuple[str, str]:
        """What GroupQueryAttention wants: the last position per hypothesis, and the length."""
        return self._once("last", self._make_last), self._once("length", self._make_length)

    def _make_last(self) -> str:
        last = self._op("Sub", self._total(), self.graph.ints(1))
        n_hypotheses = self._op("Shape", "tokens", start=0, end=1)
        return self._op("Cast", self._op("Expand", last, n_hypotheses), to=INT32)

    def _make_length(self) -> str:
        return self._op("Cast", self._total(), to=INT32)

    # Names

    def _heads(self, x: str, n_heads: int) -> str:
        """(b, t, d) to (1, n_heads, b * t, head)."""
        head = self.dimensions.n_text_state // n_heads
        split = self._op("Reshape", x, self.graph.ints(1, -1, n_heads, head))
        return self._op("Transpose", split, perm=[0, 2, 1, 3])

    def _split(self, x: str, n: int) -> list[str]:
        parts: list[str] = self.graph.op("Split", [x], outputs=n, axis=-1, num_outputs=n)
        return parts

    def _array(self, name: str) -> str:
        return self.graph.weight(name, self.arrays[name])

    def _once(self, key: str, make: Callable[[], str]) -> str:
        if key not in self._made:
            self._made[key] = make()
        return self._made[key]

    def _op(self, kind: str, *inputs: str, domain: str = "", **attributes: Any) -> str:  # noqa: ANN401
        name: str = self.graph.op(kind, inputs, domain=domain, **attributes)
        return name


class PlainOnnxOps(OnnxOps):
    """For CPUs without int8 dot products, where MatMulNBits falls back to unpacking every weight.

    The same integers from the same file, turned at load into what MatMulInteger takes, which has a
    fast kernel on every CPU.
    """

    def _blocked_product(self, x: str, name: str) -> str:
        matrix = self._quantized(name)
        if matrix.precision != PER_CHANNEL:
            return super()._blocked_product(x, name)
        ints = self.graph.ints
        rows = self._op("Reshape", self._array(f"{name}.blocks"), ints(matrix.values.shape[0], -1))
        rows = self._op("Slice", rows, ints(0), ints(matrix.values.shape[1]), ints(1))
        zero = self.graph.constant(np.array(INT8_ZERO, np.uint8), "weight_zero")
        return self._dynamic_product(x, name, self._op("Transpose", rows, perm=[1, 0]), zero)

    def _channel_scales(self, name: str) -> str:
        first = self.graph.constant(np.array(0, np.int64), "first_block")
        return self._op("Gather", self._array(f"{name}.scales"), first, axis=1)


class PortableOnnxOps(OnnxOps):
    """Standard operators only, so that engines other than ONNX Runtime read the graphs.

    The cache grows by concatenation: past keys and values of any length in, all of them out.
    """

    def gelu(self, x: str) -> str:
        """See Ops; the operator of that name came only with opset 20."""
        half, root = (
            self.graph.constant(np.array(value, np.float32), name)
            for value, name in ((0.5, "half"), (2**-0.5, "inverse_root_two"))
        )
        one = self.graph.constant(np.array(1, np.float32), "one")
        tail = self._op("Add", self._op("Erf", self._op("Mul", x, root)), one)
        return self._op("Mul", self._op("Mul", x, half), tail)

    def attention(self, qkv: str, n_heads: int) -> str:
        """See Ops."""
        q, k, v = (self._batch_heads(part, n_heads) for part in self._split(qkv, 3))
        return self._merged(self._scores(q, k), v)

    def cached_attention(self, qkv: str, n_heads: int, layer: int) -> str:
        """See Ops."""
        q, *new = (self._batch_heads(part, n_heads) for part in self._split(qkv, 3))
        head = self.dimensions.n_text_state // n_heads
        present = []
        for t, part in zip("kv", new, strict=True):
            past = self.graph.input(f"self_{t}_{layer}", ("hypotheses", n_heads, "past", head))
            name = f"present_{t}_{layer}"
            present.append(self.graph.op("Concat", [past, part], outputs=[name], axis=2))
            self.graph.declare_output(name, ("hypotheses", n_heads, "total", head))
        scores = self._op("Add", self._scores(q, present[0]), self._once("mask", self._make_mask))
        return self._merged(scores, present[1])

    def _past(self) -> str:
        return self._once("past", lambda: self._op("Shape", "self_k_0", start=2, end=3))

    def _make_mask(self) -> str:
        """0 where a token may look, minus infinity at what comes after it; (n_tokens, total)."""
        scalar = self.graph.ints()
        zero, one = (self.graph.constant(np.array(i, np.int64), f"scalar_{i}") for i in (0, 1))
        past, total = (self._op("Reshape", t, scalar) for t in (self._past(), self._total()))
        rows = self._op("Unsqueeze", self._op("Range", past, total, one), self.graph.ints(1))
        future = self._op("Greater", self._op("Range", zero, total, one), rows)
        hidden, seen = (
            self.graph.constant(np.array(value, np.float32), name)
            for value, name in ((-np.inf, "hidden"), (0, "seen"))
        )
        return self._op("Where", future, hidden, seen)

    def _batch_heads(self, x: str, n_heads: int) -> str:
        """(b, t, d) to (b, n_heads, t, head)."""
        split = self._op("Reshape", x, self.graph.ints(0, 0, n_heads, -1))
        return self._op("Transpose", split, perm=[0, 2, 1, 3])

    def _scores(self, q: str, k: str) -> str:
        return self._op("MatMul", q, self._op("Transpose", k, perm=[0, 1, 3, 2]))

    def _merged(self, scores: str, v: str) -> str:
        """Attention weights of the values, heads side by side again: (b, t, d)."""
        y = self._op("MatMul", self._op("Softmax", scores, axis=-1), v)
        return self._op(
            "Reshape", self._op("Transpose", y, perm=[0, 2, 1, 3]), self.graph.ints(0, 0, -1)
        )

"""Products with the weights of a model, and rows of its tables, in every precision."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..edge.types import ActivationRule
from ..models.parameters import Parameters
from ..models.quantize import PER_CHANNEL, QuantizedTensor, floats_of, part_of
from .tflite_arithmetic import Arithmetic
from .tflite_graph import TfliteGraph, Value
from .tflite_schema import BLOCKWISE_QUANTIZATION
from .tflite_tables import Fields
from .tflite_weights import pack_blocks

# The lowest version of FULLY_CONNECTED that takes each kind of weight.
FLOAT_VERSION, INT8_VERSION, BLOCKS_VERSION = 5, 9, 13
HALVES = 2**16  # how many there are
# One scale of 1 for the whole matrix: a scale per row is what older runtimes silently get wrong.
# The true scales are multiplied to the result, and come back from the file as they are.
ONE_SCALE: Fields = {"scale": np.ones(1, np.float32), "zero_point": np.zeros(1, np.int64)}


class TfliteProducts:
    """Adds products to a graph.

    Args:
        graph: The graph to add to.
        parameters: The weights.

    Attributes:
        activations: How the products made so far round what they take, by part.
    """

    def __init__(self, graph: TfliteGraph, parameters: Parameters) -> None:
        self.graph, self.parameters = graph, parameters
        self.activations: dict[str, ActivationRule] = {}
        self._math = Arithmetic(graph)

    def product(self, x: Value, name: str) -> Value:
        """The product of the last axis with the matrix ``name``."""
        matrix = self.parameters.matrices[name]
        part = part_of(name)
        if not isinstance(matrix, QuantizedTensor):
            self.activations.setdefault(part, "float")
            return self._fully_connected(
                x, self.floats(f"{name}.weight", floats_of(matrix)), FLOAT_VERSION
            )
        self.activations[part] = "int8-row-asymmetric"
        if matrix.precision == PER_CHANNEL:
            y = self._fully_connected(x, self._integers(name, matrix), INT8_VERSION)
            scales = self.graph.weight(f"{name}.scales", matrix.scales[:, 0])
            return self._math.product(y, scales)
        return self._blocked_product(x, name, matrix)

    def embedding_rows(self, name: str, tokens: Value) -> Value:
        """Rows of the table ``name`` for tokens, (n_tokens,) to (n_tokens, d)."""
        matrix = self.parameters.matrices[name]
        rows = self._math.rows
        if isinstance(matrix, QuantizedTensor):
            scales = self.graph.weight(f"{name}.scales", matrix.scales)
            values = rows(self._integers(name, matrix), tokens)
            return self._math.product(values, rows(scales, tokens))
        table = floats_of(matrix)
        if table.dtype == np.float16:
            return self._half_rows(name, table, tokens)
        return rows(self.graph.weight(f"{name}.weight", table), tokens)

    def floats(self, name: str, array: NDArray[Any]) -> Value:
        """A weight as floats; halves are turned into them when the file is loaded."""
        weight = self.graph.weight(name, array)
        if array.dtype != np.float16:
            return weight
        return self.graph.op("DEQUANTIZE", [weight], weight.shape, version=3)

    def _integers(self, name: str, matrix: QuantizedTensor) -> Value:
        return self.graph.weight(f"{name}.values", matrix.values, quantization=ONE_SCALE)

    def _half_rows(self, name: str, matrix: NDArray[Any], tokens: Value) -> Value:
        """Rows of halves, without turning the whole table into floats.

        No operator looks up halves. Taken for 16-bit integers, they are numbers of the rows of
        another table: of all the halves there are.
        """
        halves = np.arange(HALVES, dtype=np.uint16).view(np.float16)
        # From -2**15 up, as integers count; what is not a number never occurs, and ARM complains of
        # turning it into floats.
        halves = np.nan_to_num(np.roll(halves, HALVES // 2), nan=0, posinf=0, neginf=0)
        values = halves.astype(np.float32)
        table = self.graph.weight(f"{name}.weight", matrix, dtype="int16")
        shape = (*tokens.shape, table.shape[1])
        integers = self.graph.op("GATHER", [table, tokens], shape, dtype="int16", axis=0)
        whole = self.graph.op("CAST", [integers], shape, dtype="int32", from_type=7, to_type=2)
        places = self.graph.op("ADD", [whole, self.graph.ints(HALVES // 2)], shape, dtype="int32")
        return self.graph.op("GATHER", [self.graph.constant(values), places], shape, axis=0)

    def _blocked_product(self, x: Value, name: str, matrix: QuantizedTensor) -> Value:
        """See ``tflite_weights`` for the two terms; both take the very same rounded inputs."""
        arrays = pack_blocks(matrix)
        block, n_blocks = matrix.block, matrix.scales.shape[1]
        n_filled = block * n_blocks - x.shape[-1]
        if n_filled:
            x = self._math.padded(x, len(x.shape) - 1, 0, n_filled)
            self.graph.weight(f"{name}.n_in", arrays["n_in"])
        y = self._fully_connected(x, self._blocks(name, arrays, block), BLOCKS_VERSION)
        if "negatives" in arrays:
            ones = np.eye(n_blocks, dtype=np.int8).repeat(block, axis=1)
            sums = self._fully_connected(x, self.graph.constant(ones, ONE_SCALE), INT8_VERSION)
            negatives = self.floats(f"{name}.negatives", arrays["negatives"])
            y = self._math.sum(y, self._fully_connected(sums, negatives, FLOAT_VERSION))
        return y

    def _blocks(self, name: str, arrays: dict[str, NDArray[Any]], block: int) -> Value:
        n_out, n_blocks = arrays["scales"].shape
        scales = self.graph.weight(f"{name}.scales", arrays["scales"])
        details = {"scales": scales.index, "zero_points": -1, "block_size": block}
        return self.graph.weight(
            f"{name}.blocks",
            arrays["blocks"],
            shape=(n_out, n_blocks * block),
            dtype="int4",
            quantization={"details_type": BLOCKWISE_QUANTIZATION, "details": details},
        )

    def _fully_connected(self, x: Value, weight: Value, version: int) -> Value:
        return self.graph.op(
            "FULLY_CONNECTED",
            [x, weight, None],
            (*x.shape[:-1], weight.shape[0]),
            version=version,
            keep_num_dims=True,
            asymmetric_quantize_inputs=version != FLOAT_VERSION,
        )

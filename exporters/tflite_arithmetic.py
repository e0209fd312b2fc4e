"""Operators with the shapes of what they give: a file holds the shape of every tensor."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

import numpy as np

from .tflite_graph import Shape, TfliteGraph, Value

Elementwise = Literal["ADD", "SUB", "MUL", "DIV", "MAXIMUM", "SQUARED_DIFFERENCE"]
Reduction = Literal["MEAN", "SUM", "REDUCE_MAX"]


class Arithmetic:
    """What is said of values in one graph.

    Args:
        graph: The graph to add to.
    """

    def __init__(self, graph: TfliteGraph) -> None:
        self.graph = graph

    def elementwise(self, kind: Elementwise, a: Value, b: Value) -> Value:
        """An operator of two values, one of which may be spread over the other."""
        return self.graph.op(kind, [a, b], np.broadcast_shapes(a.shape, b.shape))

    def product(self, a: Value, b: Value) -> Value:
        """Elementwise product."""
        return self.elementwise("MUL", a, b)

    def sum(self, a: Value, b: Value) -> Value:
        """Elementwise sum."""
        return self.elementwise("ADD", a, b)

    def reduced(self, kind: Reduction, x: Value, axis: int) -> Value:
        """One value for all along an axis, which stays with length 1."""
        axis %= len(x.shape)
        shape = (*x.shape[:axis], 1, *x.shape[axis + 1 :])
        return self.graph.op(kind, [x, self.graph.ints(axis)], shape, keep_dims=True)

    def reshaped(self, x: Value, shape: Shape) -> Value:
        """The same numbers in another shape; a length of -1 is whatever remains."""
        rest = math.prod(x.shape) // -math.prod(shape) if -1 in shape else 0
        full = tuple(rest if size == -1 else size for size in shape)
        return self.graph.op("RESHAPE", [x, self.graph.ints(*shape)], full)

    def transposed(self, x: Value, axes: Sequence[int]) -> Value:
        """The axes in another order."""
        shape = tuple(x.shape[axis] for axis in axes)
        return self.graph.op("TRANSPOSE", [x, self.graph.ints(*axes)], shape)

    def joined(self, parts: Sequence[Value], axis: int) -> Value:
        """Equal shapes one after the other along an axis."""
        if len(parts) == 1:
            return parts[0]
        shape = list(parts[0].shape)
        shape[axis] = sum(part.shape[axis] for part in parts)
        return self.graph.op("CONCATENATION", parts, tuple(shape), axis=axis)

    def split(self, x: Value, n: int) -> list[Value]:
        """Equal parts of axis 1."""
        if n == 1:
            return [x]
        shape = (x.shape[0], x.shape[1] // n, *x.shape[2:])
        axis = self.graph.constant(np.array(1, np.int32))
        return self.graph.op_with_outputs("SPLIT", [axis, x], [shape] * n, n_splits=n)

    def padded(self, x: Value, axis: int, before: int, after: int) -> Value:
        """Zeros at the ends of one axis."""
        widths = np.zeros((len(x.shape), 2), np.int32)
        widths[axis] = before, after
        length = x.shape[axis] + before + after
        shape = (*x.shape[:axis], length, *x.shape[axis + 1 :])
        return self.graph.op("PAD", [x, self.graph.constant(widths)], shape)

    def rows(self, table: Value, numbers: Value) -> Value:
        """Rows of a table of floats, or of int8, which come as floats."""
        return self.graph.op(
            "EMBEDDING_LOOKUP",
            [numbers, table],
            (*numbers.shape, table.shape[1]),
            version=2 if table.dtype == "int8" else 1,
        )

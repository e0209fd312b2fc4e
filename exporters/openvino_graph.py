"""A small builder of OpenVINO models, whose constants carry the names of our parameters."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import openvino as ov
from numpy.typing import NDArray
from openvino import opset13 as op
from openvino.op.util import Variable, VariableInfo

from ..edge.artifact import GraphSpec, TensorSpec
from ..edge.types import ActivationRule

Shape = Sequence[int | str]
Value = Any  # an openvino.Node or openvino.Output
NOTES = "whisperq_edge"  # the entry of the file's runtime information that is ours


class OpenvinoGraph:
    """Nodes in the order they are made, and what goes in, out, and stays between runs.

    Args:
        name: Of the model, for people who look at it.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self._made: dict[str, Value] = {}
        self._arrays: list[NDArray[Any]] = []  # the memory of constants, which do not keep it
        self._parameters: list[Value] = []
        self._results: list[Value] = []
        self._sinks: list[Value] = []
        self._inputs: list[TensorSpec] = []
        self._outputs: list[TensorSpec] = []
        self._notes: dict[str, int] = {}

    def once(self, key: str, make: Callable[[], Value]) -> Value:
        """A value that several nodes need, made for the first of them."""
        if key not in self._made:
            self._made[key] = make()
        return self._made[key]

    def array(self, name: str, array: NDArray[Any]) -> Value:
        """A constant under the name by which it is read back; its memory is shared, not copied."""

        def make() -> Value:
            self._arrays.append(np.require(array, requirements=["C", "W"]))
            return named(op.constant(self._arrays[-1], shared_memory=True), name)

        return self.once(name, make)

    def packed(self, name: str, nibbles: NDArray[np.uint8], shape: Sequence[int]) -> Value:
        """A constant of 4-bit integers, two's complement, two to a byte, the low nibble first."""

        def make() -> Value:
            self._arrays.append(nibbles)
            tensor = ov.Tensor(nibbles, ov.Shape(list(shape)), ov.Type.i4)
            return named(op.constant(tensor), name)

        return self.once(name, make)

    def ints(self, *values: int) -> Value:
        """A 1-D int64 constant."""
        array = np.array(values, np.int64)
        return self.once(f"ints_{'_'.join(map(str, values))}", lambda: op.constant(array))

    def scalar(self, value: int | float) -> Value:
        """A constant of no dimension: int64 or float32."""
        array = np.array(value, np.int64 if isinstance(value, int) else np.float32)
        return self.once(f"{array.dtype}_{value}", lambda: op.constant(array))

    def input(self, name: str, shape: Shape, dtype: str = "float32") -> Value:
        """Declare an input; a named dimension may have any length."""

        def make() -> Value:
            self._inputs.append(TensorSpec(name, dtype, tuple(shape)))
            node = op.parameter(_partial(shape), np.dtype(dtype).type, name=name)
            node.output(0).get_tensor().set_names({name})
            self._parameters.append(node)
            return node

        return self.once(f"input_{name}", make)

    def output(self, name: str, value: Value, shape: Shape) -> None:
        """Declare a float output."""
        self._outputs.append(TensorSpec(name, "float32", tuple(shape)))
        result = op.result(value)
        result.output(0).get_tensor().add_names({name})
        self._results.append(result)

    def state(self, name: str, shape: Shape, start: Value) -> tuple[Value, Callable[[Value], None]]:
        """A float tensor that stays between runs.

        Args:
            name: Of the variable.
            shape: A named dimension may change.
            start: What it is after a reset.

        Returns:
            What it is before this run, and a function that sets what it is after.
        """
        info = VariableInfo()
        info.data_shape, info.data_type, info.variable_id = _partial(shape), ov.Type.f32, name
        variable = Variable(info)
        value = op.read_value(start, variable)
        return value, lambda new: self._sinks.append(op.assign(new, variable))

    def note(self, key: str, value: int) -> None:
        """A number that is read back with ``notes``."""
        self._notes[key] = value

    def save(self, path: Path, activations: Mapping[str, ActivationRule]) -> GraphSpec:
        """Write the graph and, beside it, its weights.

        Args:
            path: Ends in ".xml"; the weights go into a file that ends in ".bin" instead.
            activations: How products round what they multiply with, by part.
        """
        model = ov.Model(self._results, self._sinks, self._parameters, self.name)
        model.set_rt_info(json.dumps(self._notes), NOTES)
        # Not save_model, which would round every float to a half.
        ov.serialize(model, path, path.with_suffix(".bin"))
        return GraphSpec(path.name, tuple(self._inputs), tuple(self._outputs), dict(activations))


def named(node: Value, name: str) -> Value:
    """The same node under the name that the file will give it."""
    node.set_friendly_name(name)
    return node


def notes(model: Any) -> dict[str, int]:  # noqa: ANN401 - an openvino.Model
    """What ``note`` was told when the model was made."""
    if not model.has_rt_info(NOTES):
        return {}
    found: dict[str, int] = json.loads(model.get_rt_info(NOTES).astype(str))
    return found


def _partial(shape: Shape) -> ov.PartialShape:
    return ov.PartialShape([-1 if isinstance(length, str) else length for length in shape])

"""A small builder of TFLite files: several graphs, each with a signature, over one set of weights.

The weights lie behind the tables, where the file says they do, and not inside: a file may then be
larger than the 2 GB that the tables may be, and is written without holding it twice.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..edge.artifact import GraphSpec, TensorSpec
from ..edge.types import ActivationRule
from .tflite_schema import ALIGNMENT, OPERATORS, TYPES, VERSION
from .tflite_tables import Fields, write_model

Shape = tuple[int, ...]


@dataclass(frozen=True)
class Value:
    """A tensor of a graph; the shape is the one it has until the inputs are resized."""

    index: int
    shape: Shape
    dtype: str


class TfliteModel:
    """One file."""

    def __init__(self) -> None:
        self.graphs: list[TfliteGraph] = []
        self._data: list[NDArray[Any]] = []
        self._places: dict[Hashable, int] = {}
        self._codes: dict[tuple[str, int], int] = {}

    def graph(self, name: str, lengths: Mapping[str, int]) -> TfliteGraph:
        """Begin a graph; the first one is what an interpreter runs unless a signature is named.

        Args:
            name: Of its signature.
            lengths: The lengths of named dimensions, until they are resized.
        """
        self.graphs.append(TfliteGraph(self, name, lengths))
        return self.graphs[-1]

    def holds(self, name: str) -> bool:
        """Whether a graph refers to the weight of this name."""
        return name in self._places

    def data(self, key: Hashable, array: NDArray[Any]) -> int:
        """The buffer of an array, stored once however often it is asked for."""
        if key not in self._places:
            self._data.append(np.ascontiguousarray(array))
            self._places[key] = len(self._data)  # buffer 0 is "no data"
        return self._places[key]

    def code(self, kind: str, version: int) -> int:
        """The place of an operator in the table of those that are used."""
        return self._codes.setdefault((kind, version), len(self._codes))

    def save(self, path: Path) -> None:
        """Write the file.

        Raises:
            OSError: The disk is full or refuses.
        """
        # Offsets have a fixed width, so the tables are as long with any others.
        n_tables = len(write_model(self._tables(ALIGNMENT)))
        start = n_tables + -n_tables % ALIGNMENT
        with path.open("wb") as file:
            file.write(write_model(self._tables(start)).ljust(start, b"\0"))
            for array in self._data:
                file.write(array.reshape(-1).view(np.uint8).data)
                file.write(bytes(-array.nbytes % ALIGNMENT))

    def _tables(self, start: int) -> Fields:
        buffers: list[Fields] = [{}]
        for array in self._data:
            buffers.append({"offset": start, "size": array.nbytes})
            start += array.nbytes + -array.nbytes % ALIGNMENT
        return {
            "version": VERSION,
            "operator_codes": [
                {
                    # Readers from before there were more than 127 operators look here.
                    "deprecated_code": min(OPERATORS[kind].code, 127),
                    "version": version,
                    "code": OPERATORS[kind].code,
                }
                for kind, version in self._codes
            ],
            "subgraphs": [graph.table for graph in self.graphs],
            "description": "whisperq-edge",
            "buffers": buffers,
            "signature_defs": [graph.signature(index) for index, graph in enumerate(self.graphs)],
        }


class TfliteGraph:
    """Operators and tensors in the order they are made; see ``TfliteModel.graph``."""

    def __init__(self, model: TfliteModel, name: str, lengths: Mapping[str, int]) -> None:
        self.name = name
        self._model, self._lengths = model, lengths
        self._tensors: list[dict[str, Any]] = []
        self._operators: list[Fields] = []
        self._inputs: dict[str, tuple[Value, TensorSpec]] = {}
        self._outputs: dict[str, tuple[Value, TensorSpec]] = {}
        self._constants: dict[Hashable, Value] = {}

    def op(
        self,
        kind: str,
        inputs: Sequence[Value | None],
        shape: Shape,
        *,
        version: int = 1,
        dtype: str = "float32",
        **options: Any,  # noqa: ANN401 - whatever the operator takes
    ) -> Value:
        """Add an operator with one output.

        Args:
            kind: A name of ``OPERATORS``.
            inputs: None leaves an optional one out.
            shape: Of the output, for the lengths that named dimensions have now.
            version: The lowest that knows these types; a runtime checks no more than that it
                knows the version.
            dtype: Of the output.
            options: Of the operator.
        """
        return self.op_with_outputs(kind, inputs, [shape], version=version, dtype=dtype, **options)[
            0
        ]

    def op_with_outputs(
        self,
        kind: str,
        inputs: Sequence[Value | None],
        shapes: Sequence[Shape],
        *,
        version: int = 1,
        dtype: str = "float32",
        **options: Any,  # noqa: ANN401 - as above
    ) -> list[Value]:
        """Add an operator with an output for each of ``shapes``; see ``op``."""
        name = f"{kind.lower()}_{len(self._operators)}"
        outputs = [self._tensor(name, shape, dtype) for shape in shapes]
        operator = {
            "code_index": self._model.code(kind, version),
            "inputs": [-1 if value is None else value.index for value in inputs],
            "outputs": [value.index for value in outputs],
        }
        if OPERATORS[kind].options is not None:
            operator["options_type"] = OPERATORS[kind].options_type
            operator["options"] = (kind, options)
        self._operators.append(operator)
        return outputs

    def constant(self, array: NDArray[Any], quantization: Fields | None = None) -> Value:
        """A small constant without a name."""
        key = (array.dtype.str, array.shape, array.tobytes())
        if key not in self._constants:
            name = f"constant_{len(self._constants)}"
            self._constants[key] = self._stored(
                name, array.shape, array.dtype.name, quantization, self._model.data(key, array)
            )
        return self._constants[key]

    def ints(self, *values: int) -> Value:
        """A 1-D int32 constant."""
        return self.constant(np.array(values, np.int32))

    def weight(
        self,
        name: str,
        array: NDArray[Any],
        *,
        shape: Shape | None = None,
        dtype: str | None = None,
        quantization: Fields | None = None,
    ) -> Value:
        """A constant that all graphs of the file share under its name.

        Args:
            name: Of the data.
            array: The data.
            shape: Of the tensor, where it is another than the array's.
            dtype: Its type, likewise.
            quantization: Scales, where the operators ask for them.
        """
        shape, dtype = shape or array.shape, dtype or array.dtype.name
        key = (name, shape, dtype, str(quantization))
        if key not in self._constants:
            buffer = self._model.data(name, array)
            self._constants[key] = self._stored(name, shape, dtype, quantization, buffer)
        return self._constants[key]

    def input(self, name: str, shape: Sequence[int | str], dtype: str = "float32") -> Value:
        """Declare an input of the graph; a named dimension may be resized."""
        value = self._tensor(name, self._sizes(shape), dtype)
        if any(isinstance(size, str) for size in shape):
            self._tensors[value.index]["shape_signature"] = [
                -1 if isinstance(size, str) else size for size in shape
            ]
        self._inputs[name] = (value, TensorSpec(name, dtype, tuple(shape)))
        return value

    def output(self, name: str, value: Value, shape: Sequence[int | str]) -> None:
        """Declare an output of the graph."""
        if value.shape != self._sizes(shape):
            raise ValueError(f"{name} has shape {value.shape}, not {tuple(shape)}")
        self._outputs[name] = (value, TensorSpec(name, value.dtype, tuple(shape)))

    def spec(self, file: str, activations: Mapping[str, ActivationRule]) -> GraphSpec:
        """What the manifest says of the graph."""
        inputs, outputs = (
            tuple(spec for _, spec in declared.values())
            for declared in (self._inputs, self._outputs)
        )
        return GraphSpec(file, inputs, outputs, dict(activations))

    @property
    def table(self) -> Fields:
        """The fields of its table "SubGraph"."""
        return {
            "tensors": self._tensors,
            "inputs": [value.index for value, _ in self._inputs.values()],
            "outputs": [value.index for value, _ in self._outputs.values()],
            "operators": self._operators,
            "name": self.name,
        }

    def signature(self, subgraph_index: int) -> Fields:
        """The fields of its table "SignatureDef"."""
        inputs, outputs = (
            [{"name": name, "tensor_index": value.index} for name, (value, _) in declared.items()]
            for declared in (self._inputs, self._outputs)
        )
        return {
            "inputs": inputs,
            "outputs": outputs,
            "key": self.name,
            "subgraph_index": subgraph_index,
        }

    def _stored(
        self, name: str, shape: Shape, dtype: str, quantization: Fields | None, buffer: int
    ) -> Value:
        value = self._tensor(name, shape, dtype)
        self._tensors[value.index]["buffer"] = buffer
        if quantization:
            self._tensors[value.index]["quantization"] = quantization
        return value

    def _tensor(self, name: str, shape: Shape, dtype: str) -> Value:
        tensor = {"shape": shape, "type": TYPES[dtype], "name": name, "has_rank": True}
        self._tensors.append(tensor)
        return Value(len(self._tensors) - 1, tuple(shape), dtype)

    def _sizes(self, shape: Sequence[int | str]) -> Shape:
        return tuple(self._lengths[size] if isinstance(size, str) else size for size in shape)

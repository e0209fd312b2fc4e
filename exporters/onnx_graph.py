"""A small builder of ONNX graphs whose weights are external data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from ..edge.artifact import GraphSpec, TensorSpec
from ..edge.types import ActivationRule
from .onnx_weights import WEIGHTS_FILE

CONTRIB = "com.microsoft"
FLOAT, INT32 = TensorProto.FLOAT, TensorProto.INT32

Shape = Sequence[int | str]


class OnnxGraph:
    """Nodes and constants in the order they are made.

    Args:
        name: Of the graph, for people who look at it.
        opset: The version of the standard operators.
        ir_version: The version of the file format.
    """

    def __init__(self, name: str, opset: int, ir_version: int) -> None:
        self.name, self.opset, self.ir_version = name, opset, ir_version
        self._nodes: list[onnx.NodeProto] = []
        self._n_nodes = 0  # ever made: names stay unique where some move into a branch
        self._constants: dict[str, onnx.TensorProto] = {}
        self._weights: dict[str, onnx.TensorProto] = {}
        self._inputs: list[TensorSpec] = []
        self._outputs: list[TensorSpec] = []

    def op(
        self,
        kind: str,
        inputs: Sequence[str],
        *,
        outputs: int | Sequence[str] = 1,
        domain: str = "",
        **attributes: Any,  # noqa: ANN401 - whatever the operator takes
    ) -> Any:  # noqa: ANN401 - one name, or a list of them
        """Add a node.

        Args:
            kind: The operator.
            inputs: Names of values; "" leaves an optional input out.
            outputs: How many, or their names.
            domain: "" for standard operators.
            attributes: Of the operator.

        Returns:
            The name of the output, or the list of them where there are several.
        """
        index, self._n_nodes = self._n_nodes, self._n_nodes + 1
        names = (
            [f"{kind}_{index}_{i}" for i in range(outputs)] if isinstance(outputs, int) else outputs
        )
        self._nodes.append(
            helper.make_node(
                kind, inputs, names, name=f"{kind}_{index}", domain=domain, **attributes
            )
        )
        return names[0] if len(names) == 1 else list(names)

    def constant(self, array: NDArray[Any], name: str) -> str:
        """A small constant inside the graph's own file."""
        if name not in self._constants:
            self._constants[name] = numpy_helper.from_array(np.asarray(array), name)
        return name

    def ints(self, *values: int) -> str:
        """A 1-D int64 constant."""
        return self.constant(np.array(values, np.int64), "ints_" + "_".join(map(str, values)))

    def weight(self, name: str, array: NDArray[Any]) -> str:
        """A tensor that lies in the weights file under the same name."""
        if name not in self._weights:
            self._weights[name] = TensorProto(
                name=name,
                dims=array.shape,
                data_type=helper.np_dtype_to_tensor_dtype(array.dtype),
                data_location=TensorProto.EXTERNAL,
            )
        return name

    def input(self, name: str, shape: Shape, dtype: str = "float32") -> str:
        """Declare an input of the graph; a named dimension may have any length."""
        self._inputs.append(TensorSpec(name, dtype, tuple(shape)))
        return name

    def output(self, name: str, value: str, shape: Shape) -> None:
        """Declare a float output of the graph: ``value`` under another name."""
        self.op("Identity", [value], outputs=[name])
        self.declare_output(name, shape)

    def declare_output(self, name: str, shape: Shape, dtype: str = "float32") -> None:
        """Declare an output that a node already writes under this name."""
        self._outputs.append(TensorSpec(name, dtype, tuple(shape)))

    def save(
        self,
        folder: Path,
        offsets: Mapping[str, tuple[int, int]],
        activations: Mapping[str, ActivationRule],
    ) -> GraphSpec:
        """Write the graph beside its weights.

        Args:
            folder: Where the weights file lies already.
            offsets: Where each weight lies in it.
            activations: How its products round what they take, for the description.
        """
        for name, tensor in self._weights.items():
            offset, length = offsets[name]
            for key, value in (
                ("location", WEIGHTS_FILE), ("offset", offset), ("length", length),
            ):  # fmt: skip
                tensor.external_data.add(key=key, value=str(value))
        file = f"{self.name}.onnx"
        (folder / file).write_bytes(self._model().SerializeToString())
        return GraphSpec(file, tuple(self._inputs), tuple(self._outputs), dict(activations))

    def _model(self) -> onnx.ModelProto:
        graph = helper.make_graph(
            self._nodes,
            self.name,
            [_value_info(spec) for spec in self._inputs],
            [_value_info(spec) for spec in self._outputs],
            [*self._constants.values(), *self._weights.values()],
        )
        domains = {node.domain for node in self._nodes}
        opsets = [helper.make_opsetid("", self.opset)]
        opsets += [helper.make_opsetid(CONTRIB, 1)] if CONTRIB in domains else []
        return helper.make_model(
            graph,
            opset_imports=opsets,
            ir_version=self.ir_version,
            producer_name="whisperq-edge",
        )


def _value_info(spec: TensorSpec) -> onnx.ValueInfoProto:
    kind = helper.np_dtype_to_tensor_dtype(np.dtype(spec.dtype))
    return helper.make_tensor_value_info(spec.name, kind, spec.shape)

"""ONNX graphs that hold their own weights, as other programs expect them, and may branch."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper

from ..edge.artifact import GraphSpec
from ..edge.errors import ArtifactError
from ..edge.types import ActivationRule
from .onnx_graph import FLOAT, OnnxGraph

# A protobuf message ends at 2 GiB; what the nodes need besides the weights is far less than this.
MOST_BYTES_INSIDE = 2**31 - 2**25
PAGE_BYTES = 4096


class OwnWeightsGraph(OnnxGraph):
    """A graph in one file; beside weights too large for that, in ``FILE_data``."""

    def branch(self, name: str, build: Callable[[], Sequence[str]]) -> onnx.GraphProto:
        """A graph for one side of an ``If``.

        Args:
            name: Of the graph.
            build: Adds the nodes and returns the values that the side gives, each made by one of
                them. They may use every value made before.
        """
        outer, self._nodes = self._nodes, []
        values = [helper.make_tensor_value_info(value, FLOAT, None) for value in build()]
        nodes, self._nodes = self._nodes, outer
        return helper.make_graph(nodes, name, [], values)

    def save_whole(
        self,
        folder: Path,
        file: str,
        arrays: Mapping[str, NDArray[Any]],
        activations: Mapping[str, ActivationRule],
        properties: Mapping[str, str] | None = None,
    ) -> GraphSpec:
        """Write the graph with its weights.

        Args:
            folder: Of the artifact.
            file: The graph's name in it; a folder in the name is made.
            arrays: The weights, by name.
            activations: How its products round what they take, for the description.
            properties: Written into the file for the program that reads it.
        """
        path = folder / file
        path.parent.mkdir(exist_ok=True)
        weights = {name: np.ascontiguousarray(arrays[name]) for name in self._weights}
        if sum(array.nbytes for array in weights.values()) > MOST_BYTES_INSIDE:
            self._put_beside(path.with_name(f"{path.name}_data"), weights)
        else:
            for name, array in weights.items():
                self._weights[name] = numpy_helper.from_array(array, name)
        model = self._model()
        helper.set_model_props(model, dict(properties or {}))
        path.write_bytes(model.SerializeToString())
        return GraphSpec(file, tuple(self._inputs), tuple(self._outputs), dict(activations))

    def _put_beside(self, path: Path, weights: Mapping[str, NDArray[Any]]) -> None:
        """Write the weights into a file of their own, each where a page of memory starts."""
        with path.open("wb") as file:
            for name, array in weights.items():
                file.write(bytes(-file.tell() % PAGE_BYTES))
                for key, value in (
                    ("location", path.name), ("offset", file.tell()), ("length", array.nbytes),
                ):  # fmt: skip
                    self._weights[name].external_data.add(key=key, value=str(value))
                file.write(array.data)


def read_arrays(path: Path, names: Callable[[str], bool]) -> dict[str, NDArray[Any]]:
    """The weights that a graph holds.

    Args:
        path: Of the graph.
        names: Says whether a tensor is wanted.

    Raises:
        ArtifactError: The file is missing or damaged.
    """
    try:
        model = onnx.load(path)
        return {
            tensor.name: numpy_helper.to_array(tensor)
            for tensor in model.graph.initializer
            if names(tensor.name)
        }
    except Exception as error:  # protobuf's, onnx's and the system's have no common base
        raise ArtifactError(f"{path} cannot be read: {error}") from error

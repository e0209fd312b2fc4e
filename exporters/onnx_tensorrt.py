"""The layout for TensorRT: standard operators, and products of int8 by int8 said explicitly.

Source:
    NVIDIA TensorRT documentation, "Working with Quantized Types": symmetric int8 only, constant
    scales, QuantizeLinear and DequantizeLinear in front of what is to run in int8.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx

from ..edge.artifact import GraphSpec
from ..edge.errors import ExportError
from ..models.grid import Grid
from ..models.observer import observe
from ..models.parameters import Parameters
from ..models.quantize import QuantizedTensor, part_of
from .exporter import ExportRequest
from .onnx_grids import grid_constants
from .onnx_lint import lint_tensorrt
from .onnx_ops import PortableOnnxOps


def calibrated(request: ExportRequest, parameters: Parameters) -> Parameters:
    """The same parameters, with a grid for what every quantized product takes."""
    if not request.calibration:
        return parameters
    checkpoint = request.checkpoint
    extents = observe(parameters, checkpoint.dimensions, checkpoint.generation, request.calibration)
    places = [
        f"{name}.input"
        for name, matrix in parameters.matrices.items()
        if isinstance(matrix, QuantizedTensor)
    ]
    return replace(parameters, grids={place: Grid.symmetric(extents[place]) for place in places})


def check_graphs(folder: Path, graphs: Mapping[str, GraphSpec]) -> None:
    """Refuse graphs that TensorRT would.

    Raises:
        ExportError: Names the first finding.
    """
    for spec in graphs.values():
        findings = lint_tensorrt(onnx.load(folder / spec.file, load_external_data=False))
        if findings:
            raise ExportError(
                f"{spec.file} breaks {len(findings)} of TensorRT's rules; the first: {findings[0]}"
            )


class TensorRtOnnxOps(PortableOnnxOps):
    """Rounds what the products with weights take, and nothing else: attention stays in floats."""

    def _dynamic_product(self, x: str, name: str, columns: str, *zero: str) -> str:
        self.activations[part_of(name)] = "static"
        place = f"{name}.input"
        grid = grid_constants(self.graph, place, self.parameters.grids[place])
        rounded = self._op("DequantizeLinear", self._op("QuantizeLinear", x, *grid), *grid)
        return self._op("MatMul", rounded, self._dequantized(name, columns))

    def _embedding_rows(self, name: str, tokens: str) -> str:
        """(n_tokens,) to (n_tokens, d).

        The table is dequantized whole, which TensorRT does once as it builds the engine: it has
        integers nowhere but between these two operators, so rows of them cannot be gathered.
        """
        if f"{name}.values" not in self.arrays:
            return super()._embedding_rows(name, tokens)
        table = self._dequantized(name, self._array(f"{name}.values"))
        return self._op("Transpose", self._op("Gather", table, tokens, axis=1), perm=[1, 0])

    def _dequantized(self, name: str, columns: str) -> str:
        """A matrix of weights in float, (n_in, n_out); a node of its own for each use."""
        n_out = self._quantized(name).values.shape[0]
        zeros = self.graph.constant(np.zeros(n_out, np.int8), f"int8_zeros_{n_out}")
        return self._op("DequantizeLinear", columns, self._channel_scales(name), zeros, axis=1)

"""Grids in ONNX graphs: a scale and a zero point beside the nodes that round to them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from google.protobuf.message import DecodeError  # type: ignore[import-untyped]
from onnx import numpy_helper

from ..edge.artifact import Manifest
from ..edge.errors import ArtifactError
from ..models.grid import Grid
from .onnx_graph import OnnxGraph

SCALE, ZERO = ".grid_scale", ".grid_zero"


def grid_constants(graph: OnnxGraph, place: str, grid: Grid) -> tuple[str, str]:
    """The scale and zero point of a place, as constants in the graph's own file."""
    scale = graph.constant(np.asarray(grid.scale, np.float32), f"{place}{SCALE}")
    zero = np.broadcast_to(np.asarray(grid.zero), np.shape(grid.scale))
    return scale, graph.constant(np.ascontiguousarray(zero), f"{place}{ZERO}")


def read_grids(folder: Path, manifest: Manifest) -> dict[str, Grid]:
    """Every grid that the artifact's graphs round to, by place.

    Raises:
        ArtifactError: A graph cannot be read.
    """
    grids: dict[str, Grid] = {}
    for spec in manifest.graphs.values():
        path = folder / spec.file
        try:
            model = onnx.load(path, load_external_data=False)
        except (OSError, DecodeError) as error:
            raise ArtifactError(f"{path} cannot be read: {error}") from error
        constants = {tensor.name: tensor for tensor in model.graph.initializer}
        for name in [name for name in constants if name.endswith(SCALE)]:
            place = name.removesuffix(SCALE)
            scale = numpy_helper.to_array(constants[name])
            zero = numpy_helper.to_array(constants[f"{place}{ZERO}"])
            grids[place] = Grid(scale[()], zero.reshape(-1)[0])
    return grids
